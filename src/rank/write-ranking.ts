import { csvLines } from "../report/csv-lines.js";
import { writeResult } from "../report/write-result.js";
import { RANK_METRICS } from "./metrics.js";
import { rankChart } from "./rank-chart.js";
import type { Ranking } from "./rank-targets.js";

/**
 * Write a ranking: `ranking.json` with all digits and conditions, `ranking.csv`, and the figure as SVG and PNG.
 *
 * @param folder made if absent.
 * @returns the files.
 */
export async function writeRanking(ranking: Ranking, folder: string): Promise<string[]> {
  const texts = { "ranking.csv": rankingCsv(ranking), "ranking.json": `${JSON.stringify(ranking, null, 2)}\n` };
  return writeResult(folder, texts, { ranking: await rankChart(ranking) });
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
