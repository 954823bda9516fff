/** @file Several descriptors ready for the same images: on worker threads where that is faster, here otherwise. */
import { availableParallelism } from "node:os";
import { openFeatureComputer } from "./compute-features.js";
import { openDescribeWorkers } from "./describe-workers.js";
import type { Descriptor, FeatureComputer, FeatureComputerOptions } from "./descriptor.js";
import { type FitSample, fitToSample } from "./fit-descriptor.js";

/** Descriptors ready for one image size and grid. Calls may overlap. */
export interface Describer {
  /** Of each descriptor: {@link FeatureComputer.note}. */
  readonly notes: readonly (string | undefined)[];
  /**
   * @param images [count,H,W,3] RGB, uint8. Read only, until the promise is settled.
   * @param count  any number.
   * @param rows   as of {@link FeatureComputer.compute}.
   * @returns      of each descriptor [count,T,D] float32, the caller's.
   * @throws {ShapeError} another number of bytes.
   */
  describe(images: Uint8Array, count: number, rows?: readonly number[]): Promise<Float32Array[]>;
  dispose(): Promise<void>;
}

export interface DescriberOptions extends FeatureComputerOptions {
  /** What descriptors that have to be fitted are fitted to. */
  readonly sample?: FitSample;
  /** Worker threads take a second or two to be ready. @default true */
  readonly usesWorkers?: boolean;
}

/**
 * Make descriptors ready for many images.
 *
 * On the CPU, tensor programs and libraries run on as many worker threads as there are `threads`, each with a thread of the native
 * runtime for itself: two images at once are done sooner than one by two threads. Encoders have a thread of their own; combinations
 * of them run on one worker with all threads, so that their weights are in memory once. What was computed elsewhere is read here, and other devices are driven from here.
 *
 * @param descriptors loaded.
 * @throws as {@link openFeatureComputer}.
 */
export async function openDescriber(descriptors: readonly Descriptor[], options: DescriberOptions): Promise<Describer> {
  const { device = "cpu", threads = 0, usesWorkers = true } = options;
  const all = threads > 0 ? threads : availableParallelism();
  const placeOf = (descriptor: Descriptor): "here" | "one worker" | "workers" => {
    if (!usesWorkers || device !== "cpu" || descriptor.isStored === true || descriptor.hasOwnThread === true) {
      return "here";
    }
    return descriptor.fingerprint === undefined ? "workers" : "one worker";
  };
  const parts: { indices: number[]; describer: Describer }[] = [];
  const dispose = async () => {
    for (const { describer } of parts) await describer.dispose();
  };
  try {
    for (const place of ["here", "one worker", "workers"] as const) {
      const indices = [...descriptors.keys()].filter((i) => placeOf(descriptors[i]!) === place);
      if (indices.length === 0) continue;
      const chosen = indices.map((i) => descriptors[i]!);
      const describer =
        place === "here"
          ? await openHere(chosen, options)
          : place === "workers"
            ? await openDescribeWorkers(chosen, { ...options, workers: all, threads: 1 })
            : await openDescribeWorkers(chosen, { ...options, workers: 1, threads: all, takesBatches: true });
      parts.push({ indices, describer });
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  const gather = <T>(of: (part: Describer) => readonly T[]): T[] => {
    const gathered = new Array<T>(descriptors.length);
    for (const { indices, describer } of parts)
      for (const [k, value] of of(describer).entries()) gathered[indices[k]!] = value;
    return gathered;
  };
  return {
    notes: gather(({ notes }) => notes),
    async describe(images, count, rows) {
      const results = new Map<Describer, Float32Array[]>();
      await Promise.all(
        parts.map(async ({ describer }) => results.set(describer, await describer.describe(images, count, rows))),
      );
      return gather((describer) => results.get(describer)!);
    },
    dispose,
  };
}

/** In this thread, one after the other. */
async function openHere(
  descriptors: readonly Descriptor[],
  { sample, ...computing }: DescriberOptions,
): Promise<Describer> {
  const computers: FeatureComputer[] = [];
  const dispose = async () => {
    for (const computer of computers) await computer.dispose();
  };
  try {
    for (const descriptor of descriptors) {
      computers.push(await openFeatureComputer(await fitToSample(descriptor, sample, computing), computing));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  // A computer's calls must not overlap, nor its end.
  let last: Promise<unknown> = Promise.resolve();
  return {
    notes: computers.map(({ note }) => note),
    describe(images, count, rows) {
      const next = last.then(async () => {
        const tokens: Float32Array[] = [];
        for (const computer of computers) tokens.push(await computer.compute(images, count, rows));
        return tokens;
      });
      last = next.catch(() => {});
      return next;
    },
    async dispose() {
      await last;
      await dispose();
    },
  };
}
