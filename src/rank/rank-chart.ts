import { armColour } from "../report/arm-colours.js";
import { standAloneSvg } from "../report/stand-alone-svg.js";
import { RANK_METRICS } from "./metrics.js";
import type { Ranking } from "./rank-targets.js";
import { targetLabels } from "./target-labels.js";

const AS_IS = { colour: armColour(0), shape: "circle" };
const NORMALIZED = { colour: armColour(1), shape: "diamond" };
const ROW_PX = 22;
const PANEL_PX = 190;

/**
 * The figure of a ranking, an SVG that stands alone: one panel a metric, one row a target in the order of the ranking, the means
 * before and after spatial normalization with their intervals.
 */
export function rankChart({ rows, alpha, by }: Ranking): Promise<string> {
  const names = rows.filter(({ spatialNorm }) => spatialNorm === null).map(({ target }) => target);
  const order = targetLabels(names);
  const labelOf = (target: string) => order[names.indexOf(target)]!;
  const kinds = ["as they are", `after spatial normalization, alpha ${alpha}`];
  // A small grid has no distant tokens: a metric without a value gets no panel.
  const measured = RANK_METRICS.filter(({ key }) => rows.some(({ metrics }) => metrics[key].mean !== null));
  const panels = measured.map(({ key, short }, panel) => {
    const values = rows.flatMap(({ target, spatialNorm, metrics }) => {
      const { mean, low, high } = metrics[key];
      return mean === null
        ? []
        : [{ target: labelOf(target), kind: kinds[spatialNorm === null ? 0 : 1], mean, low, high }];
    });
    const y = {
      field: "target",
      type: "nominal" as const,
      scale: { domain: order },
      title: null,
      axis: { labels: panel === 0, ticks: false, domain: false, labelLimit: 420, labelPadding: 8, grid: true },
    };
    const yOffset = { field: "kind", type: "nominal" as const, scale: { domain: kinds } };
    const color = {
      field: "kind",
      type: "nominal" as const,
      scale: { domain: kinds, range: [AS_IS.colour, NORMALIZED.colour] },
      legend: { orient: "top" as const, title: null, labelLimit: 400 },
    };
    const x = {
      type: "quantitative" as const,
      title: key === by ? `${short} (the order)` : short,
      axis: { tickCount: 4, grid: true },
    };
    return {
      width: PANEL_PX,
      height: { step: ROW_PX, for: "position" as const },
      data: { values },
      layer: [
        {
          mark: { type: "rule" as const, strokeWidth: 2 },
          encoding: { y, yOffset, color, x: { ...x, field: "low" }, x2: { field: "high" } },
        },
        {
          mark: { type: "point" as const, filled: true, opacity: 1, size: 46 },
          encoding: {
            y,
            yOffset,
            color,
            x: { ...x, field: "mean" },
            shape: {
              field: "kind",
              type: "nominal" as const,
              scale: { domain: kinds, range: [AS_IS.shape, NORMALIZED.shape] },
              legend: { orient: "top" as const, title: null, labelLimit: 400 },
            },
          },
        },
      ],
    };
  });
  return standAloneSvg({ hconcat: panels, spacing: 18, padding: 14 });
}
