/** @file Elementwise kernels: arithmetic, comparison, logic, selection and functions of one number. */
import tf from "@tensorflow/tfjs";
import { type Graph, type GraphValue, sameShape, sizeOf, type ValueType } from "../graph.js";
import { type Kernel, type KernelContext, valueType } from "../tracer.js";

const fillOf = (x: GraphValue): number | undefined =>
  x.constant !== undefined && "fill" in x.constant ? x.constant.fill : undefined;

/** The shape of an elementwise result. @throws when the shapes do not broadcast. */
export const broadcastShape = (a: GraphValue, b: GraphValue): number[] =>
  tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);

/** A result broadcasts by itself, so a uniform or expanded operand may enter small. */
function slim(graph: Graph, x: GraphValue, other: GraphValue, shape: readonly number[]): GraphValue {
  if (!sameShape(other.shape, shape)) return x;
  const fill = fillOf(x);
  if (fill !== undefined && sizeOf(x.shape) > 1) return graph.fill([], fill, x.type);
  return x.node?.op === "Expand" ? x.node.inputs[0]! : x;
}

const FOLD: Record<string, (a: number, b: number) => number> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Max: Math.max,
  Min: Math.min,
};

/** The operand that changes nothing. */
const NEUTRAL_RIGHT: Readonly<Record<string, number>> = { Add: 0, Sub: 0, Mul: 1, Div: 1 };
const NEUTRAL_LEFT: Readonly<Record<string, number>> = { Add: 0, Mul: 1 };

/** One elementwise node of two operands of one type. */
export function binary(graph: Graph, op: string, a: GraphValue, b: GraphValue, type: ValueType = a.type): GraphValue {
  const shape = broadcastShape(a, b);
  const [fillA, fillB] = [fillOf(a), fillOf(b)];
  if (type === "float32" && a.type === "float32") {
    const fold = FOLD[op];
    if (fillA !== undefined && fillB !== undefined && fold !== undefined) {
      return graph.fill(shape, Math.fround(fold(fillA, fillB)), type);
    }
    if (fillB !== undefined && fillB === NEUTRAL_RIGHT[op]) return graph.expand(a, shape);
    if (fillA !== undefined && fillA === NEUTRAL_LEFT[op]) return graph.expand(b, shape);
  }
  const left = slim(graph, a, b, shape);
  return graph.op(op, [left, slim(graph, b, left, shape)], shape, type);
}

/** One elementwise node of one operand. */
export const unary = (graph: Graph, op: string, x: GraphValue, type: ValueType = x.type): GraphValue =>
  graph.op(op, [x], x.shape, type);

export function cast(graph: Graph, x: GraphValue, type: ValueType): GraphValue {
  if (x.type === type) return x;
  const fill = fillOf(x);
  if (fill !== undefined) {
    const number = type === "float32" ? Math.fround(fill) : type === "bool" ? Number(fill !== 0) : Math.trunc(fill);
    return graph.fill(x.shape, number, type);
  }
  // ONNX's element type numbers.
  const to = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10 }[type];
  return graph.op("Cast", [x], x.shape, type, { to });
}

export const scalar = (graph: Graph, value: number): GraphValue => graph.fill([], Math.fround(value), "float32");

export function select(graph: Graph, condition: GraphValue, a: GraphValue, b: GraphValue): GraphValue {
  // ONNX Runtime selects among numbers.
  if (a.type === "bool") {
    return cast(graph, select(graph, condition, cast(graph, a, "int32"), cast(graph, b, "int32")), "bool");
  }
  const shape = broadcastShape(condition, { ...a, shape: broadcastShape(a, b) });
  return graph.op("Where", [condition, a, b], shape, a.type);
}

const arithmetic =
  (op: string): Kernel =>
  ({ graph, inputs: [a, b] }) => {
    const type = a!.type === "bool" ? "int32" : a!.type;
    const result = binary(graph, op, cast(graph, a!, type), cast(graph, b!, type));
    return a!.type === "bool" ? cast(graph, result, "bool") : result;
  };

const comparison =
  (op: string, negate = false): Kernel =>
  ({ graph, inputs: [a, b] }) => {
    // ONNX Runtime compares bool only for equality.
    const type: ValueType = a!.type === "bool" ? "int32" : a!.type;
    const result = binary(graph, op, cast(graph, a!, type), cast(graph, b!, type), "bool");
    return negate ? unary(graph, "Not", result) : result;
  };

const logical =
  (op: string): Kernel =>
  ({ graph, inputs: [a, b] }) =>
    binary(graph, op, cast(graph, a!, "bool"), cast(graph, b!, "bool"), "bool");

/** A function of one float; int32 and bool are cast first, as TensorFlow.js does. */
const floatFunction =
  (body: (graph: Graph, x: GraphValue, attributes: KernelContext["attributes"]) => GraphValue): Kernel =>
  ({ graph, inputs: [x], attributes }) =>
    body(graph, cast(graph, x!, "float32"), attributes);

