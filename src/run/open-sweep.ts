import { createHash } from "node:crypto";
import path from "node:path";
import type { ResolvedExperiment } from "./resolve-experiment.js";
import { createRun, type Run } from "./run-folder.js";

/** One experiment under several seeds: a run each. */
export interface Sweep {
  readonly name: string;
  /** In the order of the seeds. */
  readonly runs: readonly [Run, ...Run[]];
  /** One report of all of them, `NAME-sweep-HASH8.html` beside the run folders: another choice of seeds, another file. */
  readonly reportFile: string;
}

/**
 * Make the runs of a sweep, or open those that are there.
 *
 * @param resolved the experiment under each seed, at least one.
 * @param cwd      working folder, absolute.
 */
export async function openSweep(
  resolved: readonly ResolvedExperiment[],
  runsFolder: string,
  cwd: string,
): Promise<Sweep> {
  const runs: Run[] = [];
  for (const one of resolved) runs.push(await createRun(one, runsFolder, cwd));
  const { name } = runs[0]!.record.experiment;
  const hashes = runs.map(({ record }) => record.hash).join(" ");
  const hash = createHash("sha256").update(hashes).digest("hex").slice(0, 8);
  return { name, runs: runs as [Run, ...Run[]], reportFile: path.join(runsFolder, `${name}-sweep-${hash}.html`) };
}
