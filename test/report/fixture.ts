/** @file Run folders made up for tests: whole ones, and ones with something missing or broken. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll } from "vitest";
import { randomStream } from "../../data/random.js";
import { writeInfluence } from "../../src/evaluate/write-influence.js";
import { type FilmRecord, filmFrame } from "../../src/report/film-record.js";

export const LOWER_BETTER = ["frechet_distance", "kid"];

/** Numbers with many digits: a table that rounds them must still carry them whole. */
export const EVALUATED: Readonly<Record<string, Readonly<Record<string, number | null>>>> = {
  control: metrics(61.234567891, 0.0512345678, 0.61718, 0.2345679),
  "sift-repa": metrics(57.98765432, 0.047654321, 0.65432, 0.2134567),
  "sift-irepa": metrics(52.3456789, 0.0398765432, 0.6678901, 0.2765432),
  "hog-repa": metrics(63.4567891, 0.0549876543, 0.5987654, 0.2245678),
};

export function metrics(distance: number, kid: number, precision: number, recall: number) {
  return {
    frechet_distance: distance,
    kid,
    kid_std: kid / 12,
    precision,
    recall,
    inception_score: null,
    inception_score_std: null,
  };
}

const ALIGN = { cacheDtype: undefined, depth: 3, projectorWidth: 512 };
export const ARMS: readonly { name: string; align: Record<string, unknown> | null }[] = [
  { name: "control", align: null },
  { name: "sift-repa", align: alignment("sift", "mlp", null, null, 0.5) },
  { name: "sift-irepa", align: alignment("sift", "conv", 3, 0.6, 1) },
  { name: "hog-repa", align: alignment("hog", "mlp", null, null, 0.5) },
];

function alignment(
  target: string,
  projector: string,
  kernel: number | null,
  spatialNorm: number | null,
  coefficient: number,
) {
  const { depth, projectorWidth } = ALIGN;
  return { target, projector, kernel, spatialNorm, coefficient, depth, projectorWidth };
}

/** The resolved experiment of `experiment.json`, as `descry run` records it. */
export function experiment(name: string, seed: number, arms: typeof ARMS = ARMS, steps = 60) {
  return {
    name,
    seed,
    data: { source: "photos", count: 1000, sizePx: 32, flips: true, seed: null, skipBad: false, variants: null },
    model: { type: "sit", size: "custom", width: 128, depth: 6, heads: 4, patch: 4, mlpRatio: 4, space: "pixel" },
    align: { depth: 3, projectorWidth: 512, cacheDtype: "F16", device: "cpu" },
    latents: null,
    train: {
      steps,
      batch: 32,
      learningRate: 0.0001,
      betas: [0.9, 0.999],
      weightDecay: 0,
      clip: 1,
      emaDecay: 0.995,
      labelDropout: 0.1,
      path: "linear",
      time: "uniform",
      logEvery: 1,
      checkpointEvery: 100,
      tensorboard: false,
      precision: "float32",
      threads: 0,
      device: "cpu",
    },
    sample: {
      sampler: "euler",
      steps: 25,
      guidance: 1,
      guidanceInterval: [0, 1],
      count: 64,
      batch: 64,
      weights: "ema",
      seed: 0,
      film: 8,
    },
    evaluate: {
      network: "random-vgg",
      also: [],
      every: null,
      everyCount: null,
      reference: null,
      referenceCount: 744,
      neighbours: 3,
      kidSubsets: 50,
      kidSubsetSize: null,
      inceptionSplits: 10,
    },
    arms,
  };
}

/** Influences of the 256 samples of some arms on the Fréchet distance, of a standard deviation each, independent of each other. */
export function influences(stds: Readonly<Record<string, number>>): NonNullable<RunOptions["influences"]> {
  const ofArm = ([arm, std]: [string, number], a: number) => {
    const draws = randomStream(3, "fixture/influences", a).normal(256);
    const mean = draws.reduce((sum, value) => sum + value, 0) / 256;
    return [arm, { frechet_distance: draws.map((value) => std * (value - mean)) }];
  };
  return Object.fromEntries(Object.entries(stds).map(ofArm));
}

