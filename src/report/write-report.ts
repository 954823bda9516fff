import path from "node:path";
import { writeFileAtomic } from "../../data/atomic.js";
import { readRuns } from "./read-run.js";
import { renderReport } from "./render-page.js";

export interface ReportOptions {
  /** One or more run folders; runs that differ in their seeds only are averaged, others stand beside each other. */
  readonly runFolders: readonly string[];
  /** The HTML file; replaced when it is there. */
  readonly out: string;
  /** Name of the arm that recovered gains are shares of. Absent: the one with the largest gain. */
  readonly relativeTo?: string | undefined;
}

/**
 * Write the report of some runs.
 *
 * @returns the absolute path and the size of the file.
 * @throws {UsageError} no run, or one twice. @throws {DataError} a damaged file in a run folder, by name, line and field; a report
 *   that cannot be written.
 */
export async function writeReport({
  runFolders,
  out,
  relativeTo,
}: ReportOptions): Promise<{ path: string; bytes: number }> {
  const page = await renderReport(await readRuns(runFolders), { relativeTo });
  const file = path.resolve(out);
  await writeFileAtomic(file, page);
  return { path: file, bytes: Buffer.byteLength(page) };
}