const direct = (op: string): Kernel => floatFunction((graph, x) => unary(graph, op, x));

/** A function that keeps int32 as it is. */
const keepInteger = (op: string, changesIntegers: boolean): Kernel => {
  return ({ graph, inputs: [x] }) => {
    if (x!.type === "int32" && !changesIntegers) return x!;
    if (x!.type === "bool") return cast(graph, unary(graph, op, cast(graph, x!, "int32")), "bool");
    return unary(graph, op, x!);
  };
};

const clip = (graph: Graph, x: GraphValue, low: number, high: number): GraphValue =>
  graph.op("Clip", [x, graph.fill([], low, x.type), graph.fill([], high, x.type)], x.shape, x.type);

const mul = (graph: Graph, a: GraphValue, b: GraphValue) => binary(graph, "Mul", a, b);
const add = (graph: Graph, a: GraphValue, b: GraphValue) => binary(graph, "Add", a, b);

/** atan2 in the quadrant convention of Math.atan2, from ONNX's Atan. */
function atan2(graph: Graph, y: GraphValue, x: GraphValue): GraphValue {
  const zero = scalar(graph, 0);
  const shape = broadcastShape(y, x);
  const isZeroX = binary(graph, "Equal", x, zero, "bool");
  const base = unary(graph, "Atan", binary(graph, "Div", y, select(graph, isZeroX, scalar(graph, 1), x)));
  const yNegative = binary(graph, "Less", y, zero, "bool");
  const turn = select(graph, yNegative, scalar(graph, -Math.PI), scalar(graph, Math.PI));
  const xNegative = binary(graph, "Less", x, zero, "bool");
  const withTurn = select(graph, xNegative, add(graph, base, turn), base);
  const onAxis = mul(graph, unary(graph, "Sign", y), scalar(graph, Math.PI / 2));
  return graph.expand(select(graph, isZeroX, onAxis, withTurn), shape);
}

/** Rounded towards minus infinity, float32. */
const floorQuotient = (graph: Graph, a: GraphValue, b: GraphValue): GraphValue =>
  unary(graph, "Floor", binary(graph, "Div", cast(graph, a, "float32"), cast(graph, b, "float32")));

