import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { DataError, UsageError } from "../../data/errors.js";
import { readRun, readRuns } from "../../src/report/read-run.js";
import { EVALUATED, evaluationOf, influences, metrics, writeRun } from "./fixture.js";

const metricsFile = (run: string, arm = "control") => path.join(run, "arms", arm, "metrics.jsonl");
const evaluationFile = (run: string, arm = "control") => path.join(run, "arms", arm, "evaluation.json");

/** Read, expect a one-line DataError, and return its message. */
async function refusal(run: string): Promise<string> {
  const error = await readRun(run).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DataError);
  const { message } = error as DataError;
  expect(message).not.toContain("\n");
  return message;
}

// biome-ignore lint/suspicious/noExplicitAny: tests break records at will
type Json = any;

/** Change a JSON file. */
function edit(file: string, change: (value: Json) => void): void {
  const value = JSON.parse(readFileSync(file, "utf8"));
  change(value);
  writeFileSync(file, JSON.stringify(value));
}

describe("readRun", () => {
  test("a whole run: arms in order, logs, evaluations, pictures", async () => {
    const run = await readRun(await writeRun({ seed: 3 }));
    expect(run.hash).toBe("1a2b3c4d");
    expect(run.experiment.seed).toBe(3);
    expect(run.arms.map(({ name }) => name)).toEqual(["control", "sift-repa", "sift-irepa", "hog-repa"]);
    expect(run.arms.map(({ align }) => align?.target ?? null)).toEqual([null, "sift", "sift", "hog"]);
    const arm = run.arms[2]!;
    expect(arm.metrics).toHaveLength(60);
    expect(arm.metrics[59]!.step).toBe(60);
    expect(arm.samplesPicture).toBe(path.join(arm.folder, "samples.png"));
    expect(arm.samplesArray).toBeNull();
    expect(arm.evaluations).toHaveLength(1);
    expect(arm.evaluations[0]!.record.metrics).toEqual(EVALUATED["sift-irepa"]);
    expect(run.targets).toBeNull();
  });

  test("an arm that did not come far is one without logs, samples and evaluations", async () => {
    const run = await readRun(await writeRun({ trained: ["control"], evaluated: {} }));
    expect(run.arms[0]!.evaluations).toEqual([]);
    expect(run.arms[1]).toMatchObject({ metrics: [], samples: null, samplesPicture: null, evaluations: [] });
  });

  test("influences are those that the evaluation names; damaged, foreign and missing ones are refused", async () => {
    const kept = influences({ control: 2 });
    const write = () => writeRun({ influences: kept });
    const run = await readRun(await write());
    expect(run.arms.map(({ evaluations }) => Object.keys(evaluations[0]!.influences))).toEqual([
      ["frechet_distance"],
      [],
      [],
      [],
    ]);
    expect(run.arms[0]!.evaluations[0]!.influences).toEqual(kept["control"]);
    const file = (folder: string) => path.join(folder, "arms", "control", "evaluation-influence.npz");
    const flipped = await write();
    const bytes = readFileSync(file(flipped));
    bytes[bytes.length - 300]! ^= 1;
    writeFileSync(file(flipped), bytes);
    expect(await refusal(flipped)).toMatch(/evaluation-influence\.npz: SHA-256: wanted [0-9a-f]{64}, got/);
    const missing = await write();
    rmSync(file(missing));
    expect(await refusal(missing)).toMatch(/evaluation-influence\.npz: cannot read \(ENOENT\)/);
    const fewer = await write();
    edit(evaluationFile(fewer), (value) => {
      value.samples = 255;
    });
    expect(await refusal(fewer)).toMatch(/frechet_distance: wanted <f4 \[255\], got <f4 \[256\]/);
  });

  test("an empty log has no lines", async () => {
    const folder = await writeRun();
    writeFileSync(metricsFile(folder), "");
    expect((await readRun(folder)).arms[0]!.metrics).toEqual([]);
  });

  test("several evaluations of an arm, the plain one first", async () => {
    const folder = await writeRun();
    for (const name of ["evaluation-zoo", "evaluation-dino"]) {
      const record = evaluationOf("control", metrics(1, 2, 0.3, 0.4));
      writeFileSync(path.join(folder, "arms", "control", `${name}.json`), JSON.stringify(record));
    }
    const names = (await readRun(folder)).arms[0]!.evaluations.map(({ name }) => name);
    expect(names).toEqual(["evaluation", "evaluation-dino", "evaluation-zoo"]);
  });

  test("an evaluation without the optional fields", async () => {
    const folder = await writeRun();
    edit(evaluationFile(folder), (value) => {
      for (const key of ["floor", "not_measured", "protocol", "notes", "seconds"]) delete value[key];
    });
    const { record } = (await readRun(folder)).arms[0]!.evaluations[0]!;
    expect(record).toMatchObject({ floor: null, not_measured: {}, notes: [] });
  });

  test.each([
    [
      "no run",
      (run: string) => rmSync(path.join(run, "experiment.json")),
      /experiment\.json: there is no such file — name a folder/,
    ],
    [
      "a torn record",
      (run: string) => writeFileSync(path.join(run, "experiment.json"), '{"hash": "1a'),
      /experiment\.json: is not valid JSON — /,
    ],
    [
      "a wrong field of the record",
      (run: string) =>
        edit(path.join(run, "experiment.json"), (value: Json) => (value.experiment.train.steps = "many")),
      /experiment\.json: experiment\.train\.steps: wanted number, got "many"/,
    ],
    [
      "an arm that leads out of the folder",
      (run: string) =>
        edit(path.join(run, "experiment.json"), (value: Json) => (value.experiment.arms[1].name = "../x")),
      /experiment\.arms\.1\.name: wanted a name without slashes/,
    ],
    [
      "two arms of one name",
      (run: string) =>
        edit(path.join(run, "experiment.json"), (value: Json) => (value.experiment.arms[1].name = "control")),
      /experiment\.arms: two arms are named "control"/,
    ],
    [
      "a torn line",
      (run: string) => writeFileSync(metricsFile(run), `${readFileSync(metricsFile(run), "utf8")}{"step": 61, "lo`),
      /metrics\.jsonl:61: is not valid JSON — .*descry train/,
    ],
    [
      "an empty line within",
      (run: string) => writeFileSync(metricsFile(run), `\n${readFileSync(metricsFile(run), "utf8")}`),
      /metrics\.jsonl:1: is empty/,
    ],
    [
      "a loss that is no number (NaN is written as null)",
      (run: string) => {
        const lines = readFileSync(metricsFile(run), "utf8").split("\n");
        lines[1] = JSON.stringify({ ...JSON.parse(lines[1]!), denoising_loss: Number.NaN });
        writeFileSync(metricsFile(run), lines.join("\n"));
      },
      /metrics\.jsonl:2: denoising_loss: wanted number, got null/,
    ],
    [
      "steps that go back",
      (run: string) => {
        const lines = readFileSync(metricsFile(run), "utf8");
        writeFileSync(metricsFile(run), lines + lines);
      },
      /metrics\.jsonl:61: step: wanted more than 60, got 1/,
    ],
    [
      "an empty evaluation",
      (run: string) => writeFileSync(evaluationFile(run), ""),
      /evaluation\.json: is empty — evaluate again/,
    ],
    [
      "an evaluation that lacks a field",
      (run: string) => edit(evaluationFile(run), (value: Json) => delete value.network.proxy),
      /evaluation\.json: network\.proxy: wanted boolean, got nothing/,
    ],
    [
      "the evaluation of another arm",
      (run: string) => edit(evaluationFile(run), (value: Json) => (value.arm = "sift-repa")),
      /evaluation\.json: arm: wanted "control", got "sift-repa"/,
    ],
    [
      "a damaged record of samples",
      (run: string) => writeFileSync(path.join(run, "arms", "control", "samples.json"), "[]"),
      /samples\.json: wanted object, got \[\]/,
    ],
  ])("%s is refused with file and field", async (_, damage, message) => {
    const folder = await writeRun();
    damage(folder);
    expect(await refusal(folder)).toMatch(message);
  });
});

describe("readRuns", () => {
  test("keeps the order", async () => {
    const folders = [await writeRun({ hash: "bbbbbbbb" }), await writeRun({ hash: "aaaaaaaa" })];
    expect((await readRuns(folders)).map(({ hash }) => hash)).toEqual(["bbbbbbbb", "aaaaaaaa"]);
  });

  test("no run, and one run twice, are refused", async () => {
    await expect(readRuns([])).rejects.toThrow(UsageError);
    const folder = await writeRun();
    await expect(readRuns([folder, path.join(folder, "arms", "..")])).rejects.toThrow(/this run is named twice/);
  });
});
