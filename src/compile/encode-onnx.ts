/** @file A recorded graph as the bytes of an ONNX model (opset 20, plus ONNX Runtime's own operators). */
import onnxProto from "onnx-proto";
import { type Attribute, type Graph, type GraphValue, sizeOf, type ValueType } from "./graph.js";

const { onnx } = onnxProto;
const { DataType } = onnx.TensorProto;
const { AttributeType } = onnx.AttributeProto;

const ELEMENT_TYPE: Record<ValueType, number> = {
  float32: DataType.FLOAT,
  int32: DataType.INT32,
  bool: DataType.BOOL,
  int64: DataType.INT64,
  float16: DataType.FLOAT16,
};

/** Uniform constants above this many elements are expanded from one element when the model is loaded. */
const EXPAND_ABOVE = 64;

export interface NamedOutput {
  readonly name: string;
  readonly value: GraphValue;
}

/**
 * Encode what `outputs` need.
 *
 * @param name shown in ONNX Runtime's messages. Inputs that nothing needs are left out.
 * @returns the model's bytes and the number of nodes in it. An output that is an input or a constant, or is asked for
 * under two names, is copied by an Identity node.
 */
export function encodeOnnx(
  graph: Graph,
  outputs: readonly NamedOutput[],
  name: string,
): { model: Uint8Array; nodes: number } {
  const nodes = graph.reachable(outputs.map(({ value }) => value));
  const renamed = new Map<GraphValue, string>();
  const copies: NamedOutput[] = [];
  for (const output of outputs) {
    if (output.value.node === undefined || renamed.has(output.value)) copies.push(output);
    else renamed.set(output.value, output.name);
  }
  const nameOf = (value: GraphValue) => renamed.get(value) ?? value.name;

  const used = new Set<GraphValue>();
  for (const node of nodes) for (const input of node.inputs) used.add(input);
  for (const { value } of copies) used.add(value);

  const encoded = [];
  const initializers = [];
  for (const value of used) {
    const { shape, type, constant } = value;
    if (constant !== undefined && "fill" in constant && sizeOf(shape) > EXPAND_ABOVE) {
      const value1 = { dims: [1], dataType: ELEMENT_TYPE[type], rawData: rawBytes([constant.fill], 1, type) };
      const shapeName = `${value.name}_shape`;
      initializers.push({
        name: shapeName,
        dims: [shape.length],
        dataType: DataType.INT64,
        rawData: rawBytes(shape, shape.length, "int64"),
      });
      encoded.push({
        opType: "ConstantOfShape",
        input: [shapeName],
        output: [value.name],
        attribute: [{ name: "value", t: value1, type: AttributeType.TENSOR }],
      });
    } else if (constant !== undefined) {
      const count = sizeOf(shape);
      const values = "fill" in constant ? new Array<number>(count).fill(constant.fill) : constant.values;
      initializers.push({
        name: value.name,
        dims: [...shape],
        dataType: ELEMENT_TYPE[type],
        rawData: rawBytes(values, count, type),
      });
    }
  }
  for (const node of nodes) {
    encoded.push({
      opType: node.op,
      domain: node.domain,
      input: node.inputs.map(nameOf),
      output: node.outputs.map(nameOf),
      attribute: Object.entries(node.attributes).map(([key, attribute]) => encodeAttribute(key, attribute)),
    });
  }
  for (const copy of copies) encoded.push({ opType: "Identity", input: [nameOf(copy.value)], output: [copy.name] });

  const model = onnx.ModelProto.create({
    irVersion: 9,
    producerName: "descry",
    opsetImport: [
      { domain: "", version: 20 },
      { domain: "com.microsoft", version: 1 },
    ],
    graph: {
      name,
      node: encoded,
      initializer: initializers,
      input: graph.inputs.filter((value) => used.has(value)).map((value) => valueInfo(value.name, value)),
      output: outputs.map(({ name, value }) => valueInfo(name, value)),
    },
  });
  return { model: onnx.ModelProto.encode(model).finish(), nodes: encoded.length };
}

function valueInfo(name: string, { shape, type }: GraphValue) {
  return {
    name,
    type: { tensorType: { elemType: ELEMENT_TYPE[type], shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
  };
}

function encodeAttribute(name: string, attribute: Attribute) {
  if (typeof attribute === "number") return { name, i: attribute, type: AttributeType.INT };
  if (typeof attribute === "string") return { name, s: Buffer.from(attribute), type: AttributeType.STRING };
  if ("float" in attribute) return { name, f: attribute.float, type: AttributeType.FLOAT };
  return { name, ints: [...attribute], type: AttributeType.INTS };
}

function rawBytes(values: ArrayLike<number>, count: number, type: ValueType): Uint8Array {
  if (type === "float16") throw new Error("a float16 constant: constants are float32, and cast");
  const array =
    type === "float32"
      ? Float32Array.from(values)
      : type === "int32"
        ? Int32Array.from(values)
        : type === "bool"
          ? Uint8Array.from(values)
          : BigInt64Array.from({ length: count }, (_, i) => BigInt(values[i]!));
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
