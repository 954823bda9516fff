/**
 * @file The recorded graph: values, nodes and constants, with the simplifications that can be decided while recording.
 *
 * Every node is pure, so equal nodes are one node (hash-consing), and what no output needs is never emitted. Reshapes
 * and transposes compose, multiplications by one and additions of zero vanish, an expansion is dropped where the
 * consumer broadcasts anyway, and a value without elements is a constant. It knows ONNX operator names, and nothing of
 * TensorFlow.js or ONNX Runtime.
 */

/** Element types of graph values. `int64` (shapes and axes) and `float16` (see `half-products.ts`) exist only inside the graph. */
export type ValueType = "float32" | "int32" | "bool" | "int64" | "float16";

export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface GraphNode {
  readonly op: string;
  /** "" for the standard operators, "com.microsoft" for ONNX Runtime's own. */
  readonly domain: string;
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface GraphValue {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: ValueType;
  /** The node that computes it; absent for inputs and constants. */
  node?: GraphNode;
  /** Present for constants: all elements, or one number that every element equals. */
  readonly constant?: { readonly fill: number } | { readonly values: ArrayLike<number> };
}

export interface OutputSpec {
  readonly shape: readonly number[];
  readonly type: ValueType;
}

/** The largest constant stored in a graph, in bytes: larger data belong in inputs, where they are not copied around. */
export const MAX_CONSTANT_BYTES = 1 << 20;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((side, axis) => side === b[axis]);

/** A graph under construction. Values belong to one graph. */
export class Graph {
  readonly inputs: GraphValue[] = [];
  private readonly interned = new Map<string, GraphNode>();
  private readonly constants = new Map<string, GraphValue>();
  private counter = 0;

  input(name: string, shape: readonly number[], type: ValueType): GraphValue {
    const value: GraphValue = { name, shape: [...shape], type };
    this.inputs.push(value);
    return value;
  }

  /** A constant whose elements all equal `fill`. */
  fill(shape: readonly number[], fill: number, type: ValueType): GraphValue {
    return this.internConstant(`${type}[${shape}]=${Object.is(fill, -0) ? "-0" : fill}`, shape, type, { fill });
  }

  /** A constant with its elements in row-major order. @throws {RangeError} more than 1 MB, unless all elements are equal. */
  constant(values: ArrayLike<number>, shape: readonly number[], type: ValueType): GraphValue {
    const count = sizeOf(shape);
    const first = values[0] ?? 0;
    let uniform = true;
    for (let i = 1; i < count && uniform; i++) uniform = Object.is(values[i], first);
    if (uniform && count > 0) return this.fill(shape, first, type);
    if (count * 4 > MAX_CONSTANT_BYTES) {
      throw new RangeError(
        `a constant of shape [${shape}] has ${count * 4} bytes, more than ${MAX_CONSTANT_BYTES}; pass it as an input`,
      );
    }
    const key = count <= 64 ? `${type}[${shape}]:${Array.from(values)}` : `${type}#${this.counter}`;
    return this.internConstant(key, shape, type, { values: Array.isArray(values) ? [...values] : values });
  }

  int64(values: readonly number[]): GraphValue {
    return this.constant(values, [values.length], "int64");
  }

  /** Append a node, or return the outputs of the equal one that is there already. */
  node(
    op: string,
    inputs: readonly GraphValue[],
    outputs: readonly OutputSpec[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): readonly GraphValue[] {
    // What has no elements needs no computing; several operators refuse it.
    if (outputs.every(({ shape }) => sizeOf(shape) === 0)) {
      return outputs.map(({ shape, type }) => this.constant([], shape, type));
    }
    const key = `${domain}:${op}(${inputs.map((input) => input.name)})${JSON.stringify(attributes)}->${outputs.map((o) => `${o.type}[${o.shape}]`)}`;
    const known = this.interned.get(key);
    if (known !== undefined) return known.outputs;
    const values: GraphValue[] = outputs.map(({ shape, type }) => ({ name: this.nextName(), shape: [...shape], type }));
    const node: GraphNode = { op, domain, inputs, outputs: values, attributes };
    for (const value of values) value.node = node;
    this.interned.set(key, node);
    return values;
  }

  /** Append a node with one output. */
  op(
    op: string,
    inputs: readonly GraphValue[],
    shape: readonly number[],
    type: ValueType,
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): GraphValue {
    return this.node(op, inputs, [{ shape, type }], attributes, domain)[0]!;
  }

  /** Same elements, other shape. Reshapes of reshapes become one; a reshape to the same shape none. */
  reshape(x: GraphValue, shape: readonly number[]): GraphValue {
    if (sameShape(x.shape, shape)) return x;
    if (x.constant !== undefined) {
      return "fill" in x.constant
        ? this.fill(shape, x.constant.fill, x.type)
        : this.constant(x.constant.values, shape, x.type);
    }
    const source = x.node?.op === "Reshape" ? x.node.inputs[0]! : x;
    if (sameShape(source.shape, shape)) return source;
    return this.op("Reshape", [source, this.int64(shape)], shape, x.type);
  }

  /** Permute axes. Transposes compose; one that moves only axes of length 1 is a reshape. */
  transpose(x: GraphValue, perm: readonly number[]): GraphValue {
    const shape = perm.map((axis) => x.shape[axis]!);
    const moved = perm.filter((axis) => x.shape[axis] !== 1);
    if (moved.every((axis, i) => i === 0 || moved[i - 1]! < axis)) return this.reshape(x, shape);
    if (x.node?.op === "Transpose") {
      const inner = x.node.attributes["perm"] as readonly number[];
      return this.transpose(
        x.node.inputs[0]!,
        perm.map((axis) => inner[axis]!),
      );
    }
    return this.op("Transpose", [x], shape, x.type, { perm: [...perm] });
  }

  /** Broadcast to `shape`. */
  expand(x: GraphValue, shape: readonly number[]): GraphValue {
    if (sameShape(x.shape, shape)) return x;
    if (x.constant !== undefined && "fill" in x.constant) return this.fill(shape, x.constant.fill, x.type);
    const source = x.node?.op === "Expand" ? x.node.inputs[0]! : x;
    return this.op("Expand", [source, this.int64(shape)], shape, x.type);
  }

  /** The nodes that the outputs need, in an order in which each comes after what it reads. */
  reachable(outputs: readonly GraphValue[]): GraphNode[] {
    const order: GraphNode[] = [];
    const seen = new Set<GraphNode>();
    // Iterative post-order walk: a deep model would overflow the stack of a recursive one.
    const stack: { node: GraphNode; next: number }[] = [];
    const visit = (value: GraphValue) => {
      if (value.node !== undefined && !seen.has(value.node)) {
        seen.add(value.node);
        stack.push({ node: value.node, next: 0 });
      }
    };
    for (const output of outputs) {
      visit(output);
      while (stack.length > 0) {
        const top = stack.at(-1)!;
        const input = top.node.inputs[top.next++];
        if (input !== undefined) visit(input);
        else {
          order.push(top.node);
          stack.pop();
        }
      }
    }
    return order;
  }

  private internConstant(
    key: string,
    shape: readonly number[],
    type: ValueType,
    constant: NonNullable<GraphValue["constant"]>,
  ): GraphValue {
    let value = this.constants.get(key);
    if (value === undefined) {
      value = { name: this.nextName("c"), shape: [...shape], type, constant };
      this.constants.set(key, value);
    }
    return value;
  }

  private nextName(prefix = "v"): string {
    return `${prefix}${this.counter++}`;
  }
}
