/**
 * @file The whole way at a tiny size, through the real program: images → features → training → samples → evaluation → report;
 * again (everything is skipped), killed and continued (the same bytes), and step by step (the same numbers).
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readSafetensors } from "../../data/safetensors.js";
import { ROOT, temporaryFolder } from "./run-cli.js";

const BIN = path.join(ROOT, "dist", "src", "cli", "bin.js");

const TINY = `name: tiny
data: { source: photos, count: 18, sizePx: 16 }
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1, projectorWidth: 16 }
train: { steps: 3, batch: 4, checkpointEvery: 1, threads: 1 }
sample: { steps: 2, count: 8, batch: 8 }
evaluate: { inceptionSplits: 2 }
arms:
  - { name: control }
  - { name: aligned, target: sift, projector: conv, spatialNorm: 0.6 }
`;

interface Spawned {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run the program; `watch` sees what it has said so far and may send it one signal. */
function descry(
  argv: readonly string[],
  cwd: string,
  watch?: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void,
): Promise<Spawned> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...argv], { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      watch?.(stderr, (signal) => {
        if (!child.killed) child.kill(signal);
      });
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

function newProject(): string {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, "tiny.yaml"), TINY);
  return folder;
}

function runFolder(project: string): string {
  const names = readdirSync(path.join(project, "runs"));
  expect(names).toHaveLength(1);
  return path.join(project, "runs", names[0]!);
}

/** The lines of an arm's metrics without the time that they took. */
function metricsOf(run: string, arm: string): Record<string, number>[] {
  return readFileSync(path.join(run, "arms", arm, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const { seconds: _, ...rest } = JSON.parse(line) as Record<string, number>;
      return rest;
    });
}

const finalCheckpoint = (run: string, arm: string) =>
  readFileSync(path.join(run, "arms", arm, "checkpoint-0000003.safetensors"));

/** The numbers of an arm's evaluation. */
const numbersOf = (run: string, arm: string) =>
  (JSON.parse(readFileSync(path.join(run, "arms", arm, "evaluation.json"), "utf8")) as { metrics: object }).metrics;

