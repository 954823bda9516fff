import { existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { lockFolder } from "../../data/folder-lock.js";
import { SILENT } from "../../src/run/progress.js";
import { resolveExperiment } from "../../src/run/resolve-experiment.js";
import { runExperiment } from "../../src/run/run-experiment.js";
import { createRun, openRun } from "../../src/run/run-folder.js";

const TEXT = `name: small
model: { width: 32, depth: 2, heads: 2, patch: 4 }
arms: [{ name: a }, { name: b }]
`;

test("arms of one run may be trained by several processes, and each by one", async () => {
  const cwd = mkdtempSync(path.join(tmpdir(), "descry-run-"));
  const run = await createRun(resolveExperiment(TEXT, "a.yaml"), path.join(cwd, "runs"), cwd);
  const other = await lockFolder(run.folder, { share: "arm-a" }); // as by a worker, or by descry train --arm a
  const train = (...arms: string[]) =>
    runExperiment(run, { progress: SILENT, ...(arms.length === 0 ? {} : { arms }) }, ["train"]).catch(
      (error: { tag: string }) => error.tag,
    );
  expect(await train("a")).toBe("BusyError");
  expect(await train()).toBe("BusyError");
  expect(await train("b")).toBe("UsageError"); // it gets as far as asking for the features
  await other.release();
  expect(await train("a")).toBe("UsageError");
});

test("a run that fails before anything is done leaves no folder, unless it was there or somebody wrote into it", async () => {
  const cwd = mkdtempSync(path.join(tmpdir(), "descry-run-"));
  const runs = path.join(cwd, "runs");
  const make = () => createRun(resolveExperiment(TEXT, "a.yaml"), runs, cwd);
  const fail = async (run: Awaited<ReturnType<typeof make>>) => {
    await expect(runExperiment(run, { progress: SILENT }, ["train"])).rejects.toMatchObject({ tag: "UsageError" });
    return readdirSync(runs);
  };
  const run = await make();
  expect(await fail(run)).toEqual([]);
  const again = await make();
  expect(await fail(await openRun(again.folder, cwd))).toEqual([path.basename(again.folder)]);
  writeFileSync(path.join(again.folder, "notes.txt"), "mine");
  expect(await fail(again)).toEqual([path.basename(again.folder)]);
  expect(existsSync(path.join(again.folder, "experiment.json"))).toBe(true);
});
