import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { resolveExperiment } from "../../src/run/resolve-experiment.js";
import { createRun, findArm, openRun } from "../../src/run/run-folder.js";
import { LATER_KEYS } from "../../src/run/schema.js";

const TEXT = `name: small
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1 }
arms: [{ name: control }, { name: aligned, target: sift }]
`;

const temporaryFolder = () => mkdtempSync(path.join(tmpdir(), "descry-run-"));

test("the same experiment is the same folder, any other value another", async () => {
  const cwd = temporaryFolder();
  const runs = path.join(cwd, "runs");
  const first = await createRun(resolveExperiment(TEXT, "a.yaml"), runs, cwd);
  const again = await createRun(resolveExperiment(TEXT, "b.yaml"), runs, cwd);
  const other = await createRun(resolveExperiment(TEXT.replace("depth: 1", "depth: 2"), "a.yaml"), runs, cwd);
  expect(again.folder).toBe(first.folder);
  expect(again.record.created).toBe(first.record.created);
  expect(other.folder).not.toBe(first.folder);
  expect(path.basename(first.folder)).toMatch(/^small-[0-9a-f]{8}$/);
});

test("what changes no result follows the file of today", async () => {
  const cwd = temporaryFolder();
  await createRun(resolveExperiment(TEXT, "a.yaml"), cwd, cwd);
  const run = await createRun(resolveExperiment(`${TEXT}train: { threads: 1 }\n`, "a.yaml"), cwd, cwd);
  expect(run.record.experiment.train.threads).toBe(1);
});

test("a moved run reads relative paths from the folder that it is opened in", async () => {
  const cwd = temporaryFolder();
  const { folder } = await createRun(resolveExperiment(TEXT, "a.yaml"), cwd, path.join(cwd, "gone"));
  const run = await openRun(folder, cwd);
  expect(run.record.workingFolder).toBe(cwd);
  expect(run.cacheFolder).toBe(path.join(cwd, ".descry", "cache"));
});

test("a record that is damaged or changed by hand is refused, an absent one is explained", async () => {
  const cwd = temporaryFolder();
  const { folder } = await createRun(resolveExperiment(TEXT, "a.yaml"), cwd, cwd);
  const file = path.join(folder, "experiment.json");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace('"batch": 32', '"batch": 16'));
  await expect(openRun(folder, cwd)).rejects.toThrow(/changed by hand/);
  writeFileSync(file, text.slice(0, -20));
  await expect(openRun(folder, cwd)).rejects.toThrow(/not valid JSON/);
  await expect(openRun(cwd, cwd)).rejects.toThrow(/no run here/);
});

test("a record of an older version, without the keys that came later, says what was so before there were any", async () => {
  const cwd = temporaryFolder();
  const { folder, record } = await createRun(resolveExperiment(TEXT, "a.yaml"), cwd, cwd);
  const file = path.join(folder, "experiment.json");
  const older = JSON.parse(readFileSync(file, "utf8"));
  for (const dotted of Object.keys(LATER_KEYS)) {
    const [key, section] = dotted.split(".").reverse() as [string, string?];
    delete (section === undefined ? older.experiment : older.experiment[section])[key];
  }
  expect(Object.keys(older.experiment.sample)).not.toContain("film");
  writeFileSync(file, JSON.stringify(older));
  expect((await openRun(folder, cwd)).record).toEqual(record);
});

test("findArm lists the arms that there are", () => {
  const { experiment } = resolveExperiment(TEXT, "a.yaml");
  expect(findArm(experiment, "aligned").align?.target).toBe("sift");
  expect(() => findArm(experiment, "alined")).toThrow(/no arm "alined" in small — arms: control, aligned/);
});
