import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { experimentYaml } from "../../src/report/experiment-yaml.js";
import { ROOT, runCli, temporaryFolder } from "./run-cli.js";

const GOOD = `name: tiny
data: { count: 18, sizePx: 16 }
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1 }
train: { steps: 3, batch: 4 }
sample: { count: 8 }
arms:
  - { name: control }
  - { name: aligned, target: sift, projector: conv }
`;

async function configure(text: string, ...more: string[]) {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, "my.yaml"), text);
  return runCli(["config", "my.yaml", ...more], folder);
}

/** `from` replaced by `to` in the good file gives exactly this line. */
async function expectProblem(from: string, to: string, line: RegExp): Promise<void> {
  expect(GOOD).toContain(from);
  const { code, stdout, stderr } = await configure(GOOD.replace(from, to));
  expect(stderr).toMatch(line);
  expect(stderr).toMatch(/^descry: my\.yaml[^\n]*\n$/);
  expect(stdout).toBe("");
  expect(code).toBe(2);
}

describe("good files", () => {
  test("defaults are filled in and shared settings merged into the arms", async () => {
    const { code, stdout } = await configure(GOOD, "--json");
    expect(code).toBe(0);
    const { experiment, hash, given } = JSON.parse(stdout);
    expect(hash).toMatch(/^[0-9a-f]{8}$/);
    expect(experiment.data).toEqual({
      source: "photos",
      count: 18,
      sizePx: 16,
      flips: true,
      variants: null,
      seed: null,
      skipBad: false,
    });
    expect(experiment.model).toEqual({
      type: "sit",
      size: "custom",
      width: 32,
      depth: 2,
      heads: 2,
      patch: 4,
      mlpRatio: 4,
      space: "pixel",
    });
    expect(experiment.arms).toEqual([
      { name: "control", align: null },
      {
        name: "aligned",
        align: {
          target: "sift",
          projector: "conv",
          kernel: 3,
          spatialNorm: null,
          coefficient: 0.5,
          depth: 1,
          projectorWidth: 512,
        },
      },
    ]);
    expect(given["train.steps"]).toBe("my.yaml:5");
    expect(given["train.learningRate"]).toBeUndefined();
  });

  test("the printed configuration is YAML that says where overridden values came from", async () => {
    const { code, stdout } = await configure(GOOD, "--set", "train.steps=7");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^# run folder: runs\/tiny-[0-9a-f]{8}\n# train\.steps: from --set train\.steps\n/);
    expect(parse(stdout).train.steps).toBe(7);
  });

  test("a published size sets the shape", async () => {
    const { stdout } = await configure(
      GOOD.replace("{ width: 32, depth: 2, heads: 2, patch: 4 }", "{ size: S/4 }"),
      "--json",
    );
    expect(JSON.parse(stdout).experiment.model).toMatchObject({ width: 384, depth: 12, heads: 6, patch: 4 });
  });

  test("the hash follows what changes results, and nothing else", async () => {
    const hashOf = async (text: string, ...more: string[]) =>
      JSON.parse((await configure(text, "--json", ...more)).stdout).hash as string;
    const base = await hashOf(GOOD);
    expect(await hashOf(stringify(parse(GOOD)))).toBe(base);
    expect(await hashOf(GOOD, "--set", "train.threads=1")).toBe(base);
    expect(await hashOf(GOOD, "--set", "train.checkpointEvery=1")).toBe(base);
    expect(await hashOf(GOOD, "--set", "train.learningRate=0.0001")).toBe(base);
    expect(await hashOf(GOOD, "--set", "train.learningRate=0.0002")).not.toBe(base);
    expect(await hashOf(GOOD, "--set", "arms.aligned.kernel=1")).not.toBe(base);
    expect(await hashOf(GOOD, "--set", "seed=1")).not.toBe(base);
    expect(await hashOf(GOOD, "--set", "train.precision=float32")).toBe(base);
    expect(await hashOf(GOOD, "--set", "train.precision=mixed")).not.toBe(base);
    expect(await hashOf(GOOD, "--set", "data.variants=null")).toBe(base);
    expect(await hashOf(GOOD, "--set", "data.variants=2")).not.toBe(base);
    expect(await hashOf(GOOD, "--set", "evaluate.every=null")).toBe(base);
    expect(await hashOf(GOOD, "--set", "train.checkpointEvery=1", "--set", "evaluate.every=1")).not.toBe(base);
    // A hash that a run got before there were variants: old runs go on under their names.
    expect(base).toBe("984b2f0d");
  });

  test("--data and --set lie over the file, the later over the earlier", async () => {
    const { stdout } = await configure(
      GOOD,
      ...["--json", "--data", "imagefolder:x", "--set", "seed=1", "--set", "seed=2", "--set", "train.betas=[0.8, 0.9]"],
    );
    const { experiment } = JSON.parse(stdout);
    expect(experiment.data.source).toBe("imagefolder:x");
    expect(experiment.seed).toBe(2);
    expect(experiment.train.betas).toEqual([0.8, 0.9]);
  });

  test.each(readdirSync(path.join(ROOT, "experiments")).filter((name) => name.endsWith(".yaml")))(
    "experiments/%s is good",
    async (name) => {
      const { code, stderr } = await runCli(["config", `experiments/${name}`]);
      expect(stderr).toBe("");
      expect(code).toBe(0);
    },
  );
});

