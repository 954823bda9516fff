import { mkdir } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import { csvLines } from "../report/csv-lines.js";
import { RANK_METRICS } from "./metrics.js";
import { rankChart } from "./rank-chart.js";
import type { Ranking } from "./rank-targets.js";

/** Pixels of the PNG for each unit of the SVG, times 72. */
const PNG_DENSITY = 144;

/**
 * Write a ranking: `ranking.json` with all digits and conditions, `ranking.csv`, and the figure as SVG and PNG.
 *
 * @param folder made if absent.
 * @returns the files.
 */
export async function writeRanking(ranking: Ranking, folder: string): Promise<string[]> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make", folder);
  }
  const svg = await rankChart(ranking);
  const png = await sharp(Buffer.from(svg), { density: PNG_DENSITY })
    .flatten({ background: "#ffffff" })
    .png()
    .toBuffer();
  const contents: readonly (readonly [string, string | Uint8Array])[] = [
    ["ranking.csv", rankingCsv(ranking)],
    ["ranking.svg", svg],
    ["ranking.png", png],
    ["ranking.json", `${JSON.stringify(ranking, null, 2)}\n`],
  ];
  for (const [name, content] of contents) await writeFileAtomic(path.join(folder, name), content);
  return contents.map(([name]) => path.join(folder, name));
}

/** One row a target and normalization; what could not be measured is empty. */
function rankingCsv({ rows, source, grid, foreground }: Ranking): string {
  const header = [
    "rank",
    "target",
    "dim",
    "spatial_norm",
    ...RANK_METRICS.flatMap(({ key }) => [key, `${key}_low`, `${key}_high`, `${key}_images`]),
    "source",
    "grid",
    "srss_foreground",
  ];
  return csvLines([
    header,
    ...rows.map(({ rank, target, dim, spatialNorm, metrics }) => [
      rank,
      target,
      dim,
      spatialNorm,
      ...RANK_METRICS.flatMap(({ key }) => {
        const { mean, low, high, images } = metrics[key];
        return [mean, low, high, images];
      }),
      source,
      grid,
      foreground,
    ]),
  ]);
}
