import { csvLines } from "../report/csv-lines.js";
import { writeResult } from "../report/write-result.js";
import { alignmentChart } from "./alignment-chart.js";
import type { AlignmentRecord, CknnaVariant } from "./alignment-record.js";

/**
 * Write an alignment: `alignment.json` with all conditions, `alignment.csv` with a row for each block and target, and the figure as
 * SVG and PNG.
 *
 * @param folder made if absent. @param by the variant that the figure shows.
 * @returns the files.
 */
export async function writeAlignment(record: AlignmentRecord, by: CknnaVariant, folder: string): Promise<string[]> {
  const csv = csvLines([
    ["arm", "step", "aligned_block", "block", "target", "cknna_code", "cknna_paper", "time", "neighbours", "images"],
    ...record.arms.flatMap(({ name, step, alignedBlock, blocks }) =>
      blocks.flatMap(({ block, cknna }) =>
        cknna.map(({ target, code, paper }) => [
          name,
          step,
          alignedBlock,
          block,
          target,
          code,
          paper,
          record.time,
          record.neighbours,
          record.images,
        ]),
      ),
    ),
  ]);
  const texts = { "alignment.csv": csv, "alignment.json": `${JSON.stringify(record, null, 2)}\n` };
  return writeResult(folder, texts, { alignment: await alignmentChart(record, by) });
}
