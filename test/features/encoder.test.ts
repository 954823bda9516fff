import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, ShapeError, UsageError } from "../../data/errors.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import type { Descriptor, Grid } from "../../features/descriptor.js";
import { loadDescriptor } from "../../features/load-descriptor.js";
import { parseTarget, splitTargetList } from "../../features/targets.js";
import { openModel } from "../../src/compile/session.js";
import { describePictures, maxDifference, picture, randomPicture } from "./images.js";
import { tinyEncoder } from "./tiny-encoder.js";

let folder = "";
const at = (name: string) => path.join(folder, name);
const RAW = "mean=0&std=1&scale=1"; // pixels as they are

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "descry-"));
  await writeFile(at("free.onnx"), tinyEncoder("batch", "side"));
  await writeFile(at("one.onnx"), tinyEncoder(1, 8));
  await writeFile(at("three.onnx"), tinyEncoder(3, 8));
  await writeFile(at("beside.onnx"), tinyEncoder("batch", "side"));
  await writeFile(
    at("beside.onnx.yaml"),
    "output: tokens\nmean: 0\nstd: [1, 1, 1]\nscale: 1\nsize: 8\ndrop: 1\ngrid: 2x4\n",
  );
  await writeFile(at("broken.onnx"), Buffer.from("not a model at all"));
  await writeFile(at("cut.onnx"), tinyEncoder("batch", "side").subarray(0, 300));
});
afterAll(() => rm(folder, { recursive: true }));

/** 8×8 pixels: each patch of 4×2 has a colour of its own, (row, column, 10·row + column) with other factors. */
const patches = (add: number) =>
  picture(8, 8, (y, x, c) => {
    const [row, column] = [Math.floor(y / 4), Math.floor(x / 2)];
    return add + [100 * row, 20 * column, 10 * row + column][c]!;
  });
const colours = (add: number) =>
  Array.from({ length: 8 }, (_, t) => {
    const [row, column] = [Math.floor(t / 4), t % 4];
    return [add + 100 * row, add + 20 * column, add + 10 * row + column];
  });

const tokensOf = (target: string, pictures = [patches(0), patches(7)], grid: Grid = [2, 4]) =>
  describePictures(parseTarget(`onnx:${at(target)}`), pictures, grid);

describe("tokens of an encoder", () => {
  const want = [...colours(0), ...colours(7)].flat();

  test.each([
    `free.onnx#tokens?${RAW}&size=8&drop=1&grid=2x4`,
    `free.onnx#patches?${RAW}&size=8&grid=2x4`,
    `free.onnx#map?${RAW}&size=8`,
    `one.onnx#tokens?${RAW}&drop=1&grid=2x4`,
    `three.onnx#map?${RAW}`,
    "beside.onnx",
    "beside.onnx#tokens",
  ])("of %s are its patches, row by row, whatever batch it takes", async (target) => {
    expect(maxDifference(await tokensOf(target), want)).toBeLessThan(1e-4);
  });

  test("are of one image whatever stands beside it", async () => {
    const pictures = [0, 1, 2, 3, 4].map((seed) => randomPicture(seed, 8, 8));
    const descriptor = parseTarget(`onnx:${at("three.onnx")}#map?${RAW}`);
    const together = await describePictures(descriptor, pictures, [2, 4]);
    for (const [i, one] of pictures.entries()) {
      const alone = await describePictures(descriptor, [one], [2, 4]);
      expect(maxDifference(alone, together.subarray(i * 24, (i + 1) * 24))).toBeLessThan(1e-4);
    }
  });

  // PyTorch 2.13.0 in float64: interpolate(6 px → 8 px, mode), (x/255 − mean)/std, avg_pool2d (4,2), interpolate to 3×3 (bilinear).
  test.each([
    [
      "",
      "0.40439 1.07884 1.71365 0.89288 1.23099 1.18252 0.94478 1.38896 0.65848 0.59849 1.02342 1.21454 0.94166 0.87139 1.19797 0.84815 1.14869 0.6519 0.79258 0.968 0.71543 0.99045 0.51179 1.21343 0.75153 0.90842 0.64532",
    ],
    [
      "&interpolation=bilinear-antialias",
      "0.4355 1.071 1.63941 0.87243 1.20368 1.14675 0.94987 1.33635 0.6541 0.61238 1.03913 1.19516 0.92108 0.87745 1.15809 0.8703 1.11119 0.62674 0.78925 1.00727 0.75091 0.96973 0.55123 1.16942 0.79073 0.88603 0.59937",
    ],
  ])("images of another size and another grid are resized as PyTorch does it%s", async (option, numbers) => {
    const image = picture(6, 6, (y, x, c) => (37 * y * y + 91 * x + 13 * y * x + 50 * c) % 256);
    const target = `free.onnx#map?size=8&mean=0.1,0.2,0.3&std=0.5,0.25,0.2${option}`;
    expect(maxDifference(await tokensOf(target, [image], [3, 3]), numbers.split(" ").map(Number))).toBeLessThan(2e-5);
  });

  test("what was resized and resampled is told", async () => {
    const noteOf = async (target: string, imageSizePx: number, grid: Grid) => {
      const computer = await openFeatureComputer(parseTarget(target), { imageSizePx, grid, batch: 2 });
      await computer.dispose();
      return computer.note;
    };
    const target = `onnx:${at("one.onnx")}#map?${RAW}`;
    expect(await noteOf(target, 8, [2, 4])).toBeUndefined();
    const note = "images of 48 px resized to 8 px (bicubic), 2×4 tokens resampled to 3×3 (bilinear)";
    expect(await noteOf(target, 48, [3, 3])).toBe(note);
    expect(await noteOf(`blur2(${target})`, 48, [3, 3])).toBe(note);
    expect(await noteOf(`concat(sift,${target})`, 48, [3, 3])).toContain(note);
  });

  test("devices without ONNX Runtime are refused", async () => {
    const options = { imageSizePx: 8, grid: [2, 4], batch: 1, device: "tfjs-cpu" } as const;
    const opening = openFeatureComputer(parseTarget(`onnx:${at("one.onnx")}#map?${RAW}`), options);
    await expect(opening).rejects.toThrow(/on cpu, webgpu or cuda, not on tfjs-cpu/);
  });
});