describe("the pipeline, end to end", () => {
  let project: string;
  let first: Spawned;

  beforeAll(async () => {
    if (!existsSync(BIN)) throw new Error("not built: npm run build");
    project = newProject();
    first = await descry(["run", "tiny.yaml"], project);
  });

  test("one command leaves samples, numbers and a report", () => {
    expect(first.stderr).not.toMatch(/^descry: /m);
    expect(first.code).toBe(0);
    const run = runFolder(project);
    const report = readFileSync(path.join(run, "report.html"), "utf8");
    expect(report).toMatch(/^<!doctype html>/i);
    expect(report).toContain("aligned");
    expect(first.stdout).toMatch(/control/);
    expect(first.stdout).toMatch(/report: runs\/tiny-[0-9a-f]{8}\/report\.html/);
    for (const arm of ["control", "aligned"]) {
      const folder = path.join(run, "arms", arm);
      for (const name of ["samples.npz", "samples.png", "samples.json", "evaluation.json", "metrics.jsonl"]) {
        expect(existsSync(path.join(folder, name)), `${arm}/${name}`).toBe(true);
      }
      expect(metricsOf(run, arm).map(({ step }) => step)).toEqual([1, 2, 3]);
    }
    const film = JSON.parse(readFileSync(path.join(run, "arms", "control", "film", "film.json"), "utf8"));
    expect(film).toMatchObject({ frames: [1, 2, 3], samples: 8, maps: { target: "sift", alignedBlock: null } });
    expect(report).toContain("Samples of the arm control at the steps 1, 2, 3");
    expect(metricsOf(run, "control")[0]).not.toHaveProperty("alignment_loss");
    expect(metricsOf(run, "aligned")[0]).toHaveProperty("alignment_loss");
  });

  test("the arms are paired: the first denoising loss is the same", () => {
    const run = runFolder(project);
    // Every block starts as the identity, so the projector cannot change the first prediction.
    expect(metricsOf(run, "aligned")[0]!.denoising_loss).toBeCloseTo(metricsOf(run, "control")[0]!.denoising_loss!, 5);
  });

  test("the run says where and with what it was made", () => {
    const record = JSON.parse(readFileSync(path.join(runFolder(project), "experiment.json"), "utf8"));
    expect(record.experiment.train.steps).toBe(3);
    expect(record.versions.node).toBe(process.versions.node);
    expect(record.machine.cores).toBeGreaterThan(0);
  });

  test("the same command again skips everything", async () => {
    const again = await descry(["run", "tiny.yaml", "--json"], project);
    expect(again.code).toBe(0);
    const { steps } = JSON.parse(again.stdout) as { steps: Record<string, { state: string }[]> };
    expect(Object.keys(steps)).toEqual(["features", "train", "sample", "evaluate", "report"]);
    const states = Object.values(steps).flatMap((outcomes) => outcomes.map(({ state }) => state));
    expect(new Set(states)).toEqual(new Set(["skipped"]));
  });

  test("killed while it trains and continued, the weights are the same to the bit", async () => {
    const other = newProject();
    const killed = await descry(["run", "tiny.yaml"], other, (stderr, kill) => {
      // The control is done, the other arm begins.
      if (/^train +control +3 steps/m.test(stderr)) kill("SIGKILL");
    });
    expect(killed.signal).toBe("SIGKILL");
    const run = runFolder(other);
    expect(existsSync(path.join(run, "report.html"))).toBe(false);
    const resumed = await descry(["run", "tiny.yaml", "--resume"], other);
    expect(resumed.stderr).toMatch(/train +control +3 steps are done, skipped/);
    expect(resumed.code).toBe(0);
    for (const arm of ["control", "aligned"]) {
      expect(metricsOf(run, arm)).toEqual(metricsOf(runFolder(project), arm));
      expect(finalCheckpoint(run, arm).equals(finalCheckpoint(runFolder(project), arm)), arm).toBe(true);
      expect(numbersOf(run, arm)).toEqual(numbersOf(runFolder(project), arm));
    }
  });

  test("evaluated along training, killed in between and continued: each kept step has its numbers, the last those of the end", async () => {
    const other = newProject();
    const command = ["run", "tiny.yaml", "--set", "evaluate.every=2", "--set", "train.checkpointEvery=1"];
    const killed = await descry(command, other, (stderr, kill) => {
      if (/^sample +control, step 2 +8 images, /m.test(stderr)) kill("SIGKILL");
    });
    expect(killed.signal).toBe("SIGKILL");
    const resumed = await descry(command, other);
    expect(resumed.stderr).not.toMatch(/^descry: /m);
    expect(resumed.stderr).not.toMatch(/^sample +control, step 2 /m);
    expect(resumed.code).toBe(0);
    const run = runFolder(other);
    const along = (arm: string, name: string) => path.join(run, "arms", arm, "along", "0000002", name);
    for (const arm of ["control", "aligned"]) {
      expect(numbersOf(run, arm)).toEqual(numbersOf(runFolder(project), arm));
      expect(finalCheckpoint(run, arm).equals(finalCheckpoint(runFolder(project), arm)), arm).toBe(false); // another configHash
      const checkpoint = await readSafetensors(path.join(run, "arms", arm, "checkpoint-0000002.safetensors"));
      const kept = await readSafetensors(along(arm, "weights.safetensors"));
      expect(Object.keys(kept.tensors).every((name) => name.startsWith("ema/"))).toBe(true);
      expect(kept.tensors["ema/x_embedder.proj.weight"]).toEqual(checkpoint.tensors["ema/x_embedder.proj.weight"]);
      const { points } = JSON.parse(readFileSync(path.join(run, "arms", arm, "convergence.json"), "utf8")) as {
        points: { step: number; metrics: object }[];
      };
      expect(points.map(({ step }) => step)).toEqual([2, 3]);
      expect(points[1]!.metrics).toEqual(numbersOf(run, arm));
      expect(points[0]!.metrics).toEqual(JSON.parse(readFileSync(along(arm, "evaluation.json"), "utf8")).metrics);
      expect(points[0]!.metrics).not.toEqual(points[1]!.metrics);
    }
    expect(readFileSync(path.join(run, "report.html"), "utf8")).toContain("Fréchet distance along training.");
    const { code, stdout } = await descry(["analyze", "convergence", run, "--json"], other);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).metric.key).toBe("frechet_distance");
    const skipped = await descry([...command, "--json"], other);
    const { steps } = JSON.parse(skipped.stdout) as { steps: Record<string, { state: string }[]> };
    expect(Object.values(steps).every((outcomes) => outcomes.every(({ state }) => state === "skipped"))).toBe(true);
  });

  test("interrupted: exit code 130, one line, and the same command goes on", async () => {
    const other = newProject();
    const stopped = await descry(["run", "tiny.yaml"], other, (stderr, kill) => {
      if (/^features +images/m.test(stderr)) kill("SIGINT");
    });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/descry: interrupted — run again with the same command to continue\n$/);
  });

  test("step by step gives the same numbers, and each step names the one before it", async () => {
    const other = newProject();
    const early = await descry(["sample", "tiny.yaml"], other);
    expect(early.code).toBe(2);
    expect(early.stderr).toMatch(/arm control is not trained to its end: .* — first: descry train /);
    for (const step of ["features", "train", "sample", "evaluate", "report"]) {
      const { code, stderr } = await descry([step, "tiny.yaml"], other);
      expect(stderr).not.toMatch(/^descry: /m);
      expect(code, step).toBe(0);
    }
    const run = runFolder(other);
    expect(existsSync(path.join(run, "report.html"))).toBe(true);
    for (const arm of ["control", "aligned"]) {
      expect(numbersOf(run, arm)).toEqual(numbersOf(runFolder(project), arm));
    }
  });

  test("one report of several runs, in a file of its own", async () => {
    await descry(["run", "tiny.yaml", "--set", "seed=1", "--runs", "others"], project);
    const runs = [runFolder(project), path.join(project, "others", readdirSync(path.join(project, "others"))[0]!)];
    const homeless = await descry(["report", ...runs], project);
    expect(homeless.stderr).toMatch(/^descry: a report of 2 runs belongs to none of them — say where: --out FILE\n$/);
    expect(homeless.code).toBe(2);
    const { code, stdout } = await descry(["report", ...runs, "--out", "both.html", "--json"], project);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ runs, report: path.join(project, "both.html"), groups: [{}] });
    expect(readFileSync(path.join(project, "both.html"), "utf8")).toContain("seeds 0, 1");
  });

  test("a damaged record, or a folder in its place, is named in one line", async () => {
    const other = newProject();
    await descry(["run", "tiny.yaml"], other);
    const run = runFolder(other);
    const samples = path.join(run, "arms", "control", "samples.json");
    writeFileSync(samples, "{");
    const torn = await descry(["evaluate", "tiny.yaml", "--again", "--quiet"], other);
    expect(torn.stderr).toMatch(/^descry: .*samples\.json: not valid JSON — draw the samples again: [^\n]+\n$/);
    expect(torn.code).toBe(2);
    rmSync(path.join(run, "features.json"));
    mkdirSync(path.join(run, "features.json"));
    const folder = await descry(["train", "tiny.yaml", "--quiet", "--no-resume"], other);
    expect(folder.stderr).toMatch(/^descry: .*features\.json: cannot read \(EISDIR\) — [^\n]+\n$/);
    expect(folder.code).toBe(2);
  });

  test("a flipped bit in a checkpoint or in the cache is found before it is used; mended, the bits are the same", async () => {
    const other = newProject();
    await descry(["run", "tiny.yaml"], other);
    const run = runFolder(other);
    const flip = (file: string) => {
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(file, bytes);
    };
    const checkpoint = path.join(run, "arms", "aligned", "checkpoint-0000003.safetensors");
    flip(checkpoint);
    const damaged = await descry(["sample", "tiny.yaml", "--again", "--quiet"], other);
    expect(damaged.stderr).toMatch(
      /^descry: .*aligned\/checkpoint-0000003\.safetensors: the checkpoint is damaged[^\n]+\n$/,
    );
    expect(damaged.code).toBe(2);

    rmSync(path.join(run, "arms", "aligned"), { recursive: true });
    const cache = path.join(other, ".descry", "cache");
    const features = path.join(cache, readdirSync(cache).find((name) => name.startsWith("features-"))!);
    flip(path.join(features, "shard-00000.safetensors"));
    const foreign = await descry(["train", "tiny.yaml", "--quiet"], other);
    expect(foreign.stderr).toMatch(
      /shard-00000\.safetensors: its data has changed since it was written — delete this file and run again/,
    );
    expect(foreign.code).toBe(2);
    expect(existsSync(path.join(run, "arms", "aligned"))).toBe(false);

    rmSync(features, { recursive: true });
    expect((await descry(["run", "tiny.yaml"], other)).code).toBe(0);
    expect(finalCheckpoint(run, "aligned").equals(finalCheckpoint(runFolder(project), "aligned"))).toBe(true);
  });

  test("a run whose record was changed by hand is refused", async () => {
    const other = newProject();
    await descry(["features", "tiny.yaml"], other);
    const file = path.join(runFolder(other), "experiment.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"steps": 3', '"steps": 4'));
    const { code, stderr } = await descry(["train", "tiny.yaml"], other);
    expect(code).toBe(2);
    expect(stderr).toMatch(/experiment\.json: the experiment was changed by hand/);
  });

  test("what only the images can tell is told before anything is trained", async () => {
    const other = temporaryFolder();
    writeFileSync(
      path.join(other, "tiny.yaml"),
      TINY.replace("source: photos, count: 18", "source: imagefolder:images"),
    );
    mkdirSync(path.join(other, "images"));
    const sharp = (await import("sharp")).default;
    for (let i = 0; i < 6; i++) {
      const colour = { r: 40 * i, g: 200, b: 100 };
      await sharp({ create: { width: 20, height: 20, channels: 3, background: colour } }).toFile(
        path.join(other, "images", `${i}.png`),
      );
    }
    const cases: [string, RegExp][] = [
      ["train.batch=7", /tiny: train\.batch: wanted at most the 6 images of imagefolder:images, got 7/],
      [
        "evaluate.referenceCount=7",
        /tiny: evaluate\.referenceCount: wanted at most the 6 images .*, got 7 — null takes/,
      ],
      ["evaluate.neighbours=6", /tiny: evaluate\.neighbours: wanted fewer than the 6 images/],
      ["data.count=7", /imagefolder:images has 6 images, 7 are asked for — lower data\.count; null takes all/],
      ["evaluate.network=onnx:no.onnx#x?mean=0&std=1", /feature network: no\.onnx: cannot be read \(ENOENT\)/],
      [
        "evaluate.network=onnx:tiny.yaml#x?mean=0&std=1",
        /feature network: tiny\.yaml: (has no graph|is not an ONNX model)/,
      ],
    ];
    for (const [set, message] of cases) {
      const { code, stderr } = await descry(["run", "tiny.yaml", "--set", set], other);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/^train /m);
      expect(code, set).toBe(2);
    }
  });

  test("features of a folder of images without an experiment; a truncated file is named", async () => {
    const other = temporaryFolder();
    const sharp = (await import("sharp")).default;
    mkdirSync(path.join(other, "images", "a"), { recursive: true });
    const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: "#c04020" } })
      .jpeg()
      .toBuffer();
    writeFileSync(path.join(other, "images", "a", "good.jpg"), picture);
    const args = ["features", "--data", "imagefolder:images", "--target", "sift", "--grid", "4", "--json"];
    const good = await descry(args, other);
    expect(good.stderr).not.toMatch(/^descry: /m);
    expect(JSON.parse(good.stdout)).toMatchObject({ targets: { sift: { rows: 1, reused: false } } });
    writeFileSync(path.join(other, "images", "a", "torn.jpg"), picture.subarray(0, picture.length / 2));
    const torn = await descry(args, other);
    expect(torn.code).toBe(2);
    expect(torn.stderr).toMatch(/torn\.jpg/);
    const skipped = await descry([...args, "--skip-bad"], other);
    expect(skipped.code).toBe(0);
    expect(JSON.parse(skipped.stdout)).toMatchObject({ targets: { sift: { rows: 1 } } });
    expect(JSON.parse(skipped.stdout).skipped).toHaveLength(1);
  });
});
