import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, NumericError, ShapeError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { readNpz } from "../../data/npz.js";
import { writeNpz } from "../../data/write-npz.js";
import { type EvaluationRecord, evaluateSamples, openEvaluator } from "../../src/evaluate/evaluate-samples.js";
import { frechetDistance, gaussianOf } from "../../src/evaluate/frechet-distance.js";
import { frechetInfluence } from "../../src/evaluate/frechet-influence.js";
import { kernelDistance } from "../../src/evaluate/kid.js";
import { openFeatureNetwork } from "../../src/evaluate/open-feature-network.js";
import { precisionRecall } from "../../src/evaluate/precision-recall.js";
import { writeReference } from "../../src/evaluate/write-reference.js";
import { smoothImages } from "./support.js";
import { tinyOnnx } from "./tiny-onnx.js";

const SIZE = 8;
const BYTES = SIZE * SIZE * 3;

/** Images of a source that counts how often each is loaded. */
function sourceOf(images: Uint8Array): ImageSource & { readonly loads: Map<number, number> } {
  const loads = new Map<number, number>();
  return {
    name: "test",
    classes: ["one"],
    length: images.length / BYTES,
    fingerprint: "0",
    skipped: [],
    loads,
    id: String,
    label: () => 0,
    async load(index) {
      loads.set(index, (loads.get(index) ?? 0) + 1);
      return images.slice(index * BYTES, (index + 1) * BYTES);
    },
    async close() {},
  };
}

