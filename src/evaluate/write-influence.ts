import path from "node:path";
import { hashFile } from "../../data/hash-file.js";
import { writeNpz } from "../../data/write-npz.js";

/** The file of the samples' influences, as `evaluation.json` names it. */
export interface InfluenceRecord {
  /** Name of the file, beside the record: `.npz`, for each metric an array of float32 [samples] of that name. */
  readonly file: string;
  readonly sha256: string;
  readonly metrics: readonly string[];
}

/**
 * Write the influences of the samples beside their evaluation, as `evaluation-influence.npz` beside `evaluation.json`: whole or not
 * at all, and before the record that names it.
 *
 * @param evaluationPath where the record is going to be.
 * @param influences by metric, [samples] each, in the order of the samples.
 * @throws {DataError} the file cannot be written.
 */
export async function writeInfluence(
  evaluationPath: string,
  influences: Readonly<Record<string, Float32Array>>,
): Promise<InfluenceRecord> {
  const file = influencePath(evaluationPath);
  const arrays = Object.entries(influences).map(([metric, data]) => [metric, { shape: [data.length], data }] as const);
  await writeNpz(file, Object.fromEntries(arrays));
  return { file: path.basename(file), sha256: await hashFile(file), metrics: Object.keys(influences) };
}

/** `evaluation-influence.npz` beside `evaluation.json`. */
export const influencePath = (evaluationPath: string): string => evaluationPath.replace(/(\.json)?$/, "-influence.npz");
