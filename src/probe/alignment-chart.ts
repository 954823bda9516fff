import { targetLabels } from "../rank/target-labels.js";
import { standAloneSvg } from "../report/stand-alone-svg.js";
import type { AlignmentRecord, CknnaVariant } from "./alignment-record.js";

const [WIDTH_PX, HEIGHT_PX, COLUMNS] = [220, 170, 3];
/** Told apart by people with any colour vision, as far as they go; shapes say the same. */
const COLOURS = ["#0067b1", "#c44d00", "#008a5c", "#b0338f", "#7a6a00", "#5b4fc4", "#c2182b", "#4a5560"];
const SHAPES = [
  "circle",
  "square",
  "diamond",
  "triangle-up",
  "cross",
  "triangle-down",
  "triangle-left",
  "triangle-right",
];

/**
 * The figure of an alignment, an SVG that stands alone: one panel an arm, CKNNA over its blocks, a line a target; the dashed line is
 * at the block that the arm was aligned at.
 */
export function alignmentChart({ arms, targets, time }: AlignmentRecord, by: CknnaVariant): Promise<string> {
  const labels = targetLabels(targets);
  const take = <T>(all: readonly T[]) => labels.map((_, i) => all[i % all.length]!);
  const values = arms.flatMap(({ blocks }) => blocks.flatMap(({ cknna }) => cknna.map((one) => one[by] ?? 0)));
  const y = {
    type: "quantitative" as const,
    title: "CKNNA",
    scale: { domain: [Math.min(0, ...values), Math.max(0.1, ...values)], nice: true },
  };
  const legend = { orient: "top" as const, title: null, labelLimit: 400, columns: 4 };
  const panels = arms.map(({ name, blocks, alignedBlock }) => {
    const last = blocks.at(-1)!.block;
    const x = {
      type: "quantitative" as const,
      title: "block",
      scale: { domain: [0.7, last + 0.3], nice: false, zero: false },
      axis: { values: blocks.map(({ block }) => block), format: "d", grid: false },
    };
    const points = blocks.flatMap(({ block, cknna }) =>
      cknna.flatMap((one, i) => (one[by] === null ? [] : [{ block, target: labels[i]!, value: one[by] }])),
    );
    const target = { field: "target", type: "nominal" as const };
    const encoding = {
      x: { ...x, field: "block" },
      y: { ...y, field: "value" },
      color: { ...target, scale: { domain: labels, range: take(COLOURS) }, legend },
    };
    return {
      width: WIDTH_PX,
      height: HEIGHT_PX,
      title: { text: name, anchor: "start" as const, fontSize: 12 },
      layer: [
        ...(alignedBlock === null
          ? []
          : [
              {
                data: { values: [{ block: alignedBlock }] },
                mark: { type: "rule" as const, strokeDash: [4, 4], opacity: 0.6 },
                encoding: { x: { ...x, field: "block" } },
              },
            ]),
        { data: { values: points }, mark: { type: "line" as const, strokeWidth: 2 }, encoding },
        {
          data: { values: points },
          mark: { type: "point" as const, filled: true, opacity: 1, size: 42 },
          encoding: { ...encoding, shape: { ...target, scale: { domain: labels, range: take(SHAPES) }, legend } },
        },
      ],
    };
  });
  return standAloneSvg({
    title: { text: `Alignment of layers with targets, noise t = ${time}`, anchor: "start", offset: 12 },
    concat: panels,
    columns: COLUMNS,
    spacing: 18,
    padding: 14,
  });
}
