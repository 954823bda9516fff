/** Published encoders as targets: names, files, what is refused. The files are small models with the encoders' inputs and outputs. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import onnxProto from "onnx-proto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DataError, ShapeError, UnsupportedError, UsageError } from "../../../data/errors.js";
import { openFeatureComputer } from "../../../features/compute-features.js";
import { ENCODERS } from "../../../features/encoders/encoder-table.js";
import { surveyEncoders } from "../../../features/encoders/survey-encoders.js";
import { loadDescriptor } from "../../../features/load-descriptor.js";
import { parseTarget, splitTargetList } from "../../../features/targets.js";
import { runCli } from "../../cli/run-cli.js";
import { COMMIT, type HubServer, openHubServer, sha256 } from "../hub/hub-server.js";

const { onnx } = onnxProto;

/**
 * `pixel_values` [n,3,side,side] → mean of each patch → each channel repeated `dim / 3` times → a class token of its mean before them →
 * `last_hidden_state` [n,1+T,dim].
 */
function patchMeans({ side, patch, dim }: { side: number; patch: number; dim: number }): Uint8Array {
  const { FLOAT, INT64 } = onnx.TensorProto.DataType;
  const { INTS, INT } = onnx.AttributeProto.AttributeType;
  const port = (name: string, sides: (number | string)[]) => {
    const dim = sides.map((one) => (typeof one === "number" ? { dimValue: one } : { dimParam: one }));
    return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } };
  };
  const ints = (name: string, values: number[]) => ({ name, type: INTS, ints: values });
  const int64 = (name: string, values: number[]) => ({
    name,
    dataType: INT64,
    dims: [values.length],
    rawData: new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer),
  });
  const tokens = (side / patch) ** 2;
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "patch means",
      initializer: [int64("shape", [0, 3, tokens]), int64("repeats", [1, 1, dim / 3])],
      node: [
        {
          opType: "AveragePool",
          input: ["pixel_values"],
          output: ["map"],
          attribute: [ints("kernel_shape", [patch, patch]), ints("strides", [patch, patch])],
        },
        { opType: "Reshape", input: ["map", "shape"], output: ["columns"] },
        { opType: "Transpose", input: ["columns"], output: ["patches"], attribute: [ints("perm", [0, 2, 1])] },
        { opType: "ReduceMean", input: ["patches"], output: ["class"], attribute: [ints("axes", [1])] },
        {
          opType: "Concat",
          input: ["class", "patches"],
          output: ["narrow"],
          attribute: [{ name: "axis", type: INT, i: 1 }],
        },
        { opType: "Tile", input: ["narrow", "repeats"], output: ["last_hidden_state"] },
      ],
      input: [port("pixel_values", ["n", 3, side, side])],
      output: [port("last_hidden_state", ["n", 1 + tokens, dim])],
    },
  }).finish();
}

/** `pixel_values` [n,3,224,224] → `last_hidden_state` [n,261,768], 0…767 in every token; those numbers are in `model.onnx_data`. */
function withWeightsBeside(): [model: Uint8Array, weights: Uint8Array] {
  const { FLOAT, INT64 } = onnx.TensorProto.DataType;
  const port = (name: string, sides: (number | string)[]) => {
    const dim = sides.map((one) => (typeof one === "number" ? { dimValue: one } : { dimParam: one }));
    return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } };
  };
  const weights = new Uint8Array(Float32Array.from({ length: 768 }, (_, i) => i).buffer);
  const column = new Uint8Array(new BigInt64Array([-1n, 1n, 1n]).buffer);
  const expanded = new Uint8Array(new BigInt64Array([1n, 261n, 768n]).buffer);
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "weights beside",
      initializer: [
        { name: "column", dataType: INT64, dims: [3], rawData: column },
        { name: "expanded", dataType: INT64, dims: [3], rawData: expanded },
        {
          name: "numbers",
          dataType: FLOAT,
          dims: [1, 1, 768],
          dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
          externalData: [
            { key: "location", value: "model.onnx_data" },
            { key: "offset", value: "0" },
            { key: "length", value: String(weights.length) },
          ],
        },
      ],
      node: [
        {
          opType: "ReduceMax",
          input: ["pixel_values"],
          output: ["most"],
          attribute: [
            { name: "axes", type: onnx.AttributeProto.AttributeType.INTS, ints: [1, 2, 3] },
            { name: "keepdims", type: onnx.AttributeProto.AttributeType.INT, i: 0 },
          ],
        },
        { opType: "Sub", input: ["most", "most"], output: ["zeros"] },
        { opType: "Reshape", input: ["zeros", "column"], output: ["zeros3"] },
        { opType: "Add", input: ["zeros3", "numbers"], output: ["one"] },
        { opType: "Expand", input: ["one", "expanded"], output: ["last_hidden_state"] },
      ],
      input: [port("pixel_values", ["n", 3, 224, 224])],
      output: [port("last_hidden_state", ["n", 261, 768])],
    },
  }).finish();
  return [model, weights];
}

