import { NumericError } from "../../data/errors.js";
import type { RowStore } from "../../data/row-store.js";
import type { LatentScaling } from "./latent-scaling.js";

/** Rows read at a time. */
const ROWS = 256;

/**
 * The scaling that makes the latents of a data set standard, channel by channel, from what is cached of them:
 *
 *   bias = E[z],  scale = 1 / √Var[z],  where z = mean + std · noise, so  E[z] = E[mean],  Var[z] = Var[mean] + E[std²]
 *
 * over all rows and places; the variance is the population's.
 *
 * @param store    column `latent` [C,h,w], or with standard deviations [2C,h,w].
 * @param channels C
 * @throws {NumericError} a channel that is the same everywhere.
 * @source REPA-E, arXiv 2504.10483 (a batch normalization of the latents); SPEC §1.1.
 */
export async function measureScaling(store: RowStore, channels: number): Promise<LatentScaling> {
  const { rows, columns } = store.header;
  const [stored, height, width] = columns["latent"]!.shape as [number, number, number];
  const area = height * width;
  const hasStd = stored === 2 * channels;
  // Offsets near the values keep the differences of large sums exact enough.
  const origin = new Float64Array(channels);
  const sum = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (let start = 0; start < rows; start += ROWS) {
    const count = Math.min(ROWS, rows - start);
    const values = await store.read(
      "latent",
      Array.from({ length: count }, (_, i) => start + i),
    );
    if (start === 0) for (let c = 0; c < channels; c++) origin[c] = values[c * area]!;
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < channels; c++) {
        const at = (i * stored + c) * area;
        for (let p = at; p < at + area; p++) {
          const mean = values[p]! - origin[c]!;
          const std = hasStd ? values[p + channels * area]! : 0;
          sum[c]! += mean;
          squares[c]! += mean * mean + std * std;
        }
      }
    }
  }
  const n = rows * area;
  const variance = Array.from(squares, (square, c) => square / n - (sum[c]! / n) ** 2);
  const flat = variance.findIndex((value) => !(value > 0));
  if (flat >= 0) {
    throw new NumericError(`latents: channel ${flat} is the same everywhere, so that it has no scale`, {
      hint: "give latents.scale in numbers",
    });
  }
  return {
    scale: variance.map((value) => 1 / Math.sqrt(value)),
    bias: Array.from(sum, (value, c) => origin[c]! + value / n),
  };
}
