/** A run so small that a step takes a millisecond: shared by the tests of the loop and by the child process that one of them kills. */
import { ShapeError } from "../../data/errors.js";
import type { RowData, RowStore } from "../../data/row-store.js";
import type { SitConfig } from "../../src/models/sit-sizes.js";
import type { TrainOptions } from "../../src/train/options.js";
import type { TrainArmOptions } from "../../src/train/train-arm.js";
import { spread } from "./tensors.js";

export const LENGTH = 9;
export const TOKENS = 4;
export const DIM = 5;

export const MODEL: SitConfig = {
  depth: 2,
  width: 16,
  heads: 2,
  patch: 4,
  mlpRatio: 2,
  channels: 3,
  sizePx: 8,
  classes: 3,
};

export const OPTIONS: TrainOptions = {
  steps: 7,
  batch: 4,
  learningRate: 3e-3,
  betas: [0.9, 0.999],
  weightDecay: 0.01,
  clip: 1,
  emaDecay: 0.9,
  labelDropout: 0.3,
  path: "linear",
  time: "uniform",
  logEvery: 1,
  checkpointEvery: 3,
};

/** A store in memory. */
export function memoryStore(
  columns: Record<string, { shape: number[]; dtype: "F32" | "U8" | "I32"; data: RowData }>,
): RowStore {
  const first = Object.values(columns)[0]!;
  const size = (shape: readonly number[]) => shape.reduce((product, side) => product * side, 1);
  return {
    folder: "(memory)",
    header: { key: "test", rows: first.data.length / size(first.shape), columns, meta: {} },
    async read(name, rows) {
      const column = columns[name];
      if (column === undefined) throw new ShapeError(`no column ${name}`);
      const n = size(column.shape);
      const result = column.data.slice(0, rows.length * n);
      Array.from(rows).forEach((row, i) => {
        result.set(column.data.slice(row * n, (row + 1) * n), i * n);
      });
      return result;
    },
    async close() {},
  };
}

/** Images that differ in every row, mirrored variants included. */
export function imageStore(): RowStore {
  const { sizePx: S } = MODEL;
  const pixels = spread(2 * LENGTH * S * S * 3, 1).map((x) => Math.floor((x + 1) * 128));
  return memoryStore({
    image: { shape: [S, S, 3], dtype: "U8", data: Uint8Array.from(pixels) },
    label: { shape: [], dtype: "I32", data: Int32Array.from({ length: 2 * LENGTH }, (_, row) => (row % LENGTH) % 3) },
  });
}

export function featureStore(): RowStore {
  const data = spread(2 * LENGTH * TOKENS * DIM, 2);
  return memoryStore({ features: { shape: [TOKENS, DIM], dtype: "F32", data } });
}

/** An arm aligned to `featureStore`; one thread, so that results are the same on every machine's number of cores. */
export function tinyArm(folder: string, changes: Partial<TrainArmOptions> = {}): TrainArmOptions {
  return {
    folder,
    model: MODEL,
    projector: { type: "mlp", width: 8 },
    alignDepth: 1,
    target: { store: featureStore(), dim: DIM, spatialNorm: 0.6, coefficient: 0.5 },
    images: imageStore(),
    sourceLength: LENGTH,
    variants: 2,
    options: OPTIONS,
    seed: 3,
    threads: 1,
    resume: false,
    configHash: "abc",
    ...changes,
  };
}

/** The same arm without target: a control. */
export function tinyControl(folder: string, changes: Partial<TrainArmOptions> = {}): TrainArmOptions {
  const { projector: _, alignDepth: __, target: ___, ...control } = tinyArm(folder);
  return { ...control, ...changes };
}
