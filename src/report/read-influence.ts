import path from "node:path";
import { DataError } from "../../data/errors.js";
import { hashFile } from "../../data/hash-file.js";
import { readNpz } from "../../data/npz.js";
import type { Evaluation } from "./records.js";

/** By metric, how far each sample moves it: [samples] float32, mean 0. */
export type Influences = Readonly<Record<string, Float32Array>>;

/**
 * Read the influences that an evaluation names.
 *
 * @param folder that the evaluation lies in.
 * @returns empty where it names none, as evaluations of before did.
 * @throws {DataError} the file is missing, or not the one that was written with the evaluation.
 */
export async function readInfluence(folder: string, { influence, samples }: Evaluation): Promise<Influences> {
  if (influence === null) return {};
  const file = path.join(folder, influence.file);
  const hint = "evaluate again: descry evaluate RUN --again";
  const sha256 = await hashFile(file);
  if (sha256 !== influence.sha256) {
    throw new DataError(`${file}: SHA-256: wanted ${influence.sha256}, got ${sha256}`, { hint });
  }
  const arrays = await readNpz(file);
  return Object.fromEntries(
    influence.metrics.map((metric) => {
      const array = arrays[metric];
      if (!(array?.data instanceof Float32Array) || array.data.length !== samples) {
        const found = array === undefined ? "none" : `${array.dtype} [${array.shape.join(", ")}]`;
        throw new DataError(`${file}: ${metric}: wanted <f4 [${samples}], got ${found}`, { hint });
      }
      return [metric, array.data];
    }),
  );
}
