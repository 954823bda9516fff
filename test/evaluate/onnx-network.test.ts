import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, ShapeError, UsageError } from "../../data/errors.js";
import { openModel } from "../../src/compile/session.js";
import { parseOnnxNetwork } from "../../src/evaluate/network-name.js";
import { openFeatureNetwork } from "../../src/evaluate/open-feature-network.js";
import { smoothImages } from "./support.js";
import { tinyOnnx } from "./tiny-onnx.js";

describe("parseOnnxNetwork", () => {
  test("reads every key; one value stands for three", () => {
    expect(parseOnnxNetwork("onnx:a/b c.onnx#x/y?size=224&mean=0.5&std=0.1,0.2,0.3&pool=cls&logits=z")).toEqual({
      file: "a/b c.onnx",
      output: "x/y",
      sizePx: 224,
      mean: [0.5, 0.5, 0.5],
      std: [0.1, 0.2, 0.3],
      pool: "cls",
      logits: "z",
    });
    expect(parseOnnxNetwork("onnx:m.onnx#y?mean=0&std=1")).toMatchObject({
      mean: [0, 0, 0],
      std: [1, 1, 1],
      pool: "mean",
    });
  });

  test.each([
    ["onnx:m.onnx", /want onnx:FILE#OUTPUT/],
    ["onnx:#y?mean=0&std=1", /want onnx:FILE#OUTPUT/],
    ["onnx:m.onnx#y?maen=0&std=1", /unknown key "maen".*did you mean "mean"/],
    ["onnx:m.onnx#y?std=1", /"mean" is missing — ImageNet networks mostly want/],
    ["onnx:m.onnx#y?mean=0,1&std=1", /mean wants one or three numbers, got "0,1"/],
    ["onnx:m.onnx#y?mean=0&std=0", /std wants one or three numbers above 0, got "0"/],
    ["onnx:m.onnx#y?mean=0&mean=1&std=1", /"mean" is given twice/],
    ["onnx:m.onnx#y?mean=0&std=1&size=", /"size" has no value/],
    ["onnx:m.onnx#y?mean=0&std=1&size=22.4", /whole number of pixels, got "22.4"/],
    ["onnx:m.onnx#y?mean=0&std=1&pool=max", /pool wants mean, cls, flatten, got "max"/],
  ])("refuses %s", (name, message) => {
    expect(() => parseOnnxNetwork(name)).toThrow(UsageError);
    expect(() => parseOnnxNetwork(name)).toThrow(message);
  });
});

describe("openOnnxNetwork", () => {
  let folder = "";
  const at = (name: string) => path.join(folder, name);
  const images = smoothImages(3, 20, 4); // more than a batch
  const settings = "mean=0.1,0.2,0.3&std=0.5,0.25,0.2";

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "descry-"));
    await writeFile(at("free.onnx"), tinyOnnx("batch", "side"));
    await writeFile(at("fixed.onnx"), tinyOnnx(8, 4));
    await writeFile(at("broken.onnx"), Buffer.from("not a model at all"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const features = async (name: string) => {
    const network = await openFeatureNetwork(`onnx:${name}`);
    try {
      return { network, ...(await network.features(images, 20, 4)) };
    } finally {
      await network.dispose();
    }
  };
  /** Mean over pixels of max(0, (x/255 − mean)/std), per image and channel. */
  const wanted = Array.from({ length: 60 }, (_, i) => {
    const [image, c] = [Math.floor(i / 3), i % 3];
    const [mean, std] = [[0.1, 0.2, 0.3][c]!, [0.5, 0.25, 0.2][c]!];
    let sum = 0;
    for (let p = 0; p < 16; p++) sum += Math.max(0, (images[(image * 16 + p) * 3 + c]! / 255 - mean) / std);
    return sum / 16;
  });
  const expectWanted = (got: Float32Array) => {
    expect(got).toHaveLength(60);
    for (const [i, value] of wanted.entries()) expect(got[i]).toBeCloseTo(value, 5);
  };

  test.each(["scores", "means", "inner"])("normalizes, and makes one vector an image of %s", async (output) => {
    const result = await features(`${at("free.onnx")}#${output}?size=4&${settings}`);
    expectWanted(result.features);
    expect(result.network).toMatchObject({ dim: 3, proxy: true, resize: expect.stringMatching(/^4 px/) });
    expect(result.probabilities).toBeUndefined();
  });

  test("fills up a model's fixed batch, and takes the size from it", async () => {
    expectWanted((await features(`${at("fixed.onnx")}#inner?${settings}`)).features);
  });

  test("flattens maps channel by channel when asked to", async () => {
    const { network, features: flat } = await features(`${at("free.onnx")}#inner?size=4&mean=0&std=1&pool=flatten`);
    expect(network.dim).toBe(48);
    expect(flat[16 + 5]).toBeCloseTo(images[5 * 3 + 1]! / 255, 6); // channel 1, pixel 5
  });

  test("gives probabilities: the softmax of the logits", async () => {
    const { probabilities } = await features(`${at("free.onnx")}#inner?size=4&${settings}&logits=scores`);
    for (let image = 0; image < 20; image++) {
      const powers = wanted.slice(image * 3, image * 3 + 3).map(Math.exp);
      const sum = powers.reduce((a, b) => a + b);
      for (const [c, power] of powers.entries()) expect(probabilities![image * 3 + c]).toBeCloseTo(power / sum, 5);
    }
  });

  test("the hash changes with file, output and settings, and not with the folder", async () => {
    const copy = path.join(await mkdtemp(path.join(folder, "copy-")), "other.onnx");
    await writeFile(copy, tinyOnnx("batch", "side"));
    const hash = async (name: string) => {
      const network = await openFeatureNetwork(`onnx:${name}`);
      await network.dispose();
      return network.sha256;
    };
    const base = await hash(`${at("free.onnx")}#inner?size=4&mean=0&std=1`);
    expect(await hash(`${copy}#inner?std=1&mean=0,0,0&size=4`)).toBe(base);
    const others = [
      `${at("fixed.onnx")}#inner?size=4&mean=0&std=1`,
      `${at("free.onnx")}#means?size=4&mean=0&std=1`,
      `${at("free.onnx")}#inner?size=8&mean=0&std=1`,
      `${at("free.onnx")}#inner?size=4&mean=0.1&std=1`,
    ];
    for (const other of others) expect(await hash(other)).not.toBe(base);
  });

  test.each([
    [
      "free.onnx#inne?size=4&mean=0&std=1",
      UsageError,
      /no tensor "inne"; outputs: scores; last inner tensors: inner, means.*did you mean "inner"/,
    ],
    ["free.onnx#inner?mean=0&std=1", UsageError, /takes images of any size — say which, such as size=224/],
    ["fixed.onnx#inner?size=8&mean=0&std=1", UsageError, /size=8, but fixed.onnx takes \[8, 3, 4, 4\]/],
    [
      "free.onnx#inner?size=4&mean=0&std=1&pool=cls",
      ShapeError,
      /should be tokens \[n, T, D\] for pool=cls, it is \[1, 3, 4, 4\]/,
    ],
    ["free.onnx#scores?size=4&mean=0&std=1&logits=inner", ShapeError, /logits "inner" should be \[n, classes\]/],
    ["none.onnx#inner?mean=0&std=1", DataError, /none.onnx: cannot be read \(ENOENT\)/],
    ["broken.onnx#inner?mean=0&std=1", DataError, /broken.onnx: is not an ONNX model/],
  ])("refuses %s", async (name, type, message) => {
    const error = await openFeatureNetwork(`onnx:${at(name)}`).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toMatch(message);
  });
});

const models = path.resolve(import.meta.dirname, "../../../shared/models");
const has = (name: string) => existsSync(path.join(models, name));

/** The first image of a batch, NCHW, normalized. */
function planes(images: Uint8Array, mean: readonly number[], std: readonly number[]): Float32Array {
  const pixels = 224 * 224;
  return Float32Array.from({ length: 3 * pixels }, (_, i) => {
    const c = Math.floor(i / pixels);
    return (images[(i % pixels) * 3 + c]! / 255 - mean[c]!) / std[c]!;
  });
}

describe.skipIf(!has("squeezenet1_1.onnx"))("SqueezeNet 1.1 (skipped where there is no ../shared/models)", () => {
  test("maps are averaged, and logits become probabilities", async () => {
    const file = path.join(models, "squeezenet1_1.onnx");
    const [mean, std] = [
      [0.485, 0.456, 0.406],
      [0.229, 0.224, 0.225],
    ];
    const images = smoothImages(5, 2, 224);
    const name = `onnx:${file}#f512_13?mean=${mean}&std=${std}&logits=logits`;
    const network = await openFeatureNetwork(name);
    const model = await openModel(file);
    try {
      const { features, probabilities } = await network.features(images, 2, 224);
      const want = await model.run({ input: { data: planes(images, mean, std), shape: [1, 3, 224, 224] } });
      expect(network).toMatchObject({ name, dim: 512 });
      for (let c = 0; c < 512; c++) {
        const map = want["f512_13"]!.data.subarray(c * 169, (c + 1) * 169);
        expect(features[c]).toBeCloseTo(Float64Array.from(map).reduce((a, b) => a + b) / 169, 4);
      }
      const logits = Float64Array.from(want["logits"]!.data);
      const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
      for (let c = 0; c < 1000; c += 37) expect(probabilities![c]).toBeCloseTo(Math.exp(logits[c]!) / sum, 5);
    } finally {
      await Promise.all([network.dispose(), model.dispose()]);
    }
  });
});

describe.skipIf(!has("vit_tiny_patch16_224.onnx"))("ViT-Tiny (skipped where there is no ../shared/models)", () => {
  test("token 0 is the feature with pool=cls, the mean of all tokens without", async () => {
    const file = path.join(models, "vit_tiny_patch16_224.onnx");
    const half = [0.5, 0.5, 0.5];
    const images = smoothImages(6, 1, 224);
    const [cls, mean] = [
      await openFeatureNetwork(`onnx:${file}#tokens_block8?size=224&mean=0.5&std=0.5&pool=cls`),
      await openFeatureNetwork(`onnx:${file}#tokens_block8?size=224&mean=0.5&std=0.5`),
    ];
    const model = await openModel(file);
    try {
      const [one, all] = [await cls.features(images, 1, 224), await mean.features(images, 1, 224)];
      const feed = { data: planes(images, half, half), shape: [1, 3, 224, 224] };
      const tokens = (await model.run({ pixel_values: feed }, ["tokens_block8"]))["tokens_block8"]!.data;
      for (let d = 0; d < 192; d++) {
        expect(one.features[d]).toBeCloseTo(tokens[d]!, 3);
        let sum = 0;
        for (let t = 0; t < 197; t++) sum += tokens[t * 192 + d]!;
        expect(all.features[d]).toBeCloseTo(sum / 197, 3);
      }
    } finally {
      await Promise.all([cls.dispose(), mean.dispose(), model.dispose()]);
    }
  });
});
