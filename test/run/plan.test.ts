import { expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import { planJobs } from "../../src/run/plan.js";
import { resolveExperiment } from "../../src/run/resolve-experiment.js";
import type { Run } from "../../src/run/run-folder.js";

const TEXT = `name: small
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1 }
arms: [{ name: control }, { name: a, target: sift }]
`;

const { experiment } = resolveExperiment(TEXT, "a.yaml");
const run = { folder: "/p/runs/small-1", cacheFolder: "/p/.descry/cache", record: { experiment } } as unknown as Run;

const needsOf = (jobs: ReturnType<typeof planJobs>) => Object.fromEntries(jobs.map(({ id, needs }) => [id, needs]));

test("all steps: parts of the features, then a chain for each arm", () => {
  const jobs = planJobs(run, { parts: 2 });
  expect(needsOf(jobs)).toEqual({
    "small-1/features/1-of-2": [],
    "small-1/features/2-of-2": [],
    "small-1/features": ["small-1/features/1-of-2", "small-1/features/2-of-2"],
    "small-1/train/control": ["small-1/features"],
    "small-1/train/a": ["small-1/features"],
    "small-1/sample/control": ["small-1/train/control"],
    "small-1/sample/a": ["small-1/train/a"],
    "small-1/evaluate/control": ["small-1/sample/control"],
    "small-1/evaluate/a": ["small-1/sample/a"],
  });
  // In this order nothing comes before what it needs.
  const ids = jobs.map(({ id }) => id);
  for (const { id, needs } of jobs) for (const need of needs) expect(ids.indexOf(need)).toBeLessThan(ids.indexOf(id));
  const kinds = jobs.map(({ step, arm, part }) => [step, arm ?? part]);
  expect(kinds.slice(1, 4)).toEqual([
    ["features", { index: 2, count: 2 }],
    ["features", null],
    ["train", "control"],
  ]);
});

test("some steps and arms: what is not planned is not waited for", () => {
  expect(needsOf(planJobs(run, { steps: ["sample", "train"], arms: ["a"] }))).toEqual({
    "small-1/train/a": [],
    "small-1/sample/a": ["small-1/train/a"],
  });
  expect(needsOf(planJobs(run, { steps: ["features"] }))).toEqual({ "small-1/features": [] });
  expect(() => planJobs(run, { steps: ["train"], arms: ["c"] })).toThrow(UsageError);
});
