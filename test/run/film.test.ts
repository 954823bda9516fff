import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../data/safetensors.js";
import { type FilmRecord, filmSchema } from "../../src/report/film-record.js";
import { comparedImages } from "../../src/run/compared-images.js";
import { armFiles } from "../../src/run/run-folder.js";
import type { Experiment } from "../../src/run/schema.js";
import { type FilmInput, isFilmed, openFilm } from "../../src/run/tasks/film.js";
import { drawSamples } from "../../src/sample/sample-arm.js";
import { trainArm } from "../../src/train/train-arm.js";
import { ARMS, experiment } from "../report/fixture.js";
import { featureStore, imageStore, LENGTH, MODEL, memoryStore, tinyArm } from "../train/tiny-run.js";

describe("which checkpoints are filmed", () => {
  const filmed = (steps: number, checkpointEvery: number) =>
    Array.from({ length: Math.floor(steps / checkpointEvery) }, (_, i) => (i + 1) * checkpointEvery)
      .concat(steps)
      .filter((step, i, all) => all.indexOf(step) === i && isFilmed(step, { steps, checkpointEvery }));

  test("all of a few, the last one always", () => {
    expect(filmed(800, 200)).toEqual([200, 400, 600, 800]);
    expect(filmed(7, 3)).toEqual([3, 6, 7]);
    expect(filmed(50, 100)).toEqual([50]);
  });

  test("about 24 of many, evenly spread", () => {
    expect(filmed(400_000, 1000)).toHaveLength(24);
    expect(filmed(2500, 100)).toEqual([200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000, 2200, 2400, 2500]);
  });
});

let runFolder: string;
beforeEach(() => {
  runFolder = mkdtempSync(path.join(tmpdir(), "descry-film-"));
});
afterEach(() => rmSync(runFolder, { recursive: true, force: true }));

const ARM = "sift-irepa";
const film = (name: string) => path.join(armFiles(runFolder, ARM).folder, "film", name);
const record = () => filmSchema.parse(JSON.parse(readFileSync(film("film.json"), "utf8"))) as FilmRecord;

/** The tiny run of the training's tests as an experiment. */
function input(onSkipped: (why: string) => void = (why) => expect.fail(why)): FilmInput {
  const base = experiment("tiny", 3, ARMS, 7) as unknown as Experiment;
  return {
    runFolder,
    experiment: {
      ...base,
      data: { ...base.data, sizePx: MODEL.sizePx },
      train: { ...base.train, steps: 7, checkpointEvery: 3 },
      sample: { ...base.sample, steps: 3, film: 5, seed: 7 },
    },
    arm: ARM,
    config: MODEL,
    images: imageStore(),
    pixels: imageStore(),
    sourceLength: LENGTH,
    target: { align: base.arms[2]!.align!, store: featureStore() },
    onSkipped,
  };
}

const train = (onCheckpoint?: (checkpoint: string, step: number) => Promise<void>) =>
  trainArm({
    ...tinyArm(armFiles(runFolder, ARM).folder),
    ...(onCheckpoint === undefined ? {} : { onCheckpoint }),
  });

async function pixels(file: string) {
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  return { data, size: [info.width, info.height] };
}

