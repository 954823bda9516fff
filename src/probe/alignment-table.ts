import { targetLabels } from "../rank/target-labels.js";
import { alignTable } from "../report/align-table.js";
import type { AlignmentRecord, CknnaVariant } from "./alignment-record.js";

/** What the two variants are, in words. */
const CKNNA_VARIANTS: Readonly<Record<CknnaVariant, string>> = {
  code: "as its authors' code: unbiased HSIC over the common neighbours",
  paper: "as its paper's formula: kernels less the means of their rows, over the common neighbours",
};

/** CKNNA as aligned text: a row a block of an arm, a column a target; `*` is the block that an arm was aligned at. */
export function formatAlignmentTable(record: AlignmentRecord, by: CknnaVariant): string {
  const { arms, targets, images, source, neighbours, time, labels, weights, seed } = record;
  const rows = arms.flatMap(({ name, blocks, alignedBlock }) =>
    blocks.map(({ block, cknna }) => [
      name,
      `${block}${block === alignedBlock ? " *" : "  "}`,
      ...cknna.map((one) => formatValue(one[by])),
    ]),
  );
  return [
    alignTable(["arm", "block  ", ...targetLabels(targets)], rows),
    "",
    `CKNNA of the tokens after each block with each target, means over patches (* the block that the arm was aligned at); ${CKNNA_VARIANTS[by]}`,
    `${neighbours} neighbours among ${images} images of ${source} (seed ${seed}), noised to t = ${time}; the model is told ${labels === "null" ? "no class" : "the images' classes"}; ${weights} weights`,
  ].join("\n");
}

const formatValue = (value: number | null): string =>
  value === null ? "–" : (Math.abs(value) < 5e-4 ? "0.000" : value.toFixed(3)).replace("-", "−");
