/** @file Kernels that resample images, and their gradients: a resampled axis is a product with a constant matrix. */
import type { Graph, GraphValue } from "../graph.js";
import type { Kernel } from "../tracer.js";
import { cast } from "./elementwise.js";
import { gather } from "./indexing.js";

interface Sampling {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}

type Four = [batch: number, height: number, width: number, channels: number];

/** Input elements per output element. */
const scaleOf = (from: number, to: number, { alignCorners }: Sampling): number =>
  alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;

/** [to, from]: the matrix that resamples an axis bilinearly. */
function bilinearMatrix(from: number, to: number, sampling: Sampling): Float32Array {
  const matrix = new Float32Array(to * from);
  const scale = scaleOf(from, to, sampling);
  for (let i = 0; i < to; i++) {
    const position = sampling.halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale;
    const clamped = Math.min(Math.max(position, 0), from - 1);
    const low = Math.floor(clamped);
    const high = Math.min(low + 1, from - 1);
    const share = clamped - low;
    matrix[i * from + low]! += 1 - share;
    matrix[i * from + high]! += share;
  }
  return matrix;
}

/** For each element of the resampled axis, the one that is nearest to it. */
function nearestIndices(from: number, to: number, sampling: Sampling): number[] {
  const scale = scaleOf(from, to, sampling);
  return Array.from({ length: to }, (_, i) => {
    const position = sampling.halfPixelCenters ? (i + 0.5) * scale : i * scale;
    return Math.min(from - 1, sampling.alignCorners ? Math.round(position) : Math.floor(position));
  });
}

function nearestMatrix(from: number, to: number, sampling: Sampling): Float32Array {
  const matrix = new Float32Array(to * from);
  for (const [i, nearest] of nearestIndices(from, to, sampling).entries()) matrix[i * from + nearest] = 1;
  return matrix;
}

/** Resample the two middle axes of [B,H,W,C] by matrices of shape [H',H] and [W',W]. */
function resample(graph: Graph, x: GraphValue, rows: GraphValue, columns: GraphValue): GraphValue {
  const [batch, height, width, channels] = x.shape as Four;
  const [newHeight, newWidth] = [rows.shape[0]!, columns.shape[0]!];
  const flat = graph.reshape(x, [batch, height, width * channels]);
  const tall = graph.op("MatMul", [rows, flat], [batch, newHeight, width * channels], "float32");
  const lines = graph.reshape(tall, [batch * newHeight, width, channels]);
  const wide = graph.op("MatMul", [columns, lines], [batch * newHeight, newWidth, channels], "float32");
  return graph.reshape(wide, [batch, newHeight, newWidth, channels]);
}

const transposed = (matrix: Float32Array, rows: number, columns: number): Float32Array =>
  Float32Array.from({ length: matrix.length }, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!);

/** The gradient of a resampling, from the matrices of its forward pass. */
const gradient =
  (matrixOf: typeof bilinearMatrix): Kernel =>
  ({ graph, named: { dy, images }, attributes }) => {
    const sampling = attributes as unknown as Sampling;
    const [, height, width] = images!.shape as Four;
    const [, newHeight, newWidth] = dy!.shape as Four;
    const rows = transposed(matrixOf(height, newHeight, sampling), newHeight, height);
    const columns = transposed(matrixOf(width, newWidth, sampling), newWidth, width);
    return resample(
      graph,
      dy!,
      graph.constant(rows, [height, newHeight], "float32"),
      graph.constant(columns, [width, newWidth], "float32"),
    );
  };

export const resizeKernels: Record<string, Kernel> = {
  ResizeBilinear: ({ graph, named: { images }, attributes }) => {
    const { size, ...sampling } = attributes as unknown as Sampling & { size: [number, number] };
    const [, height, width] = images!.shape as Four;
    return resample(
      graph,
      cast(graph, images!, "float32"),
      graph.constant(bilinearMatrix(height, size[0], sampling), [size[0], height], "float32"),
      graph.constant(bilinearMatrix(width, size[1], sampling), [size[1], width], "float32"),
    );
  },
  ResizeBilinearGrad: gradient(bilinearMatrix),
  ResizeNearestNeighbor: ({ graph, named: { images }, attributes }) => {
    const { size, ...sampling } = attributes as unknown as Sampling & { size: [number, number] };
    return [1, 2].reduce((x, axis) => {
      const indices = nearestIndices(x.shape[axis]!, size[axis - 1]!, sampling);
      return gather(graph, x, graph.constant(indices, [indices.length], "int32"), axis);
    }, images!);
  },
  ResizeNearestNeighborGrad: gradient(nearestMatrix),
};