describe("a film", () => {
  test("has a frame a checkpoint: the same noises as the samples, a map a block", async () => {
    const made = await openFilm(input());
    const drawn: Uint8Array[] = [];
    await train(async (checkpoint, step) => {
      await made.shoot(checkpoint, step);
      const images = await drawSamples({
        checkpoint,
        config: MODEL,
        sampler: "euler",
        steps: 3,
        count: 5,
        batch: 5,
        weights: "ema",
        seed: 7,
        threads: 1,
      });
      drawn.push(images);
    });
    await made.dispose();
    const { frames, maps, samples } = record();
    expect(frames).toEqual([3, 6, 7]);
    expect(samples).toBe(5);
    // Width 16, depth 2; the arm is aligned at its block 3, which this model has not.
    expect(maps).toMatchObject({ images: [0, 1, 2], grid: 2, blocks: [1, 2], target: "sift", spatialNorm: 0.6 });
    for (const [i, step] of frames.entries()) {
      const { data, size } = await pixels(film(`samples-000000${step}.png`));
      expect(size).toEqual([5 * 8, 8]);
      for (let sample = 0; sample < 5; sample++) {
        for (let y = 0; y < 8; y++) {
          const shown = data.subarray((y * 40 + sample * 8) * 3, (y * 40 + sample * 8 + 8) * 3);
          expect(shown).toEqual(Buffer.from(drawn[i]!.subarray((sample * 8 + y) * 24, (sample * 8 + y + 1) * 24)));
        }
      }
      expect((await pixels(film(`maps-000000${step}.png`))).size).toEqual([3 * 2, 2 * 2]);
    }
    const images = await pixels(film("images.png"));
    const rows = (await imageStore().read("image", [0, 1, 2])) as Uint8Array;
    expect(images.data.subarray(8 * 3, 16 * 3)).toEqual(Buffer.from(rows.subarray(192, 192 + 24)));
    expect((await pixels(film("target.png"))).size).toEqual([6, 2]);
  });

  test("shows images whose pixels are cached, where only those that the evaluation compares are", async () => {
    const given = input();
    const { evaluate, sample } = given.experiment;
    const few = {
      ...given.experiment,
      seed: 2,
      evaluate: { ...evaluate, referenceCount: 2 },
      sample: { ...sample, count: 2 },
    };
    const compared = comparedImages(few, LENGTH);
    expect([...compared]).toEqual([1, 5, 6, 7]);
    const { sizePx: S } = MODEL;
    const data = (await imageStore().read("image", compared)) as Uint8Array;
    const made = await openFilm({
      ...given,
      experiment: few,
      pixels: memoryStore({ image: { shape: [S, S, 3], dtype: "U8", data } }),
    });
    await train(made.shoot);
    await made.dispose();
    const shown = record().maps.images;
    expect(shown).toEqual([1, 5, 6]);
    const images = await pixels(film("images.png"));
    for (const [i, row] of shown.entries()) {
      const whole = (await imageStore().read("image", [row])) as Uint8Array;
      expect(images.data.subarray(i * S * 3, (i + 1) * S * 3)).toEqual(Buffer.from(whole.subarray(0, S * 3)));
    }
  });

  test("killed between a checkpoint and its frame, it has the frame after all, with the same bytes", async () => {
    const made = await openFilm(input());
    await train(made.shoot);
    await made.dispose();
    const whole = { ...record() };
    const names = whole.frames.flatMap((step) => [`samples-000000${step}.png`, `maps-000000${step}.png`]);
    const bytes = names.map((name) => readFileSync(film(name)));
    writeFileSync(film("film.json"), JSON.stringify({ ...whole, frames: [3, 6] }));
    rmSync(film("samples-0000007.png"));
    const again = await openFilm(input());
    await again.dispose();
    expect(record()).toEqual(whole);
    expect(names.map((name) => readFileSync(film(name)))).toEqual(bytes);
  });

  test("with other samples asked for, it begins anew", async () => {
    const made = await openFilm(input());
    await train(made.shoot);
    await made.dispose();
    const given = input();
    const other = await openFilm({
      ...given,
      experiment: { ...given.experiment, sample: { ...given.experiment.sample, film: 2 } },
    });
    await other.dispose();
    expect(record()).toMatchObject({ samples: 2, frames: [7] });
  });

  test("weights that are not finite are said, and leave no frame", async () => {
    await train();
    const { folder } = armFiles(runFolder, ARM);
    const file = path.join(folder, "checkpoint-0000007.safetensors");
    const { tensors, metadata } = await readSafetensors(file);
    (tensors["ema/final_layer.linear.bias"]!.data as Float32Array).fill(Number.NaN);
    await writeSafetensors(file, tensors, metadata);
    const said: string[] = [];
    const made = await openFilm(input((why) => said.push(why)));
    await made.dispose();
    expect(said).toEqual([expect.stringMatching(/^film of sift-irepa: no frame of step 7: sampling: sample 0 is not/)]);
    expect(() => record()).toThrow("ENOENT");
  });
});
