import { targetLabels } from "../rank/target-labels.js";
import { alignTable } from "../report/align-table.js";
import { csvLines } from "../report/csv-lines.js";
import { formatNumber } from "../report/format-number.js";
import type { ClsMixingAnalysis, MixSeries } from "./cls-mixing.js";
import { describeColumns } from "./correlation-table.js";

/** One table a series: a row an alpha. */
export function formatClsMixing({ series, against }: ClsMixingAnalysis): string {
  return [
    ...series.flatMap((one) => [`${targetLabels([one.encoder])[0]}, ${one.label}`, tableOf(one, against.label), ""]),
    "alpha: share of the class token in every token",
    ...describeColumns(series),
    ...new Set(series.map(({ protocol }) => protocol).filter((text) => text !== "")),
  ].join("\n");
}

function tableOf({ columns, points }: MixSeries, value: string): string {
  const show = (number: number | null | undefined) => (number == null ? "–" : formatNumber(number));
  return alignTable(
    ["alpha", ...columns.map(({ short }) => short), value],
    points.map((point) => [
      String(point.alpha),
      ...columns.map(({ key }) => show(point.metrics[key])),
      show(point.value),
    ]),
  );
}

/** One row a series and alpha. */
export function clsMixingCsv({ series, against }: ClsMixingAnalysis): string {
  const keys = [...new Set(series.flatMap(({ columns }) => columns.map(({ key }) => key)))];
  return csvLines([
    ["encoder", "alpha", ...keys, against.key, "repetitions", "group"],
    ...series.flatMap(({ encoder, label, points }) =>
      points.map(({ alpha, metrics, value, repetitions }) => [
        encoder,
        alpha,
        ...keys.map((key) => metrics[key] ?? null),
        value,
        repetitions,
        label,
      ]),
    ),
  ]);
}
