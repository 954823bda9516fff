/**
 * @file A linear classifier, compiled: the loss of multinomial logistic regression with its gradient, and the scores. Examples go
 * through the engine in batches, so that a million of them need no more memory than they have themselves.
 *
 *   loss = mean over examples of −log softmax(x·W + b)[label] + λ/2 · ‖W‖²     (b is not penalized)
 */
import tf from "@tensorflow/tfjs";
import { compileFunction, type Device } from "../compile/compile.js";
import type { Evaluation } from "./minimize.js";

/** Examples with their classes. */
export interface Examples {
  /** [N,D] float32. */
  readonly features: Float32Array;
  /** [N] class indices, 0..K−1. */
  readonly labels: Int32Array;
}

export interface ClassifierOptions {
  /** D */
  readonly dim: number;
  /** K */
  readonly classes: number;
  /** N at most; fewer are padded. */
  readonly examples: number;
  readonly device?: Device;
  readonly threads?: number;
}

/** Calls must not overlap. A point is W [D,K] and behind it b [K], one array. */
export interface LinearClassifier {
  evaluate(point: Float64Array, examples: Examples, weightDecay: number): Promise<Evaluation>;
  /** Share of the examples whose largest score is that of their class. */
  accuracy(point: Float64Array, examples: Examples): Promise<{ readonly hits: number; readonly share: number }>;
  dispose(): Promise<void>;
}

/** Examples that go through the engine at once. */
const MOST_AT_ONCE = 4096;

export async function openLinearClassifier(options: ClassifierOptions): Promise<LinearClassifier> {
  const { dim: D, classes: K, device, threads } = options;
  const B = Math.min(MOST_AT_ONCE, options.examples);
  const engine = { ...(device === undefined ? {} : { device }), ...(threads === undefined ? {} : { threads }) };
  const inputs = { x: { shape: [B, D] }, weight: { shape: [D, K] }, bias: { shape: [K] } };
  const score = (given: Readonly<Record<string, tf.Tensor>>) =>
    (given["x"] as tf.Tensor2D).matMul(given["weight"] as tf.Tensor2D).add(given["bias"]!) as tf.Tensor2D; // [B,K]
  const compiled = await compileFunction(
    (given) => {
      const scores = score(given);
      const target = tf.oneHot(given["labels"] as tf.Tensor1D, K, 1, 0, "float32"); // [B,K]
      const shifted = scores.sub(scores.max(1, true)); // [B,K] of at most 0: no overflow
      const powers = shifted.exp();
      const sums = powers.sum(1, true); // [B,1]
      const loss = sums.log().sub(shifted.mul(target).sum(1, true)).mul(given["counts"]!); // [B,1]
      const error = powers.div(sums).sub(target).mul(given["counts"]!) as tf.Tensor2D; // [B,K]
      return {
        loss: loss.reshape([B]),
        weight: tf.matMul(given["x"] as tf.Tensor2D, error, true, false), // [D,K]
        bias: error.sum(0),
      };
    },
    { ...inputs, labels: { shape: [B], dtype: "int32" }, counts: { shape: [B, 1] } },
    { name: "linear classifier", ...engine },
  );
  const scorer = await compileFunction((given) => ({ scores: score(given) }), inputs, { name: "scores", ...engine });

  const x = new Float32Array(B * D);
  const parametersOf = (point: Float64Array) => ({
    weight: { data: Float32Array.from(point.subarray(0, D * K)), shape: [D, K] },
    bias: { data: Float32Array.from(point.subarray(D * K)), shape: [K] },
  });
  /** The features of a batch, padded with zeros where it is the last. */
  const batchOf = ({ features }: Examples, first: number, count: number) => {
    if (count === B) return { data: features.subarray(first * D, (first + B) * D), shape: [B, D] };
    x.set(features.subarray(first * D, (first + count) * D));
    x.fill(0, count * D);
    return { data: x, shape: [B, D] };
  };
  return {
    async evaluate(point, examples, weightDecay) {
      const N = examples.labels.length;
      const parameters = parametersOf(point);
      const gradient = new Float64Array(point.length);
      let value = 0;
      for (let first = 0; first < N; first += B) {
        const count = Math.min(B, N - first);
        const labels = new Int32Array(B);
        labels.set(examples.labels.subarray(first, first + count));
        const counts = new Float32Array(B).fill(1, 0, count);
        const outputs = await compiled.run({
          x: batchOf(examples, first, count),
          ...parameters,
          labels: { data: labels, shape: [B] },
          counts: { data: counts, shape: [B, 1] },
        });
        for (const loss of outputs["loss"]!.data as Float32Array) value += loss / N;
        const weight = outputs["weight"]!.data as Float32Array;
        for (let i = 0; i < weight.length; i++) gradient[i]! += weight[i]! / N;
        const bias = outputs["bias"]!.data as Float32Array;
        for (let k = 0; k < K; k++) gradient[D * K + k]! += bias[k]! / N;
      }
      for (let i = 0; i < D * K; i++) {
        value += (weightDecay / 2) * point[i]! ** 2;
        gradient[i]! += weightDecay * point[i]!;
      }
      return { value, gradient };
    },
    async accuracy(point, examples) {
      const N = examples.labels.length;
      const parameters = parametersOf(point);
      let hits = 0;
      for (let first = 0; first < N; first += B) {
        const count = Math.min(B, N - first);
        const { scores } = await scorer.run({ x: batchOf(examples, first, count), ...parameters });
        for (let i = 0; i < count; i++) {
          const own = (scores!.data as Float32Array).subarray(i * K, (i + 1) * K);
          if (own.indexOf(Math.max(...own)) === examples.labels[first + i]) hits++;
        }
      }
      return { hits, share: hits / N };
    },
    async dispose() {
      await compiled.dispose();
      await scorer.dispose();
    },
  };
}
