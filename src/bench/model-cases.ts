/** @file What is measured: the same work for us and for a peer, in words that both understand (one JSON line of options). */
import { SIT_SIZES } from "../models/sit-sizes.js";
import type { PrecisionName } from "../train/options.js";

/** One piece of work. The peer script `bench/peers/sit_repa_step.py` reads the same fields. */
export interface BenchCase {
  readonly name: string;
  readonly work: "train" | "sample";
  /** Side of the image or latent, and of a token, in its pixels. */
  readonly size: number;
  readonly patch: number;
  readonly channels: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly mlpRatio: number;
  readonly classes: number;
  readonly batch: number;
  /** Absent: no alignment. */
  readonly projector?: "mlp" | "conv";
  readonly projectorWidth: number;
  readonly kernel: number;
  readonly targetDim: number;
  readonly alignDepth: number;
  readonly coefficient: number;
  /** Of the sampler. */
  readonly steps: number;
  /** Of training. */
  readonly precision: PrecisionName;
  /** Too much for a processor: measured only when `--device` is a graphics card. */
  readonly isForCards?: boolean;
}

const COMMON = {
  work: "train",
  size: 32,
  channels: 4,
  mlpRatio: 4,
  classes: 1000,
  projector: "mlp",
  projectorWidth: 2048,
  kernel: 3,
  targetDim: 128,
  alignDepth: 8,
  coefficient: 0.5,
  steps: 50,
  precision: "float32",
} as const;

const SMALL = { ...COMMON, size: 16, patch: 2, width: 192, depth: 6, heads: 3, alignDepth: 3 } as const;

/** Cases by name, in the order in which they are run. */
export const BENCH_CASES: readonly BenchCase[] = [
  { ...COMMON, ...SIT_SIZES["S/2"], name: "SiT-S/2, batch 4, REPA", batch: 4 },
  { ...SMALL, name: "width 192, depth 6, 64 tokens, batch 16, REPA", batch: 16 },
  { ...SMALL, name: "width 192, depth 6, 64 tokens, batch 64, iREPA", batch: 64, projector: "conv" },
  { ...COMMON, ...SIT_SIZES["B/2"], name: "SiT-B/2, batch 2, REPA", batch: 2 },
  { ...COMMON, ...SIT_SIZES["B/2"], name: "SiT-B/2, batch 64, REPA, float32", batch: 64, isForCards: true },
  {
    ...COMMON,
    ...SIT_SIZES["B/2"],
    name: "SiT-B/2, batch 64, REPA, mixed precision",
    batch: 64,
    isForCards: true,
    precision: "mixed",
  },
  { ...COMMON, ...SIT_SIZES["S/2"], name: "SiT-S/2, 50 Euler steps, guidance, batch 8", work: "sample", batch: 8 },
];
