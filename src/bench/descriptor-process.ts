/** @file Our descriptors as a process of the benchmark: a batch of noisy 256×256 images for each line on standard input. */
import { createInterface } from "node:readline";
import { randomStream } from "../../data/random.js";
import { openDescriber } from "../../features/describer.js";
import { parseTarget } from "../../features/targets.js";
import type { Device } from "../compile/compile.js";

const SIZE_PX = 256;
const GRID = 16;

interface Options {
  readonly target: string;
  readonly batch: number;
  readonly threads: number;
  readonly device: Device;
}

const { target, batch, threads, device } = JSON.parse(process.argv[2]!) as Options;
const describer = await openDescriber([parseTarget(target)], {
  imageSizePx: SIZE_PX,
  grid: GRID,
  batch,
  threads,
  device,
});
const noise = randomStream(0, "images", 0).uniform(batch * SIZE_PX ** 2 * 3);
const images = Uint8Array.from(noise, (x) => Math.floor(256 * x));
await describer.describe(images, batch);
process.stdout.write(`ready ${process.version}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  const began = performance.now();
  await describer.describe(images, batch);
  process.stdout.write(`${performance.now() - began}\n`);
}
await describer.dispose();
process.stdout.write(`peak_kb ${process.resourceUsage().maxRSS}\n`);
