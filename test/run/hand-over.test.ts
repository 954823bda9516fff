/**
 * @file A run handed over to PyTorch and back: the export holds what the cache holds, what comes back is checked name by name, is
 * sampled, evaluated and reported, and says of itself that it was imported.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openRowStore } from "../../data/row-store.js";
import { readSafetensors, type SafeTensor, writeSafetensors } from "../../data/safetensors.js";
import type { FeaturesRecord } from "../../src/run/features-record.js";
import { openSitNetwork, readCheckpointWeights } from "../../src/sample/network.js";
import { ROOT, runCli, temporaryFolder } from "../cli/run-cli.js";
import { PYTHON, pythonHas } from "../python.js";

const TINY = `name: tiny
seed: 3
data: { source: photos, count: 10, sizePx: 16 }
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1, projectorWidth: 16 }
train: { steps: 2, batch: 4, threads: 1 }
sample: { steps: 2, count: 6, batch: 6 }
evaluate: { inceptionSplits: 2 }
arms:
  - { name: control }
  - { name: aligned, target: hog, projector: conv, spatialNorm: 0.6 }
  - { name: deep, target: 'concat(hog,sift)', projector: mlp }
`;

interface ExportedStore {
  readonly folder: string;
  readonly columns: Record<string, unknown>;
  readonly shards: readonly { file: string; rows: number }[];
}

let project: string;
let run: string;
let out: string;
const descry = async (...argv: string[]) => {
  const result = await runCli(argv, project);
  expect(result.stderr.split("\n").filter((line) => line.startsWith("    at "))).toEqual([]);
  return result;
};
const exported = (...names: string[]) => path.join(out, ...names);
const json = (file: string) => JSON.parse(readFileSync(file, "utf8"));
const armFile = (arm: string, name: string) => path.join(run, "arms", arm, name);

beforeAll(async () => {
  project = temporaryFolder();
  writeFileSync(path.join(project, "tiny.yaml"), TINY);
  expect(await descry("features", "tiny.yaml", "--quiet")).toMatchObject({ code: 0 });
  run = path.join(project, "runs", readdirSync(path.join(project, "runs"))[0]!);
  out = path.join(project, "out");
  expect(await descry("export", "tiny.yaml", "--out", "out", "--quiet")).toMatchObject({ code: 0, stdout: "out\n" });
}, 120_000);

describe("the export", () => {
  test("has every store of the run, row by row, in plain safetensors", async () => {
    const record: FeaturesRecord = json(path.join(run, "features.json"));
    const index = json(exported("export.json"));
    expect(index).toMatchObject({ format: "descry-export-1", length: 10, seed: 3 });
    expect(Object.keys(index.stores)).toEqual(["images", "targets/hog", "targets/1-concat-hog-sift-"]);
    const places: { folder: string; key: string }[] = [
      record.images,
      record.targets["hog"]!,
      record.targets["concat(hog,sift)"]!,
    ];
    for (const place of places) place.folder = path.resolve(project, place.folder);
    for (const [i, [name, { folder, shards, columns }]] of Object.entries<ExportedStore>(index.stores).entries()) {
      const store = await openRowStore(places[i]!.folder, places[i]!.key);
      const file = (await readSafetensors(exported(folder, shards[0]!.file))).tensors;
      expect(Object.keys(file).sort(), name).toEqual(Object.keys(columns).sort());
      const cached = (await readSafetensors(path.join(places[i]!.folder, "shard-00000.safetensors"))).tensors;
      for (const column of Object.keys(columns)) expect(file[column]).toEqual(cached[column]);
      expect([shards.length, shards[0]!.rows, store.header.rows]).toEqual([1, 20, 20]);
      await store.close();
    }
    const { labels } = (await readSafetensors(exported("labels.safetensors"))).tensors;
    expect(labels).toEqual({
      dtype: "I64",
      shape: [10],
      data: BigInt64Array.from({ length: 10 }, (_, i) => BigInt(i % 9)),
    });
    expect(index.classes.length).toBe(9);
    expect(existsSync(`${out}.partial`)).toBe(false);
  });

  test("starts every arm where our training starts it", async () => {
    expect(await descry("train", "tiny.yaml", "--arm", "aligned", "--quiet")).toMatchObject({ code: 0 });
    const { tensors: initial } = await readSafetensors(exported("arms", "aligned", "initial.safetensors"));
    const { tensors: control } = await readSafetensors(exported("arms", "control", "initial.safetensors"));
    const { tensors: trained } = await readSafetensors(armFile("aligned", "checkpoint-0000002.safetensors"));
    const names = Object.keys(trained).filter((name) => name.startsWith("model/"));
    expect(names.map((name) => name.slice(6)).sort()).toEqual(Object.keys(initial).sort());
    expect(names).toContain("model/projectors.0.projection_layer.weight");
    expect(Object.keys(control).filter((name) => name.startsWith("projectors."))).toEqual([]);
    for (const [name, tensor] of Object.entries(control)) expect(initial[name], name).toEqual(tensor);
    // Two steps of AdamW at 1e-4 move no weight further than that.
    for (const name of names) {
      const [before, after] = [initial[name.slice(6)]!, trained[name]!];
      expect(after.shape).toEqual(before.shape);
      const moved = (after.data as Float32Array).map((value, i) => Math.abs(value - Number(before.data[i])));
      expect(Math.max(...moved)).toBeLessThan(2.1e-4);
    }
    rmSync(path.join(run, "arms"), { recursive: true });
    expect(json(exported("arms", "aligned", "recipe.json"))).toMatchObject({
      seed: 3,
      model: { width: 32, depth: 2, channels: 3, sizePx: 16, classes: 9, nullClass: 9 },
      align: {
        target: "hog",
        store: "targets/hog",
        projector: "conv",
        kernel: 3,
        spatialNorm: 0.6,
        coefficient: 0.5,
        depth: 1,
      },
      train: { steps: 2, batch: 4, learningRate: 1e-4, betas: [0.9, 0.999], path: "linear" },
    });
    expect(json(exported("arms", "control", "recipe.json")).align).toBe(null);
  });

  test("never writes into a folder that holds something; an interrupted one goes on", async () => {
    const full = await descry("export", "tiny.yaml", "--out", "out");
    expect(full).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/out: is not empty \(it holds README\.md\) — /),
    });
    expect(await descry("export", "tiny.yaml")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--out DIR"),
    });

    const other = path.join(project, "other");
    mkdirSync(`${other}.partial`);
    const foreign = await descry("export", "tiny.yaml", "--out", "other");
    expect(foreign).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("something else than the unfinished export"),
    });
    rmSync(`${other}.partial`, { recursive: true });
    mkdirSync(other);
    expect(await descry("export", "tiny.yaml", "--out", "other", "--quiet")).toMatchObject({ code: 0 });
    const files = (folder: string) => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
    expect(files(other)).toEqual(files(out));

    // As a kill leaves it: some shards, no index.
    renameSync(other, `${other}.partial`);
    writeFileSync(path.join(`${other}.partial`, ".descry-export"), await markOf());
    rmSync(path.join(`${other}.partial`, "export.json"));
    rmSync(path.join(`${other}.partial`, "targets"), { recursive: true });
    const resumed = await descry("export", "tiny.yaml", "--out", "other");
    expect(resumed).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("what an interrupted export has written is kept"),
    });
    for (const file of files(out).filter((name) => name.endsWith(".safetensors"))) {
      expect(sha256(path.join(other, file)), file).toBe(sha256(exported(file)));
    }
  });
});

async function markOf(): Promise<string> {
  const record: FeaturesRecord = json(path.join(run, "features.json"));
  const { hash } = json(path.join(run, "experiment.json"));
  return JSON.stringify([hash, record.images.key, ...Object.values(record.targets).map(({ key }) => key)]);
}

const sha256 = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");

describe("what comes back", () => {
  type Tensors = Record<string, SafeTensor>;
  const initial = async (arm: string): Promise<Tensors> =>
    (await readSafetensors(exported("arms", arm, "initial.safetensors"))).tensors;
  const write = async (tensors: Tensors, metadata: Record<string, string> = {}): Promise<string> => {
    await writeSafetensors(path.join(project, "back.safetensors"), tensors, metadata);
    return "back.safetensors";
  };
  const renamed = (tensors: Tensors, rename: (name: string) => string): Tensors =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [rename(name), tensor]));
  const refused = async (tensors: Tensors, message: RegExp, arm = "control") => {
    const result = await descry("import", "tiny.yaml", "--arm", arm, await write(tensors));
    expect(result).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
    expect(existsSync(armFile(arm, "imported.json"))).toBe(false);
  };

  test("is checked: every name and every shape", async () => {
    const tensors = await initial("control");
    const { "final_layer.linear.bias": _, ...less } = tensors;
    await refused(less, /is not of this arm's model: missing: final_layer\.linear\.bias — /);
    const { data, shape } = tensors["pos_embed"]!;
    const extra = { dtype: "F32", shape, data } as const;
    await refused({ ...tensors, "bn.running_mean": extra }, /unexpected: bn\.running_mean — /);
    await refused(
      { "model.x": extra },
      /missing: pos_embed, .* and \d+ more; unexpected: model\.x|no parameter of the model/,
    );
    await refused(
      { ...tensors, pos_embed: { dtype: "F32", shape: [1, shape[2]!, shape[1]!], data } },
      /pos_embed is F32 \[1,32,16\], wanted floats \[1,16,32\]/,
    );
    await refused(
      { ...tensors, "module.pos_embed": extra },
      /"pos_embed" and "module\.pos_embed" are the same parameter|"module\.pos_embed" and "pos_embed"/,
    );
    const nan = Float32Array.from(data as Float32Array).fill(Number.NaN, 3, 4);
    await refused(
      { ...tensors, pos_embed: { dtype: "F32", shape, data: nan } },
      /pos_embed holds numbers that are not finite/,
    );
    await refused(
      renamed(tensors, (name) => `model.${name}`),
      /has model weights only, and the experiment samples from ema/,
    );
    await refused(await initial("aligned"), /unexpected: projectors\.0\.projection_layer\.(weight|bias)/);
    expect(await descry("import", "tiny.yaml", "--arm", "nobody", "back.safetensors")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no arm "nobody" in tiny — arms: control, aligned, deep'),
    });
    writeFileSync(path.join(project, "x.pt"), "PK\x03\x04 and so on");
    expect(await descry("import", "tiny.yaml", "--arm", "control", "x.pt")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/x\.pt: is a file of torch\.save, wanted safetensors — save_file\(/),
    });
  });

  test("is taken under the names that DDP, torch.compile and averaging give it, without projectors and with", async () => {
    const tensors = await initial("aligned");
    const imported = async (file: Tensors, metadata = {}) => {
      const argv = ["import", "tiny.yaml", "--arm", "aligned", await write(file, metadata), "--replace", "--json"];
      const result = await descry(...argv);
      expect(result).toMatchObject({ code: 0, stderr: "" });
      return JSON.parse(result.stdout);
    };
    expect(await imported(tensors)).toMatchObject({ weights: ["ema"], step: 2, stepFrom: "the experiment" });
    const alone = Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith("projectors.")));
    const ddp = renamed(alone, (name) => `module._orig_mod.${name}`);
    expect(await imported(ddp, { step: "70" })).toMatchObject({ weights: ["ema"], step: 70, stepFrom: "the file" });
    const both = { ...renamed(tensors, (name) => `ema.module.${name}`), ...renamed(alone, (name) => `model/${name}`) };
    expect(await imported(both)).toMatchObject({ weights: ["ema", "model"] });
    const { parameters } = await readCheckpointWeights(armFile("aligned", "imported.safetensors"), "ema");
    for (const [name, { data }] of Object.entries(alone)) expect(parameters[name]!.data, name).toEqual(data);
    // REPA calls the layers of its projector so.
    const repa = renamed(await initial("deep"), (name) => name.replace("projection_layer.", ""));
    expect(Object.keys(repa)).toContain("projectors.0.4.weight");
    const deep = await descry("import", "tiny.yaml", "--arm", "deep", await write(repa), "--json");
    expect(deep).toMatchObject({ code: 0 });
  });

  test("stands in for training: sampled, evaluated, reported as imported; nothing is replaced unasked", async () => {
    const tensors = await initial("control");
    // Weights that give other samples than the initial ones, whose velocity is zero.
    const bias = tensors["final_layer.linear.bias"]!;
    const changed = {
      ...tensors,
      "final_layer.linear.bias": { ...bias, data: new Float32Array(bias.data.length).fill(0.25) },
    };
    const file = await write(changed);
    const argv = ["import", run, "--arm", "control", file, "--step", "1234"];
    expect(await descry(...argv)).toMatchObject({
      code: 0,
      stdout: "arm control: ema weights of back.safetensors, step 1234 (as --step says)\n",
    });
    expect(await descry(...argv)).toMatchObject({ code: 2, stderr: expect.stringContaining("--replace removes them") });
    const whole = await descry("run", "tiny.yaml");
    expect(whole).toMatchObject({ code: 0 });
    expect(whole.stderr).toMatch(/train +control +imported from back\.safetensors, step 1234, skipped/);
    expect(json(armFile("control", "samples.json"))).toMatchObject({ checkpoint: "imported.safetensors", step: 1234 });
    expect(json(armFile("control", "evaluation.json"))).toMatchObject({ step: 1234, weights: "ema" });
    const page = readFileSync(path.join(run, "report.html"), "utf8");
    const digest = sha256(path.join(project, file));
    expect(page).toContain(
      "The arm control was trained elsewhere: its weights, of step 1234, were imported from back.safetensors",
    );
    expect(page).toContain(digest);

    // Another import: what was measured of the one before goes with it.
    const again = await descry("import", "tiny.yaml", "--arm", "control", file, "--step", "5", "--replace");
    expect(again).toMatchObject({ code: 0 });
    expect(readdirSync(path.join(run, "arms", "control")).sort()).toEqual(["imported.json", "imported.safetensors"]);
    // Trained here after all: the import goes, and comes back only when asked.
    expect(await descry("train", "tiny.yaml", "--arm", "control", "--no-resume", "--quiet")).toMatchObject({ code: 0 });
    expect(readdirSync(path.join(run, "arms", "control"))).toContain("checkpoint-0000002.safetensors");
    const kept = await descry("import", "tiny.yaml", "--arm", "control", file);
    expect(kept).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("arm control has checkpoints up to step 2 — "),
    });
    expect(readdirSync(path.join(run, "arms", "control"))).toContain("checkpoint-0000002.safetensors");
  }, 120_000);
});

const hasTorch = pythonHas("torch", "safetensors.torch");
describe.skipIf(!hasTorch)(`with PyTorch (${hasTorch ? "here" : `${PYTHON} has no torch and safetensors`})`, () => {
  test.each(["control", "aligned", "deep"])(
    "%s: read by the README's data set, trained, and back",
    async (arm) => {
      const back = path.join(project, `torch-${arm}`);
      const script = path.join(ROOT, "test", "run", "hand_over.py");
      const python = spawnSync(PYTHON, [script, out, arm, back], { encoding: "utf8" });
      expect([python.status, python.stderr]).toEqual([0, expect.not.stringContaining("Traceback")]);
      const { tensors: forward } = await readSafetensors(path.join(back, "forward.safetensors"));
      for (const name of ["ema.safetensors", "both.safetensors"]) {
        const file = path.join(back, name);
        const result = await descry("import", "tiny.yaml", "--arm", arm, file, "--replace", "--json");
        expect(result).toMatchObject({ code: 0 });
        expect(JSON.parse(result.stdout).weights).toEqual(name === "ema.safetensors" ? ["ema"] : ["ema", "model"]);
        const { parameters } = await readCheckpointWeights(armFile(arm, "imported.safetensors"), "ema");
        const recipe = json(exported("arms", arm, "recipe.json"));
        const network = await openSitNetwork(parameters, recipe.model, { batch: 4, threads: 1 });
        const y = forward["y"]!.data as Int32Array;
        const ours = await network.velocity(forward["x"]!.data as Float32Array, 0.3, y);
        await network.dispose();
        const theirs = forward["v"]!.data as Float32Array;
        const error = Math.max(...ours.map((value, i) => Math.abs(value - theirs[i]!)));
        expect(error).toBeLessThan(1e-5);
      }
      expect(await descry("sample", "tiny.yaml", "--arm", arm, "--quiet")).toMatchObject({ code: 0 });
      expect(existsSync(armFile(arm, "samples.npz"))).toBe(true);
    },
    120_000,
  );
});