export interface RunOptions {
  readonly name?: string;
  readonly hash?: string;
  readonly seed?: number;
  readonly steps?: number;
  readonly arms?: typeof ARMS;
  /** Metrics by arm; an arm that is not in it is not evaluated. @default EVALUATED */
  readonly evaluated?: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
  /** Laid over every evaluation. */
  readonly evaluation?: Record<string, unknown>;
  readonly network?: Record<string, unknown>;
  /** Arms with logs and samples. @default all */
  readonly trained?: readonly string[];
  readonly floor?: Readonly<Record<string, number | null>> | null;
  /** By arm and metric, how far each of the 256 samples moves it. @default none is kept */
  readonly influences?: Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;
  /** Steps with a frame of the film. @default none: no film */
  readonly filmed?: readonly number[];
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is removed when the tests of the file are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "descry-report-"));
  folders.push(folder);
  return folder;
}

/** Write a run folder and name it. */
export async function writeRun(options: RunOptions = {}): Promise<string> {
  const { name = "photos-classical", hash = "1a2b3c4d", seed = 0, steps = 60, arms = ARMS } = options;
  const { evaluated = EVALUATED, trained = arms.map((arm) => arm.name) } = options;
  const folder = path.join(temporaryFolder(), `${hash}`);
  mkdirSync(folder, { recursive: true });
  const record = {
    format: "descry-run-1",
    hash,
    created: "2026-11-20T08:30:00.000Z",
    workingFolder: "/somewhere",
    versions: { descry: "0.1.0", node: "20.20.2", tfjs: "4.22.0", onnxruntime: "1.30.0", sharp: "0.35.5" },
    machine: { cpu: "Some Processor", cores: 2, memoryBytes: 8 * 2 ** 30, os: "Linux 6.1.0 x64" },
    experiment: experiment(name, seed, arms, steps),
  };
  writeFileSync(path.join(folder, "experiment.json"), JSON.stringify(record, null, 2));
  for (const [a, arm] of arms.entries()) {
    const armFolder = path.join(folder, "arms", arm.name);
    if (trained.includes(arm.name)) {
      mkdirSync(armFolder, { recursive: true });
      writeFileSync(path.join(armFolder, "metrics.jsonl"), metricLines(a, arm.align !== null, steps, seed));
      await writeSamples(armFolder, a);
      if (options.filmed !== undefined) await writeFilm(armFolder, arm.align, options.filmed);
    }
    const measured = evaluated[arm.name];
    if (measured === undefined) continue;
    mkdirSync(armFolder, { recursive: true });
    const file = path.join(armFolder, "evaluation.json");
    const influences = options.influences?.[arm.name];
    const influence = influences === undefined ? null : await writeInfluence(file, influences);
    writeFileSync(file, JSON.stringify({ ...evaluationOf(arm.name, measured, options), influence }, null, 2));
  }
  return folder;
}

export function evaluationOf(
  arm: string,
  measured: Readonly<Record<string, number | null>>,
  { steps = 60, seed = 0, evaluation = {}, network = {}, floor = null }: RunOptions = {},
) {
  return {
    arm,
    step: steps,
    weights: "ema",
    samples: 256,
    reference: 744,
    sampler: { name: "euler", steps: 25, guidance: 1, guidanceInterval: [0, 1], path: "linear", seed: 0 },
    network: {
      name: "random-vgg",
      sha256: "0123abcd",
      proxy: true,
      resize: "none",
      dim: 512,
      cite: "random features of a VGG16",
      ...network,
    },
    metrics: measured,
    floor,
    not_measured: { inception_score: "random-vgg gives no class probabilities" },
    protocol: { source: "photos", size_px: 32, neighbours: 3, kid_subsets: 50, kid_subset_size: 100, seed },
    notes: ["features of random-vgg: compare arms with each other, not with published FIDs"],
    seconds: 3.25,
    ...evaluation,
  };
}

