import type { TopLevelSpec } from "vega-lite";
import { armColour } from "../report/arm-colours.js";
import { seriesDash } from "../report/figure-specs.js";
import { meanCurve, thin } from "../report/smooth.js";
import type { ConvergenceAnalysis, GroupConvergence } from "./convergence.js";

const PLOT_PX = { width: 460, height: 270 };
/** Points of a drawn line: more cannot be seen. */
const MOST_POINTS = 300;

/** The curves of an analysis: a plot a group, the arms' means over seeds boldly, the seeds faintly, and the value to reach. */
export function convergenceChart({ groups, metric }: ConvergenceAnalysis): TopLevelSpec {
  return { padding: 14, spacing: 30, vconcat: groups.map((group) => plot(group, metric.label, groups.length > 1)) };
}

function plot({ label, arms }: GroupConvergence, yTitle: string, isTitled: boolean) {
  const drawn = arms.filter(({ seeds }) => seeds.some(({ points }) => points.length > 0));
  const color = {
    field: "arm",
    type: "nominal" as const,
    scale: { domain: drawn.map((arm) => arm.label), range: drawn.map(({ colour }) => armColour(colour)) },
    legend: {
      title: null,
      labelLimit: 300,
      symbolType: "stroke" as const,
      symbolStrokeWidth: 2,
      symbolSize: 400,
      symbolOpacity: 1,
    },
  };
  const strokeDash = {
    field: "arm",
    type: "nominal" as const,
    scale: { domain: color.scale.domain, range: drawn.map(({ colour }) => [...seriesDash(colour)]) },
    legend: color.legend,
  };
  const x = {
    field: "step",
    type: "quantitative" as const,
    title: "training step",
    axis: { grid: false, format: ",d" },
  };
  const y = { field: "value", type: "quantitative" as const, title: yTitle, scale: { zero: false } };
  const faint = drawn.flatMap((arm) =>
    arm.seeds.flatMap(({ seed, points }) =>
      thin(points, MOST_POINTS).map((point) => ({ ...point, arm: arm.label, id: `${arm.label}\n${seed}` })),
    ),
  );
  const bold = drawn.flatMap((arm) => {
    const curves = arm.seeds.map(({ points }) => points).filter(({ length }) => length > 0);
    return thin(meanCurve(curves), MOST_POINTS).map((point) => ({ ...point, arm: arm.label }));
  });
  const goals = [...new Set(drawn.flatMap((arm) => arm.seeds.flatMap(({ goal }) => goal ?? [])))];
  const isFew = bold.length <= 40 * drawn.length;
  return {
    ...PLOT_PX,
    ...(isTitled ? { title: { text: label, anchor: "start" as const, fontWeight: "normal" as const } } : {}),
    layer: [
      {
        data: { values: goals.map((value) => ({ value })) },
        mark: { type: "rule" as const, strokeDash: [4, 3], opacity: 0.5 },
        encoding: { y },
      },
      {
        data: { values: faint },
        mark: { type: "line" as const, strokeWidth: 0.8, opacity: 0.3 },
        encoding: { x, y, color, detail: { field: "id", type: "nominal" as const } },
      },
      {
        data: { values: bold },
        mark: { type: "line" as const, strokeWidth: 2, ...(isFew ? { point: { size: 22 } } : {}) },
        encoding: { x, y, color, strokeDash },
      },
    ],
  };
}
