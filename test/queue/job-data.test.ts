import { mkdtempSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { flowsOf, nameOf } from "../../src/queue/flows.js";
import { fromJobData, toJobData } from "../../src/queue/job-data.js";
import { queueNameOf } from "../../src/queue/queue-name.js";
import { type BareFeatures, planBareJobs, planJobs } from "../../src/run/plan.js";
import { resolveExperiment } from "../../src/run/resolve-experiment.js";
import { createRun, type Run } from "../../src/run/run-folder.js";

const TEXT = `name: small
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1 }
arms: [{ name: control }, { name: aligned, target: sift }]
`;

async function newRun(runs = "runs"): Promise<Run> {
  const cwd = path.join(mkdtempSync(path.join(tmpdir(), "descry-job-")), "lab");
  return createRun(resolveExperiment(TEXT, "a.yaml"), path.resolve(cwd, runs), cwd);
}

/** Through Redis, as text. */
const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const messageOf = (promise: Promise<unknown>) => promise.then(() => "no error").catch((error: Error) => error.message);

test("a job says the same in a folder under another path", async () => {
  const run = await newRun();
  const job = planJobs(run, { steps: ["train"], arms: ["aligned"] })[0]!;
  const data = sent(toJobData(job, null));
  expect(JSON.stringify(data)).not.toContain(run.record.workingFolder);
  const elsewhere = path.join(path.dirname(run.record.workingFolder), "mount");
  renameSync(run.record.workingFolder, elsewhere);
  const { job: taken, next } = await fromJobData(job.id, data, elsewhere);
  expect(taken).toMatchObject({ id: job.id, step: "train", arm: "aligned", part: null });
  expect(next).toBeNull();
  const there = taken.of as Run;
  expect(there.folder).toBe(path.join(elsewhere, "runs", path.basename(run.folder)));
  expect(there.cacheFolder).toBe(path.join(elsewhere, ".descry", "cache"));
  expect(there.record.workingFolder).toBe(elsewhere);
  expect(there.record.experiment).toEqual(run.record.experiment);
});

test("jobs of another version, another program, another folder and another experiment are refused", async () => {
  const run = await newRun();
  const { workingFolder } = run.record;
  const job = planJobs(run)[0]!;
  const data = sent(toJobData(job, null)) as Record<string, unknown>;
  const versions = data["versions"] as Record<string, string>;
  const take = (change: object) => messageOf(fromJobData("x", { ...data, ...change }, workingFolder));
  expect(await take({})).toBe("no error");
  expect(await take({ versions: { ...versions, descry: "0.0.9" } })).toMatch(
    /^the job was submitted with descry 0\.0\.9, this worker has \d.* — install the same version of descry everywhere$/,
  );
  expect(await take({ versions: { ...versions, onnxruntime: "1.2.3" } })).toMatch(/submitted with onnxruntime 1\.2\.3/);
  // Node's version changes no numbers.
  expect(versions).not.toHaveProperty("node");
  for (const change of [
    { step: "report" },
    { more: 1 },
    { runFolder: "/etc" },
    { runFolder: "runs/../../x" },
    { part: { index: 0, count: 2 } },
  ]) {
    expect(await take(change), JSON.stringify(change)).toMatch(/^job x: not a job of descry/);
  }
  expect(await messageOf(fromJobData("x", null, workingFolder))).toMatch(/this worker has/);
  expect(await take({ runFolder: "runs/other-12345678" })).toMatch(/no run here/);
  const other = { ...run.record.experiment, seed: 5 };
  expect(await take({ experiment: other })).toMatch(/holds another experiment than the job's/);
  // Values that change no result may differ: threads of the day.
  const { train } = run.record.experiment;
  expect(await take({ experiment: { ...run.record.experiment, train: { ...train, threads: 3 } } })).toBe("no error");
});

test("a run outside of the working folder is not submitted", async () => {
  const run = await newRun("../runs");
  expect(() => toJobData(planJobs(run)[0]!, null)).toThrow(/is not in the working folder .* choose --runs in it/);
});

test("flows: the features first, and with them what follows; without them a chain for each arm", async () => {
  const jobs = planJobs(await newRun(), { parts: 2 });
  const { first, last } = flowsOf(jobs, "q");
  const run = path.basename((jobs[0]!.of as Run).folder);
  expect(first.map(({ opts }) => opts!.jobId)).toEqual([`${run}/features`]);
  expect(first[0]!.children!.map(({ opts }) => opts!.jobId)).toEqual([
    `${run}/features/1-of-2`,
    `${run}/features/2-of-2`,
  ]);
  const { next } = first[0]!.data;
  expect(next).toEqual({ steps: ["train", "sample", "evaluate"], arms: ["control", "aligned"] });
  expect(last).toEqual([`${run}/evaluate/control`, `${run}/evaluate/aligned`]);
  const after = flowsOf(planJobs(jobs[0]!.of as Run, next), "q");
  expect(after.last).toEqual(last);
  expect(after.first.map(({ opts }) => opts!.jobId)).toEqual(last);
  const [evaluate] = after.first;
  const chain = [evaluate!, evaluate!.children![0]!, evaluate!.children![0]!.children![0]!];
  expect(chain.map(({ opts }) => opts!.jobId)).toEqual(
    ["evaluate", "sample", "train"].map((step) => `${run}/${step}/control`),
  );
  // An arm that is begun is finished first.
  const priorities = chain.map(({ opts }) => opts!.priority!);
  expect(priorities).toEqual([...priorities].sort((a, b) => a - b));
  for (const { opts } of chain) expect(opts).toMatchObject({ failParentOnFailure: true, removeOnComplete: true });
  expect(jobs.slice(0, 4).map(nameOf)).toEqual([
    "features  part 1/2",
    "features  part 2/2",
    "features",
    "train     control",
  ]);
});

test("a queue belongs to a folder, under whatever path, and several processes agree on it", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "descry-job-"));
  const names = await Promise.all(Array.from({ length: 8 }, () => queueNameOf(folder)));
  expect(new Set(names).size).toBe(1);
  expect(names[0]).toMatch(/^jobs-[0-9a-f]{12}$/);
  renameSync(folder, `${folder}-moved`);
  expect(await queueNameOf(`${folder}-moved`)).toBe(names[0]);
  expect(await queueNameOf(mkdtempSync(path.join(tmpdir(), "descry-job-")))).not.toBe(names[0]);
});

