/**
 * @file Parity of the generation metrics and correlations with the reference: the same features, probabilities and points. The
 * layout of `generation-metrics.safetensors` and `generation-metrics.json` is described in golden/README.md.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../../../data/atomic.js";
import { DataError, DescryError } from "../../../data/errors.js";
import { readSafetensors, type SafeTensor, toFloat32 } from "../../../data/safetensors.js";
import { pearson, spearman } from "../../evaluate/correlations.js";
import type { FeatureMatrix } from "../../evaluate/feature-matrix.js";
import { frechetDistance, gaussianOf } from "../../evaluate/frechet-distance.js";
import { inceptionScore } from "../../evaluate/inception-score.js";
import { maximumMeanDiscrepancy } from "../../evaluate/kid.js";
import { precisionRecall } from "../../evaluate/precision-recall.js";
import type { Comparison, ParitySuite } from "../suite.js";

/** Of golden/README.md. */
const TOLERANCE = 1e-4;
/** Of the Fréchet distance with fewer samples than channels, where the reference's square root loses its digits. */
const RANK_DEFICIENT_TOLERANCE = 1e-2;

type Numbers = Readonly<Record<string, unknown>>;
type Tensors = Readonly<Record<string, SafeTensor>>;

/**
 * Replays every case of a folder, told apart by what it holds: `x` and `y`, `splits`, or metrics of features. What cannot be compared
 * is a line of its own and never passes: a case with missing tensors or bad numbers, and a number that descry has not (`notBuilt`).
 */
export const generationMetricsSuite: ParitySuite = {
  name: "generation-metrics",
  files: ["generation-metrics.safetensors", "generation-metrics.json"],
  async run(folder) {
    const { tensors } = await readSafetensors(path.join(folder, "generation-metrics.safetensors"));
    const cases = await readCases(path.join(folder, "generation-metrics.json"));
    return Object.entries(cases).flatMap(([name, numbers]) => {
      try {
        const lines = replayCase(name, numbers, tensors);
        return lines.length > 0 ? lines : [uncompared(`${name}/(all)`, "the case has no numbers to compare")];
      } catch (error) {
        // One case that cannot be replayed leaves the others be; what is not a user error is a bug and stops all.
        if (!(error instanceof DescryError)) throw error;
        return [uncompared(`${name}/(all)`, error.message)];
      }
    });
  },
};

const uncompared = (key: string, detail: string): Comparison => ({
  key,
  error: Number.NaN,
  tolerance: Number.NaN,
  detail,
});

async function readCases(file: string): Promise<Record<string, Numbers>> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw fileError(error, "cannot read", file);
  });
  try {
    return JSON.parse(text) as Record<string, Numbers>;
  } catch (cause) {
    throw new DataError(`${file}: not JSON`, { cause });
  }
}

function replayCase(name: string, numbers: Numbers, tensors: Tensors): Comparison[] {
  if ("x" in numbers && "y" in numbers) return replayCorrelation(name, numbers);
  if ("splits" in numbers) return replayInceptionScore(name, numbers, tensors);
  return replayFeatures(name, numbers, tensors);
}

function replayCorrelation(name: string, { x, y, ...wanted }: Numbers): Comparison[] {
  const points = [x, y] as [number[], number[]];
  const [linear, ranked] = [pearson(...points), spearman(...points)];
  const got: Record<string, number> = {
    pearson: linear.coefficient,
    pearson_p: linear.p,
    spearman: ranked.coefficient,
    spearman_p: ranked.p,
  };
  return compare(name, wanted, (metric) => got[metric]);
}

function replayInceptionScore(name: string, numbers: Numbers, tensors: Tensors): Comparison[] {
  const { splits, ...wanted } = numbers;
  const key = `${name}/probabilities`;
  const probabilities = matrixOf(tensors, key in tensors ? key : "probabilities");
  const score = inceptionScore(probabilities, Number(splits));
  const got: Record<string, number> = { mean: score.mean, std: score.std };
  return compare(name, wanted, (metric) => got[metric]);
}

function replayFeatures(name: string, wanted: Numbers, tensors: Tensors): Comparison[] {
  const [real, fake] = [matrixOf(tensors, `${name}/real`), matrixOf(tensors, `${name}/fake`)];
  const isDeficient = Math.min(real.count, fake.count) <= real.dim;
  const compute = (metric: string): number | undefined => {
    const [, kind, setting] = /^(fid|kid_poly|precision_k|recall_k)(\d*)$/.exec(metric) ?? [];
    if (kind === "fid" && setting === "") return frechetDistance(gaussianOf(real, "real"), gaussianOf(fake, "fake"));
    if (setting === undefined || setting === "") return undefined;
    if (kind === "kid_poly") return maximumMeanDiscrepancy(real, fake, Number(setting));
    const { precision, recall } = precisionRecall(real, fake, Number(setting));
    return kind === "precision_k" ? precision : recall;
  };
  return compare(name, wanted, compute, (metric) =>
    metric === "fid" && isDeficient ? RANK_DEFICIENT_TOLERANCE : TOLERANCE,
  );
}

function compare(
  name: string,
  wanted: Numbers,
  compute: (metric: string) => number | undefined,
  toleranceOf: (metric: string) => number = () => TOLERANCE,
): Comparison[] {
  return Object.entries(wanted).map(([metric, want]) => {
    const key = `${name}/${metric}`;
    if (typeof want !== "number") return uncompared(key, "the reference's value is not a number");
    const got = compute(metric);
    if (got === undefined) return { ...uncompared(key, "descry has no such number"), notBuilt: true };
    const difference = Math.abs(got - want);
    return {
      key,
      error: want === 0 ? difference : difference / Math.abs(want),
      tolerance: toleranceOf(metric),
    };
  });
}

function matrixOf(tensors: Tensors, key: string): FeatureMatrix {
  const tensor = tensors[key];
  if (tensor === undefined) throw new DataError(`generation-metrics: tensor "${key}" is missing`);
  const [count, dim] = tensor.shape;
  if (tensor.shape.length !== 2 || count === undefined || dim === undefined) {
    throw new DataError(`generation-metrics: "${key}" should be a matrix, it is [${tensor.shape.join(", ")}]`);
  }
  const data = tensor.data instanceof Float64Array ? tensor.data : toFloat32(tensor);
  return { data, count, dim };
}