describe("evaluations along training", () => {
  const problem = (train: string, evaluate: string, line: RegExp) =>
    expectProblem(
      "train: { steps: 3, batch: 4 }",
      `train: { steps: 300, batch: 4${train} }\nevaluate: { ${evaluate} }`,
      line,
    );

  test("stand at checkpoints, before the end", async () => {
    await problem(
      "",
      "every: 50",
      /:6: evaluate\.every: wanted a multiple of train\.checkpointEvery \(100\), got 50 — or set/,
    );
    await problem("", "every: 300", /:6: evaluate\.every: wanted fewer than the 300 steps of the training, got 300/);
    await problem("", "everyCount: 50", /:6: evaluate\.everyCount: is for evaluations along training/);
  });
});

describe("latent space", () => {
  const AUTOENCODER = "onnx:e.onnx#z?decoder=d.onnx&latents=mean&pixels=0..1&channels=3";
  const LATENT = GOOD.replace("sizePx: 16", "sizePx: 64")
    .replace("model: {", "model: { space: latent,")
    .replace("align:", `latents: { autoencoder: "${AUTOENCODER}", scale: 0.5 }\nalign:`);
  const set = async (...values: string[]) => configure(LATENT, ...values.flatMap((value) => ["--set", value]));

  test("what the autoencoder says is filled in; the patch counts latents", async () => {
    const resolve = async (...values: string[]) =>
      JSON.parse((await configure(LATENT, "--json", ...values.flatMap((value) => ["--set", value]))).stdout).experiment;
    expect(await resolve()).toMatchObject({
      model: { space: "latent" },
      latents: { autoencoder: AUTOENCODER, scale: 0.5, bias: 0, cacheDtype: "F16" },
    });
    expect((await resolve("latents.scale=[1, 2, 3]", "latents.bias=[0, 0, 1]")).latents).toMatchObject({
      scale: [1, 2, 3],
      bias: [0, 0, 1],
    });
    expect((await resolve("latents.scale=data")).latents).toMatchObject({ scale: "data", bias: null });
    expect((await resolve("latents.autoencoder=sd-vae-ft-mse", "latents.scale=null")).latents).toMatchObject({
      autoencoder: "sd-vae-ft-mse",
      scale: 0.18215,
      bias: 0,
    });
  });

  test("what a file resolves to is a file of the same run", async () => {
    const { stdout } = await configure(LATENT);
    const [name] = /runs\/tiny-[0-9a-f]{8}/.exec(stdout)!;
    expect(
      (await configure(experimentYaml(JSON.parse((await configure(LATENT, "--json")).stdout).experiment))).stdout,
    ).toContain(name);
  });

  test.each<[string[], RegExp]>([
    [["model.space=pixel"], /my\.yaml:4: latents: is for model\.space latent, got pixel/],
    [["latents.scale=null"], /latents\.scale: is missing: the autoencoder does not say .* — scale: data measures it/],
    [["latents.scale=[1, 2]"], /latents\.scale: wanted one number or 3, one a channel, got 2/],
    [
      ["latents.scale=dat"],
      /latents\.scale: wanted a number above 0, a list of them \(one a channel\) or data, got "dat"/,
    ],
    [["latents.scale=-1"], /latents\.scale: wanted a number of more than 0, got -1/],
    [["latents.bias=x"], /latents\.bias: wanted a number or a list of numbers \(one a channel\), got "x"/],
    [["latents.bias=[1, 2, 3, 4]"], /latents\.bias: wanted one number or 3, one a channel, got 4/],
    [["latents.scale=data", "latents.bias=1"], /latents\.bias: is measured together with the scale, which is data/],
    [
      ["latents.autoencoder=sd-vae"],
      /latents\.autoencoder: unknown autoencoder "sd-vae"; there are: onnx:ENCODER#OUTPUT\?…, sd-vae-ft-mse, sd-vae-ft-ema/,
    ],
    [["latents.autoencodr=x"], /latents\.autoencodr: unknown key — did you mean "autoencoder"\?/],
    [["data.sizePx=60"], /data\.sizePx: wanted a multiple of the autoencoder's downsampling \(8 pixels\), got 60/],
    [
      ["data.sizePx=72"],
      /data\.sizePx: wanted a multiple of the patch \(4 latents of 8 pixels each\), got 72 — the grid has sizePx \/ 32/,
    ],
    [["data.sizePx=32"], /model\.patch: leaves a grid of one token: wanted at most 2 latents, got 4/],
    [["train.device=tfjs-cpu"], /train\.device: autoencoders run on cpu, webgpu or cuda, got tfjs-cpu/],
    [
      ["evaluate.network=inception"],
      /evaluate\.network: unknown feature network "inception"; there are: random-vgg, inception-adm/,
    ],
    [["evaluate.also=[dinov2-vit-l, dinov2-vit-l]"], /evaluate\.also\[1\]: "dinov2-vit-l" is there twice/],
    [
      ["evaluate.reference=a.npz", "evaluate.referenceCount=20"],
      /evaluate\.referenceCount: counts images of the data set, got 20 with a reference file — leave it out/,
    ],
  ])("%j", async (values, message) => {
    const { code, stderr } = await set(...values);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^descry: [^\n]*\n$/);
    expect(code).toBe(2);
  });
});

