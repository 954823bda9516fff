/**
 * @file Weights of an arm that were trained elsewhere: `imported.safetensors`, and `imported.json`, which says where they came from.
 * Written by `descry import`, read by the steps after training and by the report. Where the record is, the arm is taken as trained.
 */
import path from "node:path";
import { CacheError } from "../../../data/errors.js";
import { readOptionalText } from "../../report/read-json.js";
import { type ImportedRecord, importedSchema } from "../../report/records.js";
import { armFiles, checkpointFile } from "../run-folder.js";

export interface ImportedFiles {
  readonly record: string;
  readonly weights: string;
}

export function importedFiles(runFolder: string, arm: string): ImportedFiles {
  const { folder } = armFiles(runFolder, arm);
  return { record: path.join(folder, "imported.json"), weights: path.join(folder, "imported.safetensors") };
}

/** The record of an arm; undefined where its weights were not imported. @throws {CacheError} it is damaged. */
export async function findImported(runFolder: string, arm: string): Promise<ImportedRecord | undefined> {
  const { record: file } = importedFiles(runFolder, arm);
  const text = await readOptionalText(file);
  if (text === null) return undefined;
  try {
    return importedSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CacheError(`${file}: damaged`, {
      hint: "import the weights again: descry import RUN --replace …",
      cause,
    });
  }
}

/** Where the weights are that an arm is sampled from: those that were imported, or the last checkpoint of its training. */
export async function weightsFile(runFolder: string, arm: string, steps: number): Promise<string> {
  const isImported = (await findImported(runFolder, arm)) !== undefined;
  return isImported ? importedFiles(runFolder, arm).weights : checkpointFile(runFolder, arm, steps);
}
