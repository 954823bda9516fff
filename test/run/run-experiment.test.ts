import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { lockFolder } from "../../data/folder-lock.js";
import { SILENT } from "../../src/run/progress.js";
import { resolveExperiment } from "../../src/run/resolve-experiment.js";
import { runExperiment } from "../../src/run/run-experiment.js";
import { createRun } from "../../src/run/run-folder.js";

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
