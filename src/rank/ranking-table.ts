import type { Estimate } from "./bootstrap-mean.js";
import { RANK_METRICS } from "./metrics.js";
import type { Ranking, RankRow } from "./rank-targets.js";
import { targetLabels } from "./target-labels.js";

/**
 * A ranking as aligned text: the targets as they are, then normalized, and below what was measured. `±` is half the width of the
 * interval.
 */
export function formatRankingTable(ranking: Ranking): string {
  const { rows, images, source, grid, sizePx, alpha, by, foreground, bootstrap } = ranking;
  const header = ["", "target", "D", ...RANK_METRICS.map(({ short, key }) => (key === by ? `${short} ↓` : short))];
  const names = rows.filter(({ spatialNorm }) => spatialNorm === null).map(({ target }) => target);
  const labels = targetLabels(names);
  const labelOf = ({ target }: RankRow) => labels[names.indexOf(target)]!;
  const cells = rows.map((row) => [String(row.rank), labelOf(row), String(row.dim), ...estimatesOf(row)]);
  const widths = header.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  const half = rows.length / 2;
  return [
    "as they are",
    line(header),
    ...cells.slice(0, half).map(line),
    "",
    `after spatial normalization, alpha ${alpha}`,
    line(header),
    ...cells.slice(half).map(line),
    "",
    `means over ${images} images of ${source}, ${grid}×${grid} tokens of ${sizePx}×${sizePx} px; ± is half of the interval (${bootstrap.interval}, ${bootstrap.resamples} resamples, seed ${bootstrap.seed})`,
    ...RANK_METRICS.map(({ short, variant }) => `${short}: ${variant}`),
    `foreground of SRSS: ${foreground}`,
  ].join("\n");
}

const estimatesOf = ({ metrics }: RankRow): string[] => RANK_METRICS.map(({ key }) => formatEstimate(metrics[key]));

function formatEstimate({ mean, low, high }: Estimate): string {
  return mean === null ? "–" : `${formatFixed(mean)} ±${((high! - low!) / 2).toFixed(3)}`;
}

/** Three decimals: the metrics lie between −2 and 2, and digits below each other are compared easily. */
const formatFixed = (value: number): string => (Math.abs(value) < 5e-4 ? "0.000" : value.toFixed(3).replace("-", "−"));
