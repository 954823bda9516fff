import type { TopLevelSpec } from "vega-lite";
import { targetLabels } from "../rank/target-labels.js";
import { armColour } from "../report/arm-colours.js";
import type { ClsMixingAnalysis, MixSeries } from "./cls-mixing.js";

const PANEL_PX = { width: 200, height: 160 };
const PANELS_IN_A_ROW = 4;

/** A panel a metric over alpha, the generation metric first; one block a series. */
export function clsMixingChart({ series, against }: ClsMixingAnalysis): TopLevelSpec {
  return {
    padding: 14,
    spacing: 34,
    vconcat: series.map((one) => ({
      title: {
        text: `${targetLabels([one.encoder])[0]}, ${one.label}`,
        anchor: "start" as const,
        fontWeight: "normal" as const,
        offset: 12,
      },
      columns: PANELS_IN_A_ROW,
      spacing: 18,
      concat: panelsOf(one, against.label),
    })),
  };
}

function panelsOf({ points, columns }: MixSeries, value: string) {
  const values = points.map((point) => ({ alpha: point.alpha, value: point.value }));
  const others = columns.flatMap(({ key, short }) => {
    const known = points.flatMap(({ alpha, metrics }) =>
      metrics[key] == null ? [] : [{ alpha, value: metrics[key] }],
    );
    return known.length < 2 ? [] : [panel(short, known, armColour(0))];
  });
  return [panel(value, values, armColour(1)), ...others];
}

function panel(title: string, values: readonly { alpha: number; value: number }[], colour: string) {
  return {
    ...PANEL_PX,
    data: { values: [...values] },
    mark: { type: "line" as const, strokeWidth: 2, color: colour, point: { size: 34, color: colour } },
    encoding: {
      x: {
        field: "alpha",
        type: "quantitative" as const,
        title: "alpha of the class token",
        axis: { grid: false, tickCount: 5 },
      },
      y: { field: "value", type: "quantitative" as const, title, scale: { zero: false }, axis: { tickCount: 4 } },
    },
  };
}
