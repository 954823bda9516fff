/**
 * @file Runs of stored numbers from open shards into an array, several reads under way at a time. Callbacks and not promises: a read
 * from the page cache takes a few microseconds, and three promises around it as long again.
 */
import fs from "node:fs";
import { type Column, type RowData, scaleTensor, vectorSize } from "./row-shard.js";
import type { SafetensorsHeader } from "./safetensors.js";
import { SLOT_BYTES, SLOT_VECTORS, type Slot, widenHalves, widenVectors, withSlot } from "./widen.js";

const PARALLEL_READS = 16;

/** Neighbouring elements of a column in one shard, from `from` on, and where in the result they go. */
export interface Run {
  readonly shard: number;
  readonly from: number;
  count: number;
  readonly at: number;
}

/** Where a run is read from. */
export interface RunFile {
  readonly fd: number;
  readonly header: SafetensorsHeader;
  /** The error for what is wrong with it. */
  readonly fault: (what: string) => Error;
}

type Done = (error: Error | null) => void;

/** Elements of a run at most, a whole number of vectors: what is converted has to fit a slot. */
export function largestRun(column: Column): number {
  switch (column.dtype) {
    case "F16":
      return SLOT_BYTES / 2;
    case "Q8": {
      const dim = vectorSize(column);
      return Math.min(Math.floor(SLOT_BYTES / dim), SLOT_VECTORS) * dim;
    }
    case "F32":
    case "U8":
    case "I32":
      return Infinity;
    default:
      throw new Error(`dtype ${column.dtype satisfies never}`);
  }
}

/**
 * Reads runs of one column into `result`. When it ends, well or not, no read is under way.
 *
 * @throws what `fault` gives of a file that ends too soon. Errors of the system as they are.
 */
export async function readRuns(
  name: string,
  column: Column,
  runs: readonly Run[],
  fileOf: (shard: number) => RunFile,
  result: RowData,
): Promise<void> {
  let next = 0;
  const lane = (slot?: Slot) =>
    new Promise<void>((resolve, reject) => {
      const step: Done = (error) => {
        const run = runs[next++];
        if (error !== null) reject(error);
        else if (run === undefined) resolve();
        else readRun(fileOf(run.shard), name, column, run, result.subarray(run.at, run.at + run.count), slot, step);
      };
      step(null);
    });
  const isConverted = column.dtype === "F16" || column.dtype === "Q8";
  const lanes = Array.from({ length: Math.min(PARALLEL_READS, runs.length) }, () =>
    isConverted ? withSlot(lane) : lane(),
  );
  for (const outcome of await Promise.allSettled(lanes)) if (outcome.status === "rejected") throw outcome.reason;
}

function readRun(
  file: RunFile,
  name: string,
  column: Column,
  { from }: Run,
  out: RowData,
  slot: Slot | undefined,
  done: Done,
): void {
  const { dataStart, tensors } = file.header;
  const startOf = (tensor: string): number => dataStart + tensors[tensor]!.begin;
  if (slot === undefined) {
    const bytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
    readBytes(file, bytes, startOf(name) + from * out.BYTES_PER_ELEMENT, done);
  } else if (column.dtype === "F16") {
    readBytes(file, slot.bytes.subarray(0, out.length * 2), startOf(name) + from * 2, (error) => {
      if (error === null) widenHalves(slot, out as Float32Array);
      done(error);
    });
  } else {
    const dim = vectorSize(column);
    const scales = slot.scales.subarray(0, (out.length / dim) * 8);
    readBytes(file, scales, startOf(scaleTensor(name)) + (from / dim) * 8, (failed) => {
      if (failed !== null) return done(failed);
      readBytes(file, slot.bytes.subarray(0, out.length), startOf(name) + from, (error) => {
        if (error === null) widenVectors(slot, dim, out as Float32Array);
        done(error);
      });
    });
  }
}

/** Fills `into`; the system may give less at a time than it is asked for. */
function readBytes(file: RunFile, into: Uint8Array, position: number, done: Done): void {
  fs.read(file.fd, into, 0, into.length, position, (error, count) => {
    if (error !== null) done(error);
    else if (count === into.length) done(null);
    else if (count === 0) done(file.fault("was cut short since it was opened"));
    else readBytes(file, into.subarray(count), position + count, done);
  });
}
