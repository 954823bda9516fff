/**
 * @file The tokens of several targets from one pass over the images: writers that run side by side each read the rows of one target,
 * and a batch that several of them come to is decoded and described once. Writers may begin anywhere (one has less left than
 * another): those that are far apart are served one by one.
 */
import type { Device } from "../src/compile/compile.js";
import { type Describer, openDescriber } from "./describer.js";
import type { Descriptor } from "./descriptor.js";
import { type FitSample, loadFitSample } from "./fit-descriptor.js";
import { BATCH, batchesAhead, type ImageRows, loadBatch } from "./image-batches.js";

/** Batches of a target that are made before its writer takes them. */
const MADE_AHEAD = 3;
/** By how many batches one writer may be ahead of another: so many are kept for the slower one. */
const MOST_APART = 2 * MADE_AHEAD;
/** Fewer rows are described sooner than worker threads are ready. */
const WORTH_WORKERS = 128;

export interface TargetRowsOptions {
  readonly data: ImageRows;
  /** Rows of the data set, all variants. */
  readonly rowCount: number;
  readonly sizePx: number;
  readonly grid: number;
  readonly device?: Device;
}

/** A target's writer: where it is, and where it stops for now. */
interface Reader {
  position: number;
  end: number;
}

export class TargetRows {
  readonly #descriptors: readonly Descriptor[];
  readonly #options: TargetRowsOptions;
  readonly #readers = new Map<number, Reader>();
  /** First row of a batch → by target, for those that have not taken them yet. */
  readonly #made = new Map<number, Map<number, Promise<Float32Array>>>();
  /** By the targets that one describes. */
  readonly #describers = new Map<string, Promise<Describer>>();
  /** For the images of a batch, shared with worker threads; used again. */
  readonly #memory: Uint8Array[] = [];
  #sample: Promise<FitSample> | undefined;
  #waiting: (() => void)[] = [];

  /** @param descriptors loaded. */
  constructor(descriptors: readonly Descriptor[], options: TargetRowsOptions) {
    this.#descriptors = descriptors;
    this.#options = options;
  }

  /** A writer of a target is going to read from about this row on: until then, others do not run away from it. */
  expect(target: number, start: number): void {
    this.#move(target, { position: start, end: Number.POSITIVE_INFINITY });
  }

  /** Tokens of rows `start` to `end` (exclusive) of a target, [n,T,D] a batch. One reader a target. */
  async *read(target: number, start: number, end: number): AsyncGenerator<Float32Array> {
    this.#move(target, { position: start, end });
    let at = start;
    for await (const tokens of batchesAhead(start, end, MADE_AHEAD, (first) => this.#tokensOf(target, first, end))) {
      at += BATCH;
      this.#move(target, { position: at, end });
      yield tokens;
    }
  }

  /** A target's writer needs no more. */
  leave(target: number): void {
    this.#readers.delete(target);
    this.#forget();
  }

  async close(): Promise<void> {
    for (const describer of this.#describers.values()) await (await describer.catch(() => undefined))?.dispose();
  }

  #move(target: number, reader: Reader): void {
    this.#readers.set(target, reader);
    this.#forget();
  }

  /** Let go of what nobody will take, and wake those that wait for others. */
  #forget(): void {
    for (const [first, byTarget] of this.#made) {
      for (const target of byTarget.keys()) {
        const reader = this.#readers.get(target);
        if (reader === undefined || first < reader.position || first >= reader.end) byTarget.delete(target);
      }
      if (byTarget.size === 0) this.#made.delete(first);
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #tokensOf(target: number, first: number, end: number): Promise<Float32Array> {
    for (;;) {
      const made = this.#made.get(first)?.get(target);
      if (made !== undefined) return made;
      if (!this.#leavesBehind(this.#readers.get(target)?.position ?? first, first)) break;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const targets = this.#comingTo(first, target);
    const all = this.#describe(targets, first, end);
    const byTarget = new Map(targets.map((one, i) => [one, all.then((tokens) => tokens[i]!)]));
    for (const promise of byTarget.values()) promise.catch(() => {}); // reported to whoever takes it
    this.#made.set(first, new Map([...(this.#made.get(first) ?? []), ...byTarget]));
    return byTarget.get(target)!;
  }

  /** Whether a reader that is near another one would be too far away from it at a batch. Those that began far away do not count. */
  #leavesBehind(position: number, first: number): boolean {
    return [...this.#readers.values()].some((other) => {
      const isNear = position >= other.position && position - other.position <= MOST_APART * BATCH;
      return isNear && first - other.position >= MOST_APART * BATCH;
    });
  }

  /** The targets whose writers are at a batch, or come to it soon. */
  #comingTo(first: number, target: number): number[] {
    const near = [...this.#readers].filter(([other, { position, end }]) => {
      const distance = (first - position) / BATCH;
      const isThere = this.#made.get(first)?.has(other) === true;
      return !isThere && distance >= 0 && distance < MOST_APART && Number.isInteger(distance) && first < end;
    });
    return [...new Set([target, ...near.map(([other]) => other)])].sort((a, b) => a - b);
  }

  async #describe(targets: readonly number[], first: number, end: number): Promise<Float32Array[]> {
    const { data, sizePx } = this.#options;
    // Decoding and making ready go on side by side.
    const memory = this.#memory.pop() ?? new Uint8Array(new SharedArrayBuffer(BATCH * sizePx ** 2 * 3));
    const [describer, { images, rows }] = await Promise.all([
      this.#describerOf(targets),
      loadBatch(data, sizePx, first, end, memory),
    ]);
    const tokens = await describer.describe(images, rows.length, rows);
    this.#memory.push(memory);
    return tokens;
  }

  #describerOf(targets: readonly number[]): Promise<Describer> {
    const key = targets.join();
    let describer = this.#describers.get(key);
    if (describer === undefined) {
      describer = this.#openDescriber(targets.map((target) => this.#descriptors[target]!));
      this.#describers.set(key, describer);
    }
    return describer;
  }

  async #openDescriber(descriptors: readonly Descriptor[]): Promise<Describer> {
    const { data, sizePx, grid, device, rowCount } = this.#options;
    if (descriptors.some(({ fit }) => fit !== undefined)) this.#sample ??= loadFitSample(data.source, sizePx);
    const sample = await this.#sample;
    return openDescriber(descriptors, {
      imageSizePx: sizePx,
      grid,
      batch: BATCH,
      usesWorkers: rowCount >= WORTH_WORKERS,
      ...(device !== undefined && { device }),
      ...(sample !== undefined && { sample }),
    });
  }
}