test("features without an experiment are jobs: parts, and one that completes them, in any folder", async () => {
  const input: BareFeatures["input"] = {
    data: "imagefolder:pictures",
    targets: ["sift", "concat(sift,hog)"],
    grid: 8,
    count: null,
    flips: true,
    skipBad: false,
    dtype: "U8",
    cacheFolder: ".descry/cache",
    device: "cpu",
  };
  const jobs = planBareJobs({ workingFolder: "/lab", input }, 2);
  const whole = jobs[2]!.id;
  expect(whole).toMatch(/^cache-[0-9a-f]{8}\/features$/);
  expect(jobs.map(({ id, part, needs }) => [id, part?.index ?? null, needs])).toEqual([
    [`${whole}/1-of-2`, 1, []],
    [`${whole}/2-of-2`, 2, []],
    [whole, null, [`${whole}/1-of-2`, `${whole}/2-of-2`]],
  ]);
  // Other features are other jobs; the same ones, submitted elsewhere, the same jobs.
  expect(planBareJobs({ workingFolder: "/mount", input }, 1).map(({ id }) => id)).toEqual([whole]);
  expect(planBareJobs({ workingFolder: "/lab", input: { ...input, grid: 16 } }, 1)[0]!.id).not.toBe(whole);
  const { first, last } = flowsOf(jobs, "q");
  expect(last).toEqual([whole]);
  expect(first.map(({ opts, children }) => [opts!.jobId, children!.length])).toEqual([[whole, 2]]);
  const data = sent(first[0]!.children![0]!.data);
  expect(JSON.stringify(data)).not.toContain("/lab");
  expect(await fromJobData("x", data, "/mount")).toEqual({
    job: { ...jobs[0]!, id: "x", of: { workingFolder: "/mount", input } },
    next: null,
  });
  const { features } = data as { features: object };
  for (const change of [{ cacheFolder: "../elsewhere" }, { cacheFolder: "/tmp" }, { grid: 0 }, { more: 1 }]) {
    const changed = { ...(data as object), features: { ...features, ...change } };
    expect(await messageOf(fromJobData("x", changed, "/mount"))).toMatch(/^job x: not a job of descry/);
  }
  const outside = { workingFolder: "/lab", input: { ...input, cacheFolder: "../cache" } };
  expect(() => flowsOf(planBareJobs(outside, 1), "q")).toThrow(
    "../cache is not in the working folder /lab, which the workers share — choose --cache in it",
  );
});