describe("mixing in the class token", () => {
  const encoder = () => `onnx:${at("one.onnx")}#tokens?${RAW}&drop=1&grid=2x4`;

  test("every token becomes α·CLS + (1 − α)·token", async () => {
    const tokens = await describePictures(parseTarget(`mix(${encoder()},alpha=0.25)`), [patches(0)], [2, 4]);
    const mean = [0, 1, 2].map((c) => colours(0).reduce((sum, colour) => sum + colour[c]! / 8, 0));
    const want = colours(0).flatMap((colour) => colour.map((value, c) => 0.25 * mean[c]! + 0.75 * value));
    expect(maxDifference(tokens, want)).toBeLessThan(1e-4);
  });

  test("α is 0.1 where it is not said, and combinations of it have its width", async () => {
    const name = `mix(${parseTarget(encoder()).name},alpha=0.1)`;
    expect(parseTarget(`mix(${encoder()})`).name).toBe(name);
    const loaded = await loadDescriptor(parseTarget(`concat( mix(${encoder()}) ,hog)`));
    expect(loaded).toMatchObject({ name: `concat(${name},hog)`, dim: 131 });
    expect(parseTarget(loaded.name).name).toBe(loaded.name);
  });

  test.each([
    ["mix(sift,alpha=0.1)", /mix: sift has no class token.*drop=1/],
    [`mix(onnx:m.onnx#y?${RAW})`, /has no class token/],
    [`mix(mix(onnx:m.onnx#y?${RAW}&drop=1))`, /has no class token/],
    [`mix(onnx:m.onnx#y?${RAW}&drop=1,alpha=2)`, /wanted alpha=A with A from 0 to 1, got "alpha=2"/],
    [`mix(onnx:m.onnx#y?${RAW}&drop=1,alpha=0,alpha=1)`, /"alpha" is given twice/],
    [`mix0.1(onnx:m.onnx#y?${RAW}&drop=1)`, /wanted alpha=A.*got "mix0.1"/],
    [`mix(onnx:m.onnx#y?${RAW}&drop=1,alhpa=0.1)`, /drop wants/],
  ])("%s is refused", (target, message) => {
    expect(() => parseTarget(target)).toThrow(UsageError);
    expect(() => parseTarget(target)).toThrow(message);
  });
});

