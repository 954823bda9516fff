/**
 * @file Which part of a step is a plain update of its state, element by element (an optimizer, a moving average), and can run as
 * loops over the state in place, after the graph: one pass over memory instead of one for each operator, and no second buffer.
 */
import { type Graph, type GraphNode, type GraphValue, sameShape, sizeOf } from "./graph.js";
import type { LaneOp, LoopProgram } from "./wasm-loop.js";

/** Where a loop finds an array: part of the state, or a result of the graph. */
export type ArraySource = { readonly state: string } | { readonly edge: string };

/** Where it finds a number: known, an input or state of one element, or a result of the graph. */
export type ScalarSource = { readonly constant: number } | { readonly input: string } | { readonly edge: string };

export interface UpdateLoop {
  /** Elements of each array. */
  readonly count: number;
  readonly program: LoopProgram;
  readonly loads: readonly ArraySource[];
  readonly scalars: readonly ScalarSource[];
  /** State that each result is stored to. */
  readonly stores: readonly string[];
}

export interface UpdatePlan {
  readonly loops: readonly UpdateLoop[];
  /** State that the loops write. */
  readonly keys: ReadonlySet<string>;
  /** What the graph must put out for the loops, by name. */
  readonly edges: ReadonlyMap<string, GraphValue>;
}

const LANE_OP: Readonly<Record<string, LaneOp>> = {
  Add: "add",
  Sub: "sub",
  Mul: "mul",
  Div: "div",
  Max: "max",
  Min: "min",
  Sqrt: "sqrt",
  Neg: "neg",
  Abs: "abs",
};

/** Operators of other names that are a lane operation with a constant. */
const RECIPROCAL = "Reciprocal";

const isScalar = (value: GraphValue): boolean => sizeOf(value.shape) === 1;

function isElementwise(node: GraphNode): boolean {
  const result = node.outputs[0]!;
  if (node.domain !== "" || (LANE_OP[node.op] === undefined && node.op !== RECIPROCAL)) return false;
  if (result.type !== "float32" || isScalar(result)) return false;
  return node.inputs.every(
    (input) => input.type === "float32" && (isScalar(input) || sameShape(input.shape, result.shape)),
  );
}

/**
 * Find the loops of a step.
 *
 * @param given   the state's values as the step gets them, by key.
 * @param next    as it leaves them.
 * @param outputs the step's other results.
 */
export function planUpdates(
  graph: Graph,
  given: Readonly<Record<string, GraphValue>>,
  next: Readonly<Record<string, GraphValue>>,
  outputs: readonly GraphValue[],
): UpdatePlan {
  const changing = Object.keys(next).filter((key) => next[key] !== given[key]);
  const roots = new Set(changing.map((key) => next[key]!));
  const nodes = graph.reachable([...roots, ...outputs]);
  const cluster = findCluster(nodes, roots, new Set(outputs), new Set(Object.values(given)));
  const components = groupBy(
    nodes.filter((node) => cluster.has(node)),
    given,
    next,
    changing,
    cluster,
  );

  const edges = new Map<string, GraphValue>();
  const loops: UpdateLoop[] = [];
  const keys = new Set<string>();
  const keyOf = new Map(Object.entries(given).map(([key, value]) => [value, key]));
  for (const { members, stores } of components) {
    const loop = buildLoop(members, stores, next, keyOf, edges);
    loops.push(loop);
    for (const key of stores) keys.add(key);
  }
  return { loops, keys, edges };
}

/** The elementwise nodes that only the next state needs, and those that are cheaper to repeat than to hand over. */
function findCluster(
  nodes: readonly GraphNode[],
  roots: ReadonlySet<GraphValue>,
  outputs: ReadonlySet<GraphValue>,
  given: ReadonlySet<GraphValue>,
): Set<GraphNode> {
  const consumers = new Map<GraphValue, GraphNode[]>();
  for (const node of nodes) {
    for (const input of node.inputs) {
      const list = consumers.get(input);
      if (list === undefined) consumers.set(input, [node]);
      else list.push(node);
    }
  }
  const cluster = new Set<GraphNode>();
  for (const node of [...nodes].reverse()) {
    const result = node.outputs[0]!;
    if (!isElementwise(node) || outputs.has(result)) continue;
    const users = consumers.get(result) ?? [];
    if (users.every((user) => cluster.has(user)) && (roots.has(result) || users.length > 0)) cluster.add(node);
  }
  // A square of a gradient is also wanted by its norm: with the gradient at hand, squaring it again costs nothing.
  for (let grown = true; grown; ) {
    grown = false;
    const boundary = new Set<GraphValue>();
    for (const node of cluster) {
      for (const input of node.inputs) {
        if (!isScalar(input) && (input.node === undefined || !cluster.has(input.node))) boundary.add(input);
      }
    }
    for (const value of boundary) {
      const { node } = value;
      if (node === undefined || !isElementwise(node) || outputs.has(value)) continue;
      const atHand = node.inputs.every(
        (input) =>
          isScalar(input) ||
          given.has(input) ||
          (boundary.has(input) && input !== value) ||
          (input.node !== undefined && cluster.has(input.node)),
      );
      if (atHand) {
        cluster.add(node);
        grown = true;
        break;
      }
    }
  }
  return cluster;
}

