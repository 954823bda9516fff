import type { TopLevelSpec } from "vega-lite";
import { armColour } from "../report/arm-colours.js";
import type { ColumnCorrelation } from "./correlate.js";
import type { CorrelationAnalysis, GroupCorrelation, MetricCorrelation } from "./correlation.js";
import { describeCoefficient, pointLabels } from "./correlation-table.js";

const PANEL_PX = { width: 200, height: 170 };
const PANELS_IN_A_ROW = 5;

/** The scatter plots of an analysis: a panel a metric with its points, their least-squares line and Pearson's coefficient. */
export function correlationChart({ groups, against }: CorrelationAnalysis): TopLevelSpec {
  return {
    padding: 14,
    spacing: 34,
    vconcat: groups.map((group) => ({
      title: { text: group.label, anchor: "start" as const, fontWeight: "normal" as const, fontSize: 13, offset: 12 },
      spacing: 18,
      columns: PANELS_IN_A_ROW,
      concat: group.correlations
        .filter(({ targets }) => targets > 0)
        .map((metric) => panel(group, metric, against.label)),
    })),
  };
}

function panel(group: GroupCorrelation, { key, short, result, why }: MetricCorrelation, yTitle: string) {
  const labels = pointLabels(group);
  const values = group.points.flatMap(({ metrics, value }, i) =>
    metrics[key] == null ? [] : [{ label: labels[i]!, x: metrics[key], y: value }],
  );
  const axis = (field: "x" | "y", title: string) => ({
    field,
    type: "quantitative" as const,
    title,
    scale: { zero: false, nice: false, padding: 14 },
    axis: { tickCount: 4, grid: false },
  });
  const [x, y] = [axis("x", short), axis("y", yTitle)];
  const ends = [Math.min(...values.map((one) => one.x)), Math.max(...values.map((one) => one.x))];
  const line = result === null ? [] : [lineLayer(result.line, ends)];
  return {
    ...PANEL_PX,
    title: {
      text: result === null ? why! : describeCoefficient("r", result.pearson),
      fontSize: 11.5,
      fontWeight: "normal" as const,
    },
    layer: [
      ...line.map((layer) => ({ ...layer, encoding: { x, y } })),
      {
        data: { values },
        mark: { type: "point" as const, filled: true, size: 42, opacity: 0.9, color: armColour(0) },
        encoding: { x, y },
      },
      {
        data: { values },
        mark: { type: "text" as const, dy: -8, fontSize: 8.5, opacity: 0.8 },
        encoding: { x, y, text: { field: "label", type: "nominal" as const } },
      },
    ],
  };
}

function lineLayer({ slope, intercept }: ColumnCorrelation["line"], ends: readonly number[]) {
  return {
    data: { values: ends.map((x) => ({ x, y: intercept + slope * x })) },
    mark: { type: "line" as const, strokeDash: [5, 3], strokeWidth: 1.5, color: armColour(1) },
  };
}