describe("names of encoders", () => {
  test("the canonical name has what the file beside the model says, and does not read it again", async () => {
    const name = `onnx:${at("beside.onnx")}#tokens?mean=0&std=1&scale=1&size=8&drop=1&grid=2x4`;
    expect(parseTarget(`onnx:${at("beside.onnx")}`).name).toBe(name);
    expect(parseTarget(name).name).toBe(name);
    expect(parseTarget(`onnx:${at("beside.onnx")}?mean=0.5&std=0.1,0.2,0.3`.replace("?", "#map?")).name).toBe(
      `onnx:${at("beside.onnx")}#map?mean=0.5&std=0.1,0.2,0.3`,
    );
  });

  test("defaults are left out, and three numbers survive lists of targets", () => {
    const name = "onnx:a/b c.onnx#x?mean=0.4,0.5,0.6&std=1";
    expect(parseTarget("onnx:a/b c.onnx#x?std=1,1,1&interpolation=bicubic&drop=0&mean=0.4,0.5,0.6").name).toBe(name);
    expect(splitTargetList(`sift,${name},hog`)).toEqual(["sift", name, "hog"]);
    expect(parseTarget(`concat(${name},hog)`).name).toBe(`concat(${name},hog)`);
    expect(parseTarget("onnx:m.onnx#x?mean=0&std=1&scale=1/127.5").name).toContain(`scale=${1 / 127.5}`);
  });

  test("loading finds width and files; both change with what they stand for", async () => {
    const load = (target: string): Promise<Descriptor> => loadDescriptor(parseTarget(`onnx:${at(target)}`));
    const one = await load(`one.onnx#map?${RAW}`);
    expect(one.dim).toBe(3);
    expect(one.summary).toContain("2×4 tokens, bilinear on other grids");
    expect((await load(`one.onnx#map?${RAW}`)).fingerprint).toBe(one.fingerprint);
    expect((await load(`three.onnx#map?${RAW}`)).fingerprint).not.toBe(one.fingerprint);
    const both = await loadDescriptor(parseTarget(`concat(onnx:${at("one.onnx")}#map?${RAW},hog)`));
    const other = await loadDescriptor(parseTarget(`concat(onnx:${at("three.onnx")}#map?${RAW},hog)`));
    expect(both.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(both.fingerprint).not.toBe(other.fingerprint);
  });

  test.each([
    ["onnx", UsageError, /want onnx:FILE#OUTPUT/],
    ["onnx:m.onnx", UsageError, /want onnx:FILE#OUTPUT — .*m\.onnx\.yaml/],
    ["onnx:m.onnx#y", UsageError, /"mean" is missing — ImageNet networks mostly want/],
    ["onnx:m.onnx#y?mean=0&std=1&szie=8", UsageError, /unknown key "szie".*did you mean "size"/],
    ["onnx:m.onnx#y?mean=0&std=1&pool=cls", UsageError, /unknown key "pool"/],
    ["onnx:m.onnx#y?mean=0&std=1&interpolation=bicubc", UsageError, /interpolation wants .*did you mean "bicubic"/],
    ["onnx:m.onnx#y?mean=0&std=1&drop=cls", UsageError, /drop wants how many tokens.*got "cls"/],
    ["onnx:m.onnx#y?mean=0&std=1&grid=14*14", UsageError, /grid wants ROWSxCOLS, such as 14x14/],
    ["onnx:m.onnx#y?mean=0&std=1&scale=0", UsageError, /scale wants a number above 0 or 1\/N/],
  ])("%s is refused in one line that helps", (target, type, message) => {
    expect(() => parseTarget(target)).toThrow(type);
    expect(() => parseTarget(target)).toThrow(message);
  });

  test.each([
    ["mean: 0\nstd: 1\ndorp: 1\n", UsageError, /odd\.onnx\.yaml: unknown key "dorp".*did you mean "drop"/],
    ["mean: 0\nstd: {r: 1}\n", DataError, /std wants a number, a name or a list of numbers, got \{"r":1\}/],
    ["mean: [0\n", DataError, /odd\.onnx\.yaml: is not YAML/],
    ["bicubic\n", DataError, /wanted settings, such as mean: 0\.5/],
  ])("a settings file of %j is refused", async (content, type, message) => {
    await writeFile(at("odd.onnx.yaml"), content);
    const parse = () => parseTarget(`onnx:${at("odd.onnx")}#y`);
    expect(parse).toThrow(type);
    expect(parse).toThrow(message);
  });
});

test.each([
  ["none.onnx#map?mean=0&std=1", DataError, /none\.onnx: cannot be read \(ENOENT\)/],
  ["broken.onnx#map?mean=0&std=1", DataError, /broken\.onnx: is not an ONNX model/],
  ["cut.onnx#map?mean=0&std=1", DataError, /cut\.onnx: is not an ONNX model/],
  ["one.onnx#tokns?mean=0&std=1", UsageError, /no tensor "tokns"; outputs: tokens, scores.*did you mean "tokens"/],
  ["free.onnx#map?mean=0&std=1", UsageError, /takes images of any size — say which, such as size=224/],
  ["one.onnx#map?mean=0&std=1&size=16", UsageError, /size=16, but one\.onnx takes \[1, 3, 8, 8\]/],
  ["one.onnx#scores?mean=0&std=1", ShapeError, /"scores": should be tokens \[n, T, D\] or a map .* it is \[n, 3\]/],
  ["one.onnx#tokens?mean=0&std=1&drop=1", ShapeError, /8 tokens of \[n, 9, 3\] make no square — drop=5 leaves 2×2/],
  ["one.onnx#tokens?mean=0&std=1&drop=9", ShapeError, /has 9 tokens, of which drop=9 leaves none/],
  ["one.onnx#tokens?mean=0&std=1&drop=1&grid=3x3", ShapeError, /8 tokens of \[n, 9, 3\] do not fill a grid of 3x3/],
  ["one.onnx#map?mean=0&std=1&drop=1", ShapeError, /a map \[n, 3, 2, 4\] has no tokens to drop/],
  ["one.onnx#map?mean=0&std=1&grid=4x2", ShapeError, /is on a grid of 2x4, got grid=4x2/],
  ["one.onnx#columns?mean=0&std=1&grid=3x1", undefined, undefined],
])("loading %s", async (target, type, message) => {
  const loading = loadDescriptor(parseTarget(`onnx:${at(target)}`));
  if (type === undefined) {
    expect(await loading).toMatchObject({ dim: 8 });
    return;
  }
  await expect(loading).rejects.toThrow(type);
  await expect(loading).rejects.toThrow(message);
});

const models = path.resolve(import.meta.dirname, "../../../shared/models");

describe.skipIf(!existsSync(models))("published encoders (skipped where there is no ../shared/models)", () => {
  const image = randomPicture(5, 224, 224);
  const planes = (mean: readonly number[], std: readonly number[]) =>
    Float32Array.from({ length: 3 * 224 ** 2 }, (_, i) => {
      const c = Math.floor(i / 224 ** 2);
      return (image.pixels[(i % 224 ** 2) * 3 + c]! / 255 - mean[c]!) / std[c]!;
    });
  const run = async (file: string, input: string, data: Float32Array, output: string) => {
    const model = await openModel(path.join(models, file));
    const results = await model.run({ [input]: { data, shape: [1, 3, 224, 224] } }, [output]);
    await model.dispose();
    return results[output]!.data as Float32Array;
  };

  test("ViT-Tiny: the patch tokens of a block, without the class token", async () => {
    const target = `onnx:${path.join(models, "vit_tiny_patch16_224.onnx")}#tokens_block8?mean=0.5&std=0.5&drop=1`;
    const half = [0.5, 0.5, 0.5];
    const all = await run("vit_tiny_patch16_224.onnx", "pixel_values", planes(half, half), "tokens_block8");
    const tokens = await describePictures(parseTarget(target), [image], [14, 14]);
    expect(tokens).toHaveLength(196 * 192);
    expect(maxDifference(tokens, all.subarray(192))).toBeLessThan(1e-3);
  });

  test("SqueezeNet 1.1: a map becomes tokens of its channels", async () => {
    const file = "squeezenet1_1.onnx";
    const [mean, std] = [
      [0.485, 0.456, 0.406],
      [0.229, 0.224, 0.225],
    ];
    const map = await run(file, "input", planes(mean, std), "f256_27");
    const target = `onnx:${path.join(models, file)}#f256_27?mean=${mean}&std=${std}`;
    const tokens = await describePictures(parseTarget(target), [image], [27, 27]);
    for (let t = 0; t < 27 * 27; t += 13) {
      for (let d = 0; d < 256; d += 5) expect(tokens[t * 256 + d]).toBeCloseTo(map[d * 27 * 27 + t]!, 3);
    }
  });
});
