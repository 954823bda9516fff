/** @file What compiling costs: tracing, opening the session, and what the graph is made of. */
import { compileStep } from "../compile/compile-step.js";
import { SIT_SIZES, type SitSizeName } from "../models/sit-sizes.js";
import type { TrainStepConfig } from "../train/options.js";
import { trainStep } from "../train/train-step.js";
import { type Spread, spreadOf } from "./statistics.js";

export interface EngineResult {
  readonly name: string;
  /** From the call of `compileStep` to a step that can be run. */
  readonly seconds: Spread;
  readonly nodes: number;
}

/** Compile the whole training step of a published size, `times` times. */
export async function measureEngine(size: SitSizeName, times: number): Promise<EngineResult> {
  const config: TrainStepConfig = {
    model: { ...SIT_SIZES[size], mlpRatio: 4, channels: 4, sizePx: 32, classes: 1000 },
    batch: 1,
    path: "linear",
    betas: [0.9, 0.999],
    weightDecay: 0,
    clip: 1,
    emaDecay: 0.9999,
    coefficient: 0.5,
    alignDepth: 8,
    targets: [{ dim: 128, projector: { type: "mlp" } }],
  };
  const { signature, step } = trainStep(config);
  const seconds: number[] = [];
  let nodes = 0;
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    const compiled = await compileStep(step, signature, { name: `SiT-${size}` });
    seconds.push((performance.now() - began) / 1000);
    nodes = compiled.nodes;
    await compiled.dispose();
  }
  return { name: `SiT-${size} training step`, seconds: spreadOf(seconds), nodes };
}