function metricLines(arm: number, aligned: boolean, steps: number, seed: number): string {
  const shared = randomStream(seed, "fixture/shared", 0).normal(steps);
  const own = randomStream(seed, "fixture/own", arm).normal(steps);
  const lines = Array.from({ length: steps }, (_, i) => {
    const denoising = 0.35 + 0.9 * Math.exp(-i / (30 - 2 * arm)) - 0.008 * arm + 0.04 * shared[i]! + 0.005 * own[i]!;
    const alignment = -0.75 + 0.08 * arm + 0.6 * Math.exp(-i / 40) + 0.01 * own[i]!;
    return JSON.stringify({
      step: i + 1,
      loss: denoising + (aligned ? 0.5 * alignment : 0),
      denoising_loss: denoising,
      ...(aligned ? { alignment_loss: alignment } : {}),
      grad_norm: 1 + 2 * Math.exp(-i / 20) + 0.1 * own[i]!,
      seconds: 0.2 + 0.02 * arm,
    });
  });
  return `${lines.join("\n")}\n`;
}

async function writeSamples(folder: string, arm: number): Promise<void> {
  const sizePx = 270;
  const pixels = new Uint8Array(sizePx * sizePx * 3);
  const noise = randomStream(0, "fixture/samples", 0).normal(64 * 3);
  for (let y = 0; y < sizePx; y++) {
    for (let x = 0; x < sizePx; x++) {
      const cell = Math.floor(y / 34) * 8 + Math.floor(x / 34);
      for (let c = 0; c < 3; c++) {
        const isGap = x % 34 >= 32 || y % 34 >= 32;
        const wave = 60 * Math.sin((x + y * (arm + 1)) / 6 + noise[cell * 3]!);
        pixels[(y * sizePx + x) * 3 + c] = isGap
          ? 255
          : Math.min(255, Math.max(0, 128 + 40 * noise[cell * 3 + c]! + wave));
      }
    }
  }
  await sharp(pixels, { raw: { width: sizePx, height: sizePx, channels: 3 } })
    .png()
    .toFile(path.join(folder, "samples.png"));
  const record = {
    format: 1,
    checkpoint: "checkpoint-0000060.safetensors",
    step: 60,
    weights: "ema",
    count: 256,
    batch: 64,
    classes: 9,
    shape: [256, 32, 32, 3],
    sampler: { name: "euler", steps: 25, guidance: 1, guidanceInterval: [0, 1], path: "linear", seed: 0 },
    device: "cpu",
    seconds: 12,
  };
  writeFileSync(path.join(folder, "samples.json"), JSON.stringify(record));
}

/** A film whose frame of step s is grey s everywhere. */
async function writeFilm(folder: string, align: Record<string, unknown> | null, frames: readonly number[]) {
  const film = path.join(folder, "film");
  mkdirSync(film, { recursive: true });
  const plain = (name: string, width: number, height: number, grey: number) =>
    sharp({ create: { width, height, channels: 3, background: { r: grey, g: grey, b: grey } } })
      .png()
      .toFile(path.join(film, name));
  await plain("images.png", 2 * 32, 32, 90);
  await plain("target.png", 2 * 8, 8, 120);
  for (const step of frames) {
    await plain(filmFrame("samples", step), 4 * 32, 32, step);
    await plain(filmFrame("maps", step), 2 * 8, 3 * 8, step);
  }
  const record: FilmRecord = {
    format: 1,
    sampler: { sampler: "euler", steps: 25, guidance: 1, guidanceInterval: [0, 1], seed: 0 },
    weights: "ema",
    samples: 4,
    maps: {
      images: [0, 1],
      grid: 8,
      blocks: [1, 3, 6],
      alignedBlock: align === null ? null : 3,
      noise: 0.25,
      target: "sift",
      spatialNorm: null,
    },
    frames: [...frames],
  };
  writeFileSync(path.join(film, "film.json"), JSON.stringify(record));
}