interface Component {
  readonly members: readonly GraphNode[];
  readonly stores: readonly string[];
}

/** Sets of nodes that share arrays. A set that reads state whose next value comes from elsewhere is left to the graph. */
function groupBy(
  members: readonly GraphNode[],
  given: Readonly<Record<string, GraphValue>>,
  next: Readonly<Record<string, GraphValue>>,
  changing: readonly string[],
  cluster: ReadonlySet<GraphNode>,
): Component[] {
  const parent = new Map<GraphValue, GraphValue>();
  const find = (value: GraphValue): GraphValue => {
    let root = value;
    for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) root = up;
    parent.set(value, root);
    return root;
  };
  const union = (a: GraphValue, b: GraphValue) => parent.set(find(a), find(b));
  for (const node of members) {
    for (const input of node.inputs) if (!isScalar(input)) union(node.outputs[0]!, input);
  }
  const isStored = (key: string): boolean => next[key]!.node !== undefined && cluster.has(next[key]!.node!);
  for (const key of changing) if (isStored(key)) union(given[key]!, next[key]!);

  const found = new Map<GraphValue, { members: GraphNode[]; stores: string[]; whole: boolean }>();
  const componentOf = (value: GraphValue) => {
    const root = find(value);
    let component = found.get(root);
    if (component === undefined) {
      component = { members: [], stores: [], whole: true };
      found.set(root, component);
    }
    return component;
  };
  for (const node of members) componentOf(node.outputs[0]!).members.push(node);
  for (const key of changing) {
    if (isStored(key)) componentOf(next[key]!).stores.push(key);
    else if (found.has(find(given[key]!))) componentOf(given[key]!).whole = false;
  }
  return [...found.values()].filter(({ whole, stores }) => whole && stores.length > 0);
}

function buildLoop(
  members: readonly GraphNode[],
  stores: readonly string[],
  next: Readonly<Record<string, GraphValue>>,
  keyOf: ReadonlyMap<GraphValue, string>,
  edges: Map<string, GraphValue>,
): UpdateLoop {
  const inside = new Set(members.map((node) => node.outputs[0]!));
  const arrays: GraphValue[] = [];
  const numbers: (GraphValue | 1)[] = [];
  const note = <T>(list: T[], item: T) => {
    if (!list.includes(item)) list.push(item);
  };
  for (const node of members) {
    if (node.op === RECIPROCAL) note(numbers, 1);
    for (const input of node.inputs) {
      if (isScalar(input)) note(numbers, input);
      else if (!inside.has(input)) note(arrays, input);
    }
  }
  const index = new Map<GraphValue | 1, number>();
  for (const value of [...arrays, ...numbers]) index.set(value, index.size);
  const steps = members.map((node) => {
    const operands = node.inputs.map((input) => index.get(input)!);
    index.set(node.outputs[0]!, index.size);
    return node.op === RECIPROCAL
      ? { op: "div" as const, operands: [index.get(1)!, ...operands] }
      : { op: LANE_OP[node.op]!, operands };
  });
  const edgeOf = (value: GraphValue): string => {
    const name = `edge/${value.name}`;
    edges.set(name, value);
    return name;
  };
  return {
    count: sizeOf(members[0]!.outputs[0]!.shape),
    program: {
      loads: arrays.length,
      scalars: numbers.length,
      steps,
      stores: stores.map((key) => index.get(next[key]!)!),
    },
    loads: arrays.map((value) => {
      const key = keyOf.get(value);
      return key === undefined ? { edge: edgeOf(value) } : { state: key };
    }),
    scalars: numbers.map((value) => {
      if (value === 1) return { constant: 1 };
      if (value.constant !== undefined) {
        return { constant: "fill" in value.constant ? value.constant.fill : value.constant.values[0]! };
      }
      return value.node === undefined ? { input: value.name } : { edge: edgeOf(value) };
    }),
    stores,
  };
}