export const elementwiseKernels: Record<string, Kernel> = {
  Add: arithmetic("Add"),
  Sub: arithmetic("Sub"),
  Multiply: arithmetic("Mul"),
  Maximum: arithmetic("Max"),
  Minimum: arithmetic("Min"),
  RealDiv: ({ graph, inputs: [a, b] }) => binary(graph, "Div", cast(graph, a!, "float32"), cast(graph, b!, "float32")),
  FloorDiv: ({ graph, inputs: [a, b] }) => cast(graph, floorQuotient(graph, a!, b!), "int32"),
  Mod: ({ graph, inputs: [a, b] }) => {
    const quotient = cast(graph, floorQuotient(graph, a!, b!), a!.type);
    return binary(graph, "Sub", a!, binary(graph, "Mul", quotient, b!));
  },
  Pow: ({ graph, inputs: [a, b] }) => {
    const exponent = fillOf(b!);
    if (exponent === 1) return graph.expand(a!, broadcastShape(a!, b!));
    if (exponent === 2) return graph.expand(mul(graph, a!, a!), broadcastShape(a!, b!));
    return binary(graph, "Pow", a!, b!);
  },
  SquaredDifference: ({ graph, inputs: [a, b] }) => {
    const difference = binary(graph, "Sub", a!, b!);
    return mul(graph, difference, difference);
  },
  Atan2: ({ graph, inputs: [a, b] }) => atan2(graph, cast(graph, a!, "float32"), cast(graph, b!, "float32")),
  AddN: ({ graph, inputs }) => inputs.reduce((sum, x) => add(graph, sum, x)),
  Prelu: ({ graph, named }) => {
    const [x, alpha] = [cast(graph, named["x"]!, "float32"), cast(graph, named["alpha"]!, "float32")];
    const isPositive = binary(graph, "GreaterOrEqual", x, scalar(graph, 0), "bool");
    return select(graph, isPositive, graph.expand(x, broadcastShape(x, alpha)), mul(graph, alpha, x));
  },
  BitwiseAnd: ({ graph, inputs: [a, b] }) => binary(graph, "BitwiseAnd", a!, b!),

  Equal: comparison("Equal"),
  NotEqual: comparison("Equal", true),
  Greater: comparison("Greater"),
  GreaterEqual: comparison("GreaterOrEqual"),
  Less: comparison("Less"),
  LessEqual: comparison("LessOrEqual"),
  LogicalAnd: logical("And"),
  LogicalOr: logical("Or"),
  LogicalNot: ({ graph, inputs: [x] }) => unary(graph, "Not", cast(graph, x!, "bool")),
  Select: ({ graph, named: { condition, t, e } }) => select(graph, cast(graph, condition!, "bool"), t!, e!),

  Identity: ({ inputs: [x] }) => x!,
  Cast: ({ graph, inputs: [x], attributes }) => cast(graph, x!, valueType(attributes["dtype"])),
  Abs: keepInteger("Abs", true),
  Neg: keepInteger("Neg", true),
  Sign: (context) => {
    const { graph, inputs } = context;
    const sign = keepInteger("Sign", true)(context) as GraphValue;
    if (sign.type !== "float32") return sign;
    // TensorFlow.js calls the sign of what is not a number zero.
    return select(graph, unary(graph, "IsNaN", inputs[0]!, "bool"), scalar(graph, 0), sign);
  },
  Floor: keepInteger("Floor", false),
  Ceil: keepInteger("Ceil", false),
  Round: keepInteger("Round", false),
  Exp: direct("Exp"),
  Log: direct("Log"),
  Sqrt: direct("Sqrt"),
  Sin: direct("Sin"),
  Cos: direct("Cos"),
  Tan: direct("Tan"),
  Asin: direct("Asin"),
  Acos: direct("Acos"),
  Atan: direct("Atan"),
  Sinh: direct("Sinh"),
  Cosh: direct("Cosh"),
  Tanh: direct("Tanh"),
  Asinh: direct("Asinh"),
  Acosh: direct("Acosh"),
  Atanh: direct("Atanh"),
  Erf: direct("Erf"),
  Sigmoid: direct("Sigmoid"),
  Softplus: direct("Softplus"),
  Reciprocal: direct("Reciprocal"),
  Relu: ({ graph, inputs: [x] }) =>
    x!.type === "float32" ? unary(graph, "Relu", x!) : binary(graph, "Max", x!, graph.fill([], 0, x!.type)),
  Relu6: ({ graph, inputs: [x] }) => clip(graph, x!, 0, 6),
  ClipByValue: ({ graph, inputs: [x], attributes }) =>
    clip(graph, x!, attributes["clipValueMin"] as number, attributes["clipValueMax"] as number),
  Square: ({ graph, inputs: [x] }) => mul(graph, x!, x!),
  Rsqrt: floatFunction((graph, x) => unary(graph, "Reciprocal", unary(graph, "Sqrt", x))),
  Expm1: floatFunction((graph, x) => binary(graph, "Sub", unary(graph, "Exp", x), scalar(graph, 1))),
  Log1p: floatFunction((graph, x) => unary(graph, "Log", add(graph, x, scalar(graph, 1)))),
  Elu: direct("Elu"),
  Selu: direct("Selu"),
  LeakyRelu: floatFunction((graph, x, { alpha }) =>
    graph.op("LeakyRelu", [x], x.shape, "float32", { alpha: { float: alpha as number } }),
  ),
  EluGrad: ({ graph, named: { dy, y } }) => {
    const slope = select(
      graph,
      binary(graph, "GreaterOrEqual", y!, scalar(graph, 0), "bool"),
      graph.fill(y!.shape, 1, "float32"),
      add(graph, y!, scalar(graph, 1)),
    );
    return mul(graph, dy!, slope);
  },
  Step: ({ graph, inputs: [x], attributes }) => {
    const number = (value: number) =>
      graph.fill([], x!.type === "float32" ? Math.fround(value) : Math.trunc(value), x!.type);
    const positive = binary(graph, "Greater", x!, number(0), "bool");
    const step = select(graph, positive, number(1), number((attributes["alpha"] as number | undefined) ?? 0));
    if (x!.type !== "float32") return graph.expand(step, x!.shape);
    return select(graph, unary(graph, "IsNaN", x!, "bool"), x!, graph.expand(step, x!.shape));
  },
  IsNan: floatFunction((graph, x) => unary(graph, "IsNaN", x, "bool")),
  IsInf: floatFunction((graph, x) => unary(graph, "IsInf", x, "bool")),
  IsFinite: floatFunction((graph, x) =>
    unary(
      graph,
      "Not",
      binary(graph, "Or", unary(graph, "IsNaN", x, "bool"), unary(graph, "IsInf", x, "bool"), "bool"),
    ),
  ),
  ZerosLike: ({ graph, inputs: [x] }) => graph.fill(x!.shape, 0, x!.type),
  OnesLike: ({ graph, inputs: [x] }) => graph.fill(x!.shape, 1, x!.type),
  Fill: ({ graph, attributes }) => {
    const { shape, value, dtype } = attributes as { shape: number[]; value: number; dtype?: string };
    const type = valueType(dtype ?? (typeof value === "string" ? "string" : "float32"));
    return graph.fill(shape, type === "int32" ? Math.trunc(value) : Math.fround(value), type);
  },
};