describe("problems are one line with file, line, path, what was wanted and what was found", () => {
  const cases: [what: string, from: string, to: string, line: RegExp][] = [
    [
      "mixed precision on a device that runs eagerly",
      "train: { steps: 3",
      "train: { precision: mixed, device: tfjs-cpu, steps: 3",
      /my\.yaml:5: train\.precision: mixed needs a compiled device, got device tfjs-cpu — use device webgpu/,
    ],
    [
      "unknown key",
      "train: { steps: 3",
      "train: { stpes: 3",
      /my\.yaml:5: train\.stpes: unknown key — did you mean "steps"\?/,
    ],
    [
      "unknown key of an arm",
      "projector: conv",
      "projecter: conv",
      /my\.yaml:9: arms\[1\]\.projecter: unknown key — did you mean "projector"\?/,
    ],
    ["unknown section", "align: {", "aline: {", /my\.yaml:4: aline: unknown key — did you mean "align"\?/],
    ["wrong type", "steps: 3", "steps: many", /my\.yaml:5: train\.steps: wanted a number, got "many"/],
    ["fraction", "steps: 3", "steps: 2.5", /train\.steps: wanted a whole number, got 2\.5/],
    ["too small", "steps: 3", "steps: 0", /train\.steps: wanted a (whole )?number of at least 1, got 0/],
    ["not finite", "steps: 3", "learningRate: .nan", /train\.learningRate: wanted a number, got NaN/],
    [
      "unknown word",
      "projector: conv",
      "projector: cnov",
      /arms\[1\]\.projector: wanted one of mlp, linear, conv, got "cnov" — did you mean "conv"\?/,
    ],
    ["missing key", "name: tiny\n", "", /my\.yaml: name: is missing/],
    [
      "no arms",
      "arms:\n  - { name: control }\n  - { name: aligned, target: sift, projector: conv }",
      "arms: []",
      /arms: wanted a list of at least 1 entry, got \[\]/,
    ],
    ["unknown target", "target: sift", "target: sfit", /arms\[1\]\.target: .*sfit.*sift/],
    [
      "variants without room for the mirror image",
      "sizePx: 16",
      "sizePx: 16, variants: 1",
      /my\.yaml:2: data\.variants: wanted at least 2 with data\.flips, got 1/,
    ],
    ["twin arms", "name: aligned", "name: Control", /arms\[1\]\.name: "Control" is taken by the arm "control"/],
    [
      "arm that is no folder name",
      "name: aligned",
      'name: "../up"',
      /arms\[1\]\.name: wanted a name of at most 64 letters/,
    ],
    [
      "depth beyond the model",
      "align: { depth: 1 }",
      "align: { depth: 3 }",
      /my\.yaml:4: align\.depth: wanted a block of 1…2 \(the model's depth\), got 3/,
    ],
    [
      "grid that does not match",
      "sizePx: 16",
      "sizePx: 18",
      /data\.sizePx: wanted a multiple of the patch \(4 pixels\), got 18/,
    ],
    ["heads that do not divide", "heads: 2", "heads: 3", /model\.heads: wanted a divisor of the width 32, got 3/],
    ["half a custom size", "heads: 2, ", "", /model\.heads: is missing: size custom needs width, depth, heads, patch/],
    ["unknown size", "{ width: 32, depth: 2, heads: 2, patch: 4 }", "{ size: Q/4 }", /model\.size: unknown size Q\/4/],
    ["size and shape", "width: 32", "size: S/4, width: 32", /model\.width: is set by the size S\/4/],
    [
      "latent space without an autoencoder",
      "model: {",
      "model: { space: latent,",
      /my\.yaml: latents: is missing: model\.space latent needs an autoencoder/,
    ],
    [
      "kernel of an mlp",
      "projector: conv",
      "projector: mlp, kernel: 3",
      /arms\[1\]\.kernel: only the conv projector has a kernel/,
    ],
    ["even kernel", "projector: conv", "projector: conv, kernel: 4", /arms\[1\]\.kernel: wanted an odd number, got 4/],
    [
      "hidden width of a convolution",
      "projector: conv",
      "projector: conv, projectorWidth: 8",
      /arms\[1\]\.projectorWidth: only the mlp/,
    ],
    [
      "normalization of nothing",
      "{ name: control }",
      "{ name: control, spatialNorm: 0.6 }",
      /arms\[0\]\.spatialNorm: needs a target/,
    ],
    [
      "alpha beyond 1",
      "projector: conv",
      "projector: conv, spatialNorm: 1.5",
      /arms\[1\]\.spatialNorm: wanted a number of at most 1, got 1\.5/,
    ],
    ["batch beyond the data", "batch: 4", "batch: 19", /train\.batch: wanted at most data\.count = 18 images, got 19/],
    [
      "interval backwards",
      "sample: {",
      "sample: { guidanceInterval: [0.8, 0.2],",
      /sample\.guidanceInterval: wanted \[low, high\] with low ≤ high/,
    ],
    [
      "unknown network",
      "sample: { count: 8 }",
      "evaluate: { network: random-vg }",
      /my\.yaml:6: evaluate\.network: unknown feature network "random-vg".* did you mean "random-vgg"\?/,
    ],
    [
      "network without what its pixels are divided by",
      "sample: { count: 8 }",
      'evaluate: { network: "onnx:a.onnx#x?mean=0" }',
      /my\.yaml:6: evaluate\.network: feature network ".*": "std" is missing/,
    ],
    [
      "more neighbours than samples",
      "sample: { count: 8 }",
      "sample: { count: 3 }",
      /evaluate\.neighbours: wanted fewer than the 3 images/,
    ],
    ["no YAML", "name: tiny", "name: [tiny", /my\.yaml:\d+: not valid YAML: /],
    ["key given twice", "name: tiny", "name: tiny\nname: tiny2", /my\.yaml:2: not valid YAML: /],
  ];
  test.each(cases)("%s", async (_what, from, to, line) => expectProblem(from, to, line));

  test("a list instead of a file's sections", async () => {
    const { code, stderr } = await configure("- 1\n- 2\n");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^descry: my\.yaml: wanted a section with name/);
  });

  test("an empty file", async () => {
    const { code, stderr } = await configure("");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^descry: my\.yaml: wanted a section with name/);
  });

  test("a wrong override points at the override, not at the file", async () => {
    const { code, stderr } = await configure(GOOD, "--set", "train.steps=0");
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^descry: --set train\.steps: train\.steps: wanted a (whole )?number of at least 1, got 0\n$/,
    );
  });

  test("an override of an unknown key suggests the nearest", async () => {
    const { stderr } = await configure(GOOD, "--set", "train.stpes=3");
    expect(stderr).toMatch(/^descry: --set train\.stpes: train\.stpes: unknown key — did you mean "steps"\?/);
  });

  test("an override of an unknown arm lists the arms", async () => {
    const { code, stderr } = await configure(GOOD, "--set", "arms.alined.kernel=3");
    expect(code).toBe(2);
    expect(stderr).toMatch(/no entry "alined" — known: control, aligned/);
  });
});
