/**
 * @file Our side of a benchmark as a process of its own, so that its peak memory is its own. The protocol is the peers': options as
 * one JSON line on the command line; says "ready VERSION"; then does the work once for each line on standard input and prints
 * the milliseconds; at the end prints its peak resident size.
 */
import { createInterface } from "node:readline";
import { randomStream } from "../../data/random.js";
import type { Device, HostTensors } from "../compile/compile.js";
import { compileStep } from "../compile/compile-step.js";
import { initializeSit } from "../models/initialize.js";
import type { SitConfig } from "../models/sit-sizes.js";
import { openSitNetwork } from "../sample/network.js";
import { sampleSit } from "../sample/sit-sampler.js";
import { biasCorrections } from "../train/adamw.js";
import type { TrainStepConfig } from "../train/options.js";
import { initialParts } from "../train/train-state.js";
import { targetInput, trainStep } from "../train/train-step.js";
import type { BenchCase } from "./model-cases.js";

type Options = BenchCase & { readonly threads: number; readonly device: Device };

const options = JSON.parse(process.argv[2]!) as Options;
const { size, patch, channels, width, depth, heads, mlpRatio, classes, batch } = options;
const model: SitConfig = { sizePx: size, patch, channels, width, depth, heads, mlpRatio, classes };
const shape = [batch, channels, size, size];
const normal = (name: string, step: number, count: number) => randomStream(0, name, step).normal(count);
const count = batch * channels * size ** 2;
const labels = Int32Array.from({ length: batch }, (_, i) => (i * 37) % classes);

/** One training step; noise and times are drawn in it, as the peer draws them. */
async function training(): Promise<() => Promise<void>> {
  const { projector, kernel, projectorWidth, targetDim: dim } = options;
  const config: TrainStepConfig = {
    model,
    batch,
    path: "linear",
    betas: [0.9, 0.999],
    weightDecay: 0,
    clip: 1,
    emaDecay: 0.9999,
    coefficient: options.coefficient,
    alignDepth: options.alignDepth,
    precision: options.precision,
    targets:
      projector === undefined
        ? []
        : [
            {
              dim,
              projector: projector === "conv" ? { type: "conv", kernel } : { type: "mlp", width: projectorWidth },
            },
          ],
  };
  const { signature, step } = trainStep(config);
  const compiled = await compileStep(step, signature, {
    name: "bench",
    device: options.device,
    threads: options.threads,
    products: options.precision === "mixed" ? "float16" : "float32",
  });
  for (const part of initialParts(config, 0)) compiled.setState(part);
  const tokens = (size / patch) ** 2;
  const x = normal("x", 0, count);
  const target = normal("target", 0, batch * tokens * dim);
  const scalar = (value: number) => ({ data: Float32Array.of(value), shape: [] });
  let done = 0;
  return async () => {
    const [c1, c2] = biasCorrections(config.betas, done + 1);
    const inputs: HostTensors = {
      x: { data: x, shape },
      y: { data: labels, shape: [batch] },
      noise: { data: normal("noise", done, count), shape },
      t: { data: Float32Array.from(randomStream(0, "time", done).uniform(batch)), shape: [batch] },
      learningRate: scalar(1e-4),
      ...(options.precision === "mixed" ? {} : { biasCorrection1: scalar(c1), biasCorrection2: scalar(c2) }),
      ...(projector === undefined ? {} : { [targetInput(0)]: { data: target, shape: [batch, tokens, dim] } }),
    };
    await compiled.run(inputs);
    done++;
  };
}

/** A batch of samples with guidance on all the way. */
async function sampling(): Promise<() => Promise<void>> {
  const network = await openSitNetwork(
    initializeSit(model, (name) => randomStream(0, `init/${name}`, 0)),
    model,
    { batch, device: options.device, threads: options.threads },
  );
  return async () => {
    await sampleSit(network.velocity, normal("start", 0, count), labels, {
      sampler: "euler",
      steps: options.steps,
      guidance: 1.5,
      guidanceInterval: [0, 1],
      nullLabel: classes,
    });
  };
}

const work = await (options.work === "train" ? training() : sampling());
await work();
process.stdout.write(`ready ${process.version}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  const began = performance.now();
  await work();
  process.stdout.write(`${performance.now() - began}\n`);
}
process.stdout.write(`peak_kb ${process.resourceUsage().maxRSS}\n`);
