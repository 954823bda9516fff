/** @file Kernels that normalize: by given moments, and over neighbouring channels. Softmax is with the reductions. */
import type { Graph, GraphValue } from "../graph.js";
import type { Kernel } from "../tracer.js";
import { binary, scalar, unary } from "./elementwise.js";
import { product } from "./products.js";

type Neighbours = Record<"depthRadius" | "bias" | "alpha" | "beta", number>;

/** Sums over the channels that are at most `radius` away: a product with a matrix of a band of ones. */
function bandSum(graph: Graph, x: GraphValue, radius: number): GraphValue {
  const channels = x.shape.at(-1)!;
  const band = Array.from({ length: channels ** 2 }, (_, i) =>
    Math.abs(Math.floor(i / channels) - (i % channels)) <= radius ? 1 : 0,
  );
  return product(graph, x, graph.constant(band, [channels, channels], "float32"));
}

/** bias + alpha · the sum of squares of the neighbouring channels. */
function neighbourNorm(graph: Graph, x: GraphValue, { depthRadius, bias, alpha }: Neighbours): GraphValue {
  const squares = bandSum(graph, binary(graph, "Mul", x, x), depthRadius);
  return binary(graph, "Add", binary(graph, "Mul", squares, scalar(graph, alpha)), scalar(graph, bias));
}

export const normalizationKernels: Record<string, Kernel> = {
  FusedBatchNorm: ({ graph, named: { x, mean, variance, scale, offset }, attributes }) => {
    const epsilon = (attributes["varianceEpsilon"] as number | undefined) ?? 0.001;
    const deviation = unary(graph, "Sqrt", binary(graph, "Add", variance!, scalar(graph, epsilon)));
    const factor = scale === undefined ? unary(graph, "Reciprocal", deviation) : binary(graph, "Div", scale, deviation);
    const y = binary(graph, "Mul", binary(graph, "Sub", x!, mean!), factor);
    return offset === undefined ? y : binary(graph, "Add", y, offset);
  },
  LRN: ({ graph, inputs: [x], attributes }) => {
    const neighbours = attributes as unknown as Neighbours;
    const norm = neighbourNorm(graph, x!, neighbours);
    return binary(graph, "Mul", x!, binary(graph, "Pow", norm, scalar(graph, -neighbours.beta)));
  },
  LRNGrad: ({ graph, named: { x, y, dy }, attributes }) => {
    const neighbours = attributes as unknown as Neighbours;
    const { alpha, beta, depthRadius } = neighbours;
    const norm = neighbourNorm(graph, x!, neighbours);
    const own = binary(graph, "Mul", dy!, binary(graph, "Pow", norm, scalar(graph, -beta)));
    const shares = bandSum(graph, binary(graph, "Div", binary(graph, "Mul", dy!, y!), norm), depthRadius);
    const others = binary(graph, "Mul", binary(graph, "Mul", x!, shares), scalar(graph, -2 * alpha * beta));
    return binary(graph, "Add", own, others);
  },
};