const KEPT = ["HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN", "DESCRY_ENCODERS"] as const;
let before: Record<string, string | undefined>;
let folder: string;
let hub: HubServer | undefined;
beforeEach(() => {
  before = Object.fromEntries(KEPT.map((name) => [name, process.env[name]]));
  for (const name of KEPT) delete process.env[name];
  folder = mkdtempSync(path.join(tmpdir(), "descry-encoders-"));
  process.env["HF_HOME"] = path.join(folder, "hf");
  process.env["DESCRY_ENCODERS"] = path.join(folder, "own");
});
afterEach(async () => {
  for (const name of KEPT) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await hub?.close();
  hub = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const putOwn = (name: string, bytes: Uint8Array) => {
  mkdirSync(path.join(folder, "own"), { recursive: true });
  writeFileSync(path.join(folder, "own", `${name}.onnx`), bytes);
};

describe("names", () => {
  // The 27 of metrics/spatial_metrics_comparison.py, and the types of its README that are not among them.
  test.each(
    `dinov2-vit-b dinov2-vit-l dinov2-vit-g dinov3-vit-b16 dinov3-vit-l16 dinov3-vit-h16plus dinov3-vit-7b16
    webssl-vit-dino300m_full2b_224 webssl-vit-dino1b_full2b_224 webssl-vit-dino2b_full2b_224 webssl-vit-dino3b_full2b_224
    pe-vit-b pe-vit-l pe-vit-g langpe-vit-l langpe-vit-g spatialpe-vit-b spatialpe-vit-l spatialpe-vit-g cradio-vit-b cradio-vit-l
    dino-vit-b clip-vit-L mocov3-vit-b mocov3-vit-l jepa-vit-h mae-vit-l
    siglip-vit-b siglip-vit-l siglip-vit-so400m siglip2-vit-b siglip2-vit-l siglip2-vit-so400m siglip2-vit-g
    sam2-vit-s sam2-vit-b sam2-vit-l vgg`.split(/\s+/),
  )("%s", (name) => {
    expect(parseTarget(name).name).toBe(name);
    expect(parseTarget(name).dim).toBe(ENCODERS.find((encoder) => encoder.name === name)!.dim);
    expect(splitTargetList(`sift,${name},hog`)).toEqual(["sift", name, "hog"]);
  });

  test("the statistics of the weights are an option where the published code takes others, and the summary says which", () => {
    expect(parseTarget("vgg").summary).toContain(
      "(x/255 - [0.485,0.456,0.406]) / [0.229,0.224,0.225], as published, not the weights' own",
    );
    expect(parseTarget("vgg:own-stats").summary).toMatch(
      /\[0\.48235,0\.45882,0\.40784\].*which the weights were trained with/,
    );
    expect(parseTarget("siglip-vit-b:own-stats").name).toBe("siglip-vit-b:own-stats");
    expect(() => parseTarget("dinov2-vit-b:own-stats")).toThrow(/unknown option "own-stats" — it takes no options/);
    expect(() => parseTarget("vgg:own")).toThrow(/it takes own-stats/);
  });

  test("class tokens are mixed in where there are any", () => {
    expect(parseTarget("dinov2mixed-vit-b").name).toBe("mix(dinov2-vit-b,alpha=0.1)");
    expect(parseTarget("dinov2mixedreg-vit-l").name).toBe("mix(dinov2reg-vit-l,alpha=0.1)");
    expect(parseTarget("mix(pe-vit-b,alpha=0.5)").name).toBe("mix(pe-vit-b,alpha=0.5)");
    expect(() => parseTarget("mix(pe-vit-g)")).toThrow(/no class token/);
  });

  test("a misspelt one is told the nearest, and not all of them", () => {
    expect(() => parseTarget("dinov2-vitb")).toThrow(UsageError);
    expect(() => parseTarget("dinov2-vitb")).toThrow(
      /and \d+ encoders \(descry targets --encoders\) — did you mean "dinov2-vit-b"\?/,
    );
    expect(() => parseTarget("hgo")).toThrow(/did you mean "hog"/);
  });
});

describe("an export of one's own", () => {
  test("wins, is resized for, and its tokens are the patches of the picture", async () => {
    putOwn("dinov2-vit-s", patchMeans({ side: 224, patch: 14, dim: 384 }));
    const descriptor = await loadDescriptor(parseTarget("dinov2-vit-s"));
    expect(descriptor.summary).toContain(`file: ${path.join(folder, "own", "dinov2-vit-s.onnx")}`);
    const images = new Uint8Array(2 * 128 * 128 * 3).fill(128).fill(255, 128 * 128 * 3);
    const computer = await openFeatureComputer(descriptor, { imageSizePx: 128, grid: 8, batch: 2 });
    expect(computer.note).toBe(
      "images of 128 px resized to 224 px (bicubic), 16×16 tokens resampled to 8×8 (bilinear)",
    );
    const tokens = await computer.compute(images, 2);
    await computer.dispose();
    expect(tokens).toHaveLength(2 * 64 * 384);
    expect(tokens[0]).toBeCloseTo((128 / 255 - 0.485) / 0.229, 4);
    expect(tokens[64 * 384 + 2]).toBeCloseTo((1 - 0.406) / 0.225, 4);
  });

  test("on 512 pixels another one is wanted, and the command says so", async () => {
    putOwn("dinov2-vit-s", patchMeans({ side: 224, patch: 14, dim: 384 }));
    const opening = openFeatureComputer(parseTarget("dinov2-vit-s"), { imageSizePx: 512, grid: 32, batch: 1 });
    await expect(opening).rejects.toThrow(
      /size=448, but .* takes \[n, 3, 224, 224\] — an export that fits: python .*export_encoder\.py dinov2-vit-s --tokens 32 --out/,
    );
  });

  test("one of another model is refused", async () => {
    putOwn("dinov2-vit-b", patchMeans({ side: 224, patch: 14, dim: 384 }));
    const opening = openFeatureComputer(parseTarget("dinov2-vit-b"), { imageSizePx: 256, grid: 16, batch: 1 });
    await expect(opening).rejects.toThrow(ShapeError);
    await expect(
      openFeatureComputer(parseTarget("dinov2-vit-b"), { imageSizePx: 256, grid: 16, batch: 1 }),
    ).rejects.toThrow(/gives 16×16 tokens of 384 channels, wanted 16×16 of 768 — an export that fits/);
  });

  test("other bytes are another fingerprint, and so are other statistics", async () => {
    const load = async (target: string) => (await loadDescriptor(parseTarget(target))).fingerprint;
    putOwn("siglip-vit-b", patchMeans({ side: 256, patch: 16, dim: 768 }));
    const first = await load("siglip-vit-b");
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await load("siglip-vit-b")).toBe(first);
    expect(await load("siglip-vit-b:own-stats")).not.toBe(first);
    putOwn("siglip-vit-b", patchMeans({ side: 256, patch: 32, dim: 768 }));
    expect(await load("siglip-vit-b")).not.toBe(first);
  });

  test("without one where none is published, one line says how to make it", async () => {
    await expect(loadDescriptor(parseTarget("pe-vit-g"))).rejects.toThrow(UnsupportedError);
    await expect(loadDescriptor(parseTarget("concat(sift,pe-vit-g)"))).rejects.toThrow(
      /^target "pe-vit-g": no ONNX export of PE-Core-G14-448 .* is on the hub, and no .*pe-vit-g\.onnx here — make it: python .*export_encoder\.py pe-vit-g --out .*pe-vit-g\.onnx \(needs torch, onnxscript, github\.com\/facebookresearch\/perception_models\)$/,
    );
  });
});

describe("an export of the hub", () => {
  const MODEL = patchMeans({ side: 224, patch: 14, dim: 384 });
  const openHub = async (bytes: Uint8Array, repo = "onnx-community/dinov2-large") => {
    hub = await openHubServer({ "onnx/model.onnx": bytes }, repo);
    process.env["HF_ENDPOINT"] = hub.url;
  };
  const lock = () => path.join(folder, "own", "lock.json");

  test("is downloaded at the first use, told of, and written down", async () => {
    await openHub(MODEL);
    const told: string[] = [];
    const target = parseTarget("dinov2-vit-l");
    const descriptor = await loadDescriptor(target, undefined, (file, done, total) =>
      told.push(`${file} ${done}/${total}`),
    );
    expect(told.at(-1)).toBe(`onnx-community/dinov2-large/onnx/model.onnx ${MODEL.length}/${MODEL.length}`);
    expect(descriptor.summary).toContain(`file: onnx-community/dinov2-large@${COMMIT.slice(0, 12)}`);
    const written = JSON.parse(readFileSync(lock(), "utf8"));
    expect(written["dinov2-vit-l"]).toMatchObject({ repo: "onnx-community/dinov2-large", revision: COMMIT });
    // From now on nobody is asked.
    process.env["HF_HUB_OFFLINE"] = "1";
    expect((await loadDescriptor(target)).fingerprint).toBe(descriptor.fingerprint);
    const found = surveyEncoders().encoders.find(({ name }) => name === "dinov2-vit-l");
    expect(found).toMatchObject({ place: "downloaded", from: "onnx-community/dinov2-large" });
  });

  test("comes with the file that has its weights, and opens through the links of the cache", async () => {
    const [model, weights] = withWeightsBeside();
    hub = await openHubServer(
      { "onnx/model.onnx": model, "onnx/model.onnx_data": weights },
      "onnx-community/dinov2-with-registers-base",
    );
    process.env["HF_ENDPOINT"] = hub.url;
    const descriptor = await loadDescriptor(parseTarget("dinov2reg-vit-b"));
    const written = JSON.parse(readFileSync(lock(), "utf8"))["dinov2reg-vit-b"];
    expect(Object.keys(written.files)).toEqual(["onnx/model.onnx", "onnx/model.onnx_data"]);
    expect(written.files["onnx/model.onnx_data"]).toBe(sha256(weights));
    const computer = await openFeatureComputer(descriptor, { imageSizePx: 256, grid: 16, batch: 1 });
    const tokens = await computer.compute(new Uint8Array(256 * 256 * 3).fill(255), 1);
    await computer.dispose();
    expect(tokens).toHaveLength(256 * 768);
    expect(tokens[767]).toBeCloseTo(767, 3); // the weights are 0, 1, …, 767 for every token
  });

  test("that is not what was written down is refused", async () => {
    await openHub(MODEL);
    await loadDescriptor(parseTarget("dinov2-vit-l"));
    const written = JSON.parse(readFileSync(lock(), "utf8"));
    written["dinov2-vit-l"].files["onnx/model.onnx"] = "0".repeat(64);
    writeFileSync(lock(), JSON.stringify(written));
    await expect(loadDescriptor(parseTarget("dinov2-vit-l"))).rejects.toThrow(DataError);
    await expect(loadDescriptor(parseTarget("dinov2-vit-l"))).rejects.toThrow(
      /has SHA-256 .*, and not what .*lock\.json has written down: 0000/,
    );
    writeFileSync(lock(), "{");
    await expect(loadDescriptor(parseTarget("dinov2-vit-l"))).rejects.toThrow(
      /lock\.json: is no lock file of encoders/,
    );
  });

  test("that is pinned has to have the pinned hash, before it is downloaded", async () => {
    await openHub(new Uint8Array(5000), "onnx-community/dinov2-base");
    hub!.commit = "31ef06cac16d5d301c5930d147002a058c85a5e4";
    await expect(loadDescriptor(parseTarget("dinov2-vit-b"))).rejects.toThrow(/on the hub, wanted 320d1012a6fc/);
    expect(hub!.requests.filter((line) => line.includes("/resolve/"))).toEqual([]);
  });

  test("and without a network: one line on the command line, exit code 2", async () => {
    process.env["HF_ENDPOINT"] = "http://127.0.0.1:9";
    const line = [
      "features",
      "--data",
      "photos",
      "--count",
      "2",
      "--target",
      "dinov2-vit-b",
      "--cache",
      path.join(folder, "cache"),
    ];
    const { code, stdout, stderr } = await runCli(line);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /^descry: target "dinov2-vit-b": onnx-community\/dinov2-base\/onnx\/model\.onnx: cannot reach http:\/\/127\.0\.0\.1:9 \([^)]+\) — [^\n]*or put an export of your own at [^\n]*dinov2-vit-b\.onnx: python [^\n]+\n$/,
    );
  });
});

test("descry targets --encoders says which are here", async () => {
  putOwn("pe-vit-g", patchMeans({ side: 224, patch: 14, dim: 1536 }));
  const { code, stdout } = await runCli(["targets", "--encoders"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^pe-vit-g +1536 {2}PE-Core-G14-448 .*224 px bilinear, without the final norm +own export: .*pe-vit-g\.onnx$/m,
  );
  expect(stdout).toMatch(/^dinov2-vit-b +768 .* hub: onnx-community\/dinov2-base$/m);
  expect(stdout).toMatch(/^mae-vit-l .* to be exported$/m);
  const json = JSON.parse((await runCli(["targets", "--encoders", "--json"])).stdout);
  expect(json.encoders).toHaveLength(ENCODERS.length);
  const plain = (await runCli(["targets"])).stdout;
  expect(plain.split("\n").filter((line) => line.includes("dinov2"))).toHaveLength(1);
});