describe("evaluating samples", () => {
  let folder = "";
  let network = "";
  const at = (name: string) => path.join(folder, name);
  const save = (name: string, images: Uint8Array, count: number) =>
    writeNpz(at(name), { arr_0: { shape: [count, SIZE, SIZE, 3], data: images } });
  const real = smoothImages(1, 60, SIZE);
  const reference = { images: real, count: 60, size: SIZE };
  const request = { arm: "sift", step: 300, weights: "ema", sampleRecord: { name: "euler", steps: 25 } };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "descry-"));
    await writeFile(at("tiny.onnx"), tinyOnnx("batch", "side"));
    network = `onnx:${at("tiny.onnx")}#inner?size=${SIZE}&mean=0&std=1`;
    await save("samples.npz", smoothImages(2, 40, SIZE), 40);
    // The tiny network sees mean colours only: halved ones are another distribution.
    await save(
      "dark.npz",
      smoothImages(2, 40, SIZE).map((value) => value / 2),
      40,
    );
    await save("real.npz", real, 60);
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Features of the tiny network: channel means. */
  const means = (images: Uint8Array, count: number) => ({
    data: Float64Array.from({ length: count * 3 }, (_, i) => {
      let sum = 0;
      for (let p = 0; p < SIZE * SIZE; p++) sum += images[Math.floor(i / 3) * BYTES + p * 3 + (i % 3)]! / 255;
      return sum / (SIZE * SIZE);
    }),
    count,
    dim: 3,
  });

  test("writes the record: metrics of the features, and everything that they depend on", async () => {
    const outPath = at("evaluation.json");
    const options = {
      reference,
      network: `${network}&logits=scores`,
      seed: 5,
      samplesPath: at("samples.npz"),
      outPath,
      withInfluence: true,
    };
    const record = await evaluateSamples({ ...options, ...request, inceptionSplits: 4 });
    expect(JSON.parse(await readFile(outPath, "utf8"))).toEqual(record);
    const [a, b] = [means(real, 60), means(smoothImages(2, 40, SIZE), 40)];
    const kid = kernelDistance(a, b, { seed: 5, subsets: 50, subsetSize: 20 });
    expect(record).toMatchObject({
      arm: "sift",
      step: 300,
      weights: "ema",
      samples: 40,
      reference: 60,
      sampler: { name: "euler", steps: 25 },
      network: { name: `${network}&logits=scores`, proxy: true, dim: 3 },
      metrics: {
        frechet_distance: expect.closeTo(frechetDistance(gaussianOf(a), gaussianOf(b)), 6),
        kid: expect.closeTo(kid.kid, 6),
        kid_std: expect.closeTo(kid.subsetStd, 6),
        ...precisionRecall(a, b),
      },
      floor: null,
      not_measured: { floor: "wants 40 real images besides the reference, there are none" },
      protocol: {
        source: null,
        size_px: SIZE,
        neighbours: 3,
        kid_subsets: 50,
        kid_subset_size: 20,
        inception_splits: 4,
        seed: 5,
      },
      notes: [expect.stringMatching(/not with published FIDs/)],
    });
    expect(record.metrics.inception_score).toBeGreaterThan(1);
    expect(record.metrics.inception_score_std).toBeGreaterThan(0);
    expect(Object.keys(record)).toEqual([
      ...["arm", "step", "weights", "samples", "reference", "sampler", "network", "metrics", "floor"],
      ...["influence", "not_measured", "protocol", "notes", "seconds"],
    ]);
    const { file, sha256, metrics } = record.influence!;
    expect([file, metrics]).toEqual(["evaluation-influence.npz", ["frechet_distance", "kid"]]);
    expect(
      createHash("sha256")
        .update(await readFile(at(file)))
        .digest("hex"),
    ).toBe(sha256);
    const influences = await readNpz(at(file));
    const want = { frechet_distance: frechetInfluence(gaussianOf(a), gaussianOf(b), b), kid: kid.influence };
    for (const [metric, { dtype, shape, data }] of Object.entries(influences)) {
      expect([metric, dtype, shape]).toEqual([metric, "<f4", [40]]);
      const largest = Math.max(...want[metric as keyof typeof want].map(Math.abs));
      want[metric as keyof typeof want].forEach((value, i) => {
        expect(Math.abs(value - Number(data[i])) / largest, `${metric} ${i}`).toBeLessThan(1e-4);
      });
    }
    expect((await readdir(folder)).filter((name) => name.includes("tmp"))).toEqual([]);
  });

  test("real images against themselves score perfectly; corrupted ones worse than clean ones", async () => {
    const evaluator = await openEvaluator({ reference, network });
    try {
      const measure = async (name: string) => (await evaluator.evaluate({ ...request, samplesPath: at(name) })).metrics;
      const [perfect, clean, corrupted] = [
        await measure("real.npz"),
        await measure("samples.npz"),
        await measure("dark.npz"),
      ];
      expect(perfect).toMatchObject({ frechet_distance: expect.closeTo(0, 7), precision: 1, recall: 1 });
      expect(corrupted.frechet_distance!).toBeGreaterThan(clean.frechet_distance!);
      expect(corrupted.kid!).toBeGreaterThan(clean.kid!);
      expect(corrupted.recall!).toBeLessThan(clean.recall!);
    } finally {
      await evaluator.dispose();
    }
  });

  test("what cannot be measured is null, with the reason", async () => {
    await save("three.npz", smoothImages(2, 3, SIZE), 3);
    const record = await evaluateSamples({ reference, network, ...request, samplesPath: at("three.npz") });
    expect(record.metrics).toEqual({
      frechet_distance: expect.any(Number),
      kid: null,
      kid_std: null,
      precision: null,
      recall: null,
      inception_score: null,
      inception_score_std: null,
    });
    expect(record.not_measured).toMatchObject({
      kid: "wants at least 4 images on each side, got 3",
      precision: "wants at least 4 images on each side, got 3",
      inception_score: `${network} gives no class probabilities`,
    });
    expect(record.notes[1]).toMatch(/3 images for 3 features: the covariance has not full rank/);
  });

  test("draws reference and floor from a source, disjoint, each image once for all arms", async () => {
    const source = sourceOf(smoothImages(1, 100, SIZE));
    const evaluator = await openEvaluator({ reference: { source, sizePx: SIZE, count: 55 }, network, seed: 3 });
    const records: EvaluationRecord[] = [];
    try {
      for (const name of ["samples.npz", "dark.npz", "real.npz"]) {
        records.push(await evaluator.evaluate({ ...request, samplesPath: at(name) }));
      }
    } finally {
      await evaluator.dispose();
    }
    expect(source.loads.size).toBe(95); // 55 of the reference, 40 of the floor
    expect([...source.loads.values()].every((count) => count === 1)).toBe(true);
    expect(records[0]!.floor).toEqual(records[1]!.floor);
    expect(records[0]!.floor!.frechet_distance!).toBeGreaterThan(0);
    expect(records[0]!.floor!.frechet_distance!).toBeLessThan(records[1]!.metrics.frechet_distance!);
    expect(records[2]!).toMatchObject({
      floor: null,
      not_measured: { floor: "wants 60 real images besides the reference, there are 45" },
      protocol: { source: "test", seed: 3 },
    });
  });

  test("the draw depends on the seed", async () => {
    const drawn = async (seed: number) => {
      const source = sourceOf(smoothImages(1, 100, SIZE));
      await (await openEvaluator({ reference: { source, sizePx: SIZE, count: 10 }, network, seed })).dispose();
      return [...source.loads.keys()];
    };
    expect(await drawn(1)).toEqual(await drawn(1));
    expect(await drawn(1)).not.toEqual(await drawn(2));
  });

  test("reports its progress", async () => {
    const stages: string[] = [];
    const onProgress = (stage: string, done: number, total: number) => stages.push(`${stage} ${done}/${total}`);
    await evaluateSamples({ reference, network, ...request, samplesPath: at("samples.npz"), onProgress });
    expect(stages).toEqual([
      ...["reference 16/60", "reference 32/60", "reference 48/60", "reference 60/60"],
      ...["samples 16/40", "samples 32/40", "samples 40/40", "metrics 0/40", "metrics 40/40"],
    ]);
  });

  test("refuses samples that are not such a file, and writes nothing", async () => {
    await writeNpz(at("small.npz"), { arr_0: { shape: [5, 4, 4, 3], data: new Uint8Array(240) } });
    await writeNpz(at("float.npz"), { arr_0: { shape: [1, SIZE, SIZE, 3], data: new Float32Array(BYTES) } });
    await writeNpz(at("named.npz"), { images: { shape: [1, SIZE, SIZE, 3], data: new Uint8Array(BYTES) } });
    const evaluator = await openEvaluator({ reference, network });
    try {
      for (const [name, message] of [
        ["small.npz", /samples are 4 px, the reference is 8 px/],
        ["float.npz", /should be uint8 \[n, size, size, 3\], it is <f4 \[1, 8, 8, 3\]/],
        ["named.npz", /no array.*arr_0/],
        ["absent.npz", /absent.npz/],
      ] as const) {
        const outPath = at(`${name}.json`);
        const error = await evaluator
          .evaluate({ ...request, samplesPath: at(name), outPath })
          .catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(DataError);
        expect((error as Error).message).toMatch(message);
        await expect(readFile(outPath)).rejects.toThrow(/ENOENT/);
      }
    } finally {
      await evaluator.dispose();
    }
  });

  test("refuses references that do not fit", async () => {
    const source = sourceOf(real);
    const open = (given: Parameters<typeof openEvaluator>[0]["reference"]) =>
      openEvaluator({ reference: given, network });
    await expect(open({ source, sizePx: SIZE, count: 61 })).rejects.toThrow(/wants 61 images, test has 60/);
    await expect(open({ images: real, count: 59, size: SIZE })).rejects.toThrow(ShapeError);
    await expect(open({ images: real, count: 59, size: SIZE })).rejects.toThrow(/reference: want 59×8×8×3 bytes/);
  });

  test("features that are not finite are named, image and channel", async () => {
    // 1 / 1e-39 is beyond float32.
    const overflow = network.replace("std=1", "std=1,1e-39,1");
    const error = await openEvaluator({ reference, network: overflow }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NumericError);
    expect((error as Error).message).toMatch(/image 0 of the reference gives Infinity in channel 1/);
  });

  describe("reference files", () => {
    const source = sourceOf(real);
    const write = async (name: string, images: number, by = network) => {
      const opened = await openFeatureNetwork(by);
      await writeReference({ source, sizePx: SIZE, network: opened, images, seed: 0, outPath: at(name) });
      await opened.dispose();
    };
    const spatial = () => `${network}&spatial=inner`;
    const evaluate = (file: string, by = spatial()) =>
      evaluateSamples({ reference: { file: at(file) }, network: by, ...request, samplesPath: at("samples.npz") });

    test("statistics and images of a file give what the images themselves give", async () => {
      await write("reference.npz", 60, spatial());
      const record = await evaluate("reference.npz");
      const direct = await evaluateSamples({
        reference,
        network: spatial(),
        ...request,
        samplesPath: at("samples.npz"),
      });
      for (const key of ["frechet_distance", "spatial_frechet_distance", "kid"] as const) {
        expect(record.metrics[key]).toBeCloseTo(direct.metrics[key]!, 8);
      }
      expect(record.metrics).toMatchObject({ precision: direct.metrics.precision, recall: direct.metrics.recall });
      // The pixels of the images, channel by channel: by the definition, from the whole matrices.
      const pixels = (images: Uint8Array, count: number) => ({
        data: Float64Array.from({ length: count * BYTES }, (_, i) => {
          const [image, channel, place] = [Math.floor(i / BYTES), Math.floor((i % BYTES) / 64), i % 64];
          return images[image * BYTES + place * 3 + channel]! / 255;
        }),
        count,
        dim: BYTES,
      });
      const want = frechetDistance(gaussianOf(pixels(real, 60)), gaussianOf(pixels(smoothImages(2, 40, SIZE), 40)));
      expect(record.metrics.spatial_frechet_distance).toBeCloseTo(want, 3);
      expect(record).toMatchObject({
        reference: 60,
        protocol: {
          source: at("reference.npz"),
          reference_file: {
            sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
            images: 60,
            distances_by: "statistics of the file",
          },
          size_px: SIZE,
        },
      });
      const { mu, sigma, mu_s: mean, sigma_s: covariance } = await readNpz(at("reference.npz"));
      expect([mu, sigma, mean, covariance].map((array) => array!.shape)).toEqual([[3], [3, 3], [192], [192, 192]]);
      const values = sigma!.data as Float64Array;
      expect([values[1], values[2], values[5]]).toEqual([values[3], values[6], values[7]]);
    });

    test("statistics alone: precision, recall and KID are not measured", async () => {
      await write("statistics.npz", 0, spatial());
      const record = await evaluate("statistics.npz");
      expect(record.metrics).toMatchObject({
        frechet_distance: expect.any(Number),
        kid: null,
        precision: null,
        recall: null,
      });
      expect(record.not_measured).toMatchObject({ precision: "the reference file has no images, only statistics" });
      expect(record.protocol).toMatchObject({ size_px: null, reference_file: { images: 0 } });
    });

    test("statistics of another network are not taken: images are, where there are some", async () => {
      await write("other.npz", 30, network.replace("std=1", "std=2"));
      const record = await evaluate("other.npz", network);
      expect(record).toMatchObject({
        reference: 30,
        protocol: { reference_file: { distances_by: "images of the file" } },
      });
      await write("otherStatistics.npz", 0, network.replace("std=1", "std=2"));
      await expect(evaluate("otherStatistics.npz", network)).rejects.toThrow(
        /its statistics are of onnx:.* not of onnx:/,
      );
      // As the ADM suite has them: they do not say what they are of.
      const statistics = {
        mu: { data: new Float64Array(3), shape: [3] },
        sigma: { data: new Float64Array(9), shape: [3, 3] },
      };
      await writeNpz(at("adm.npz"), statistics);
      await expect(evaluate("adm.npz", network)).rejects.toThrow(/only inception-adm takes them, got onnx:/);
    });

    test("files with nothing to compare with, or of other sizes, are refused", async () => {
      const { descry } = await readNpz(at("statistics.npz"));
      const wide = {
        mu: { data: new Float64Array(4), shape: [4] },
        sigma: { data: new Float64Array(16), shape: [4, 4] },
      };
      await writeNpz(at("wide.npz"), { ...wide, descry: descry! });
      await expect(evaluate("wide.npz")).rejects.toThrow(/wide.npz: mu is <f8 \[4\], onnx:.* wants floats \[3\]/);
      await writeNpz(at("labels.npz"), { labels: { data: new Uint8Array(3), shape: [3] } });
      await expect(evaluate("labels.npz")).rejects.toThrow(/labels.npz: holds labels; wanted arr_0/);
      await expect(evaluate("small.npz")).rejects.toThrow(/samples are 8 px, the reference is 4 px/);
    });
  });
});
