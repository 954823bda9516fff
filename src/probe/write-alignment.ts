import { mkdir } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import { csvLines } from "../report/csv-lines.js";
import { alignmentChart } from "./alignment-chart.js";
import type { AlignmentRecord, CknnaVariant } from "./alignment-record.js";

/** Pixels of the PNG for each unit of the SVG, times 72. */
const PNG_DENSITY = 144;

/**
 * Write an alignment: `alignment.json` with all conditions, `alignment.csv` with a row for each block and target, and the figure as
 * SVG and PNG.
 *
 * @param folder made if absent. @param by the variant that the figure shows.
 * @returns the files.
 */
export async function writeAlignment(record: AlignmentRecord, by: CknnaVariant, folder: string): Promise<string[]> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make", folder);
  }
  const svg = await alignmentChart(record, by);
  const png = await sharp(Buffer.from(svg), { density: PNG_DENSITY })
    .flatten({ background: "#ffffff" })
    .png()
    .toBuffer();
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
  const contents: readonly (readonly [string, string | Uint8Array])[] = [
    ["alignment.csv", csv],
    ["alignment.svg", svg],
    ["alignment.png", png],
    ["alignment.json", `${JSON.stringify(record, null, 2)}\n`],
  ];
  for (const [name, content] of contents) await writeFileAtomic(path.join(folder, name), content);
  return contents.map(([name]) => path.join(folder, name));
}
