/**
 * @file TensorBoard's event files: the numbers of `metrics.jsonl` once more, for those who look at all of their trainings there
 * (`tensorboard --logdir runs`). A file is a sequence of records, each a protocol buffer between its length and its checksum.
 *
 * @source TFRecord framing: tensorflow.org/tutorials/load_data/tfrecord; messages: tensorflow/core/util/event.proto,
 *   tensorflow/core/framework/summary.proto. Castagnoli's CRC: RFC 3720, appendix B.4.
 */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import protobuf from "protobufjs";
import { fileError } from "../../data/atomic.js";
import type { StepMetrics } from "./metrics-log.js";

/** The part of the messages that is written here. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Event {
    double wall_time = 1;
    int64 step = 2;
    oneof what { string file_version = 3; Summary summary = 5; SessionLog session_log = 7; }
  }
  message Summary {
    message Value { string tag = 1; float simple_value = 2; }
    repeated Value value = 1;
  }
  message SessionLog {
    enum SessionStatus { STATUS_UNSPECIFIED = 0; START = 1; }
    SessionStatus status = 1;
  }
`);
const Event = root.lookupType("Event");

/** One event: when (seconds since 1970), at which step, and one of what it can say. */
export interface TensorBoardEvent {
  readonly wallTime: number;
  readonly step?: number;
  readonly fileVersion?: string;
  readonly summary?: { readonly value: readonly { readonly tag: string; readonly simpleValue: number }[] };
  readonly sessionLog?: { readonly status: 1 };
}

/** An event as a record: length, its checksum, the message, its checksum; little-endian. */
export function encodeEvent(event: TensorBoardEvent): Uint8Array {
  const message = Event.encode(event as object).finish();
  const record = Buffer.alloc(message.length + 16);
  record.writeBigUInt64LE(BigInt(message.length), 0);
  record.writeUInt32LE(maskedChecksum(record.subarray(0, 8)), 8);
  record.set(message, 12);
  record.writeUInt32LE(maskedChecksum(message), 12 + message.length);
  return record;
}

/** Rotated and offset, so that the checksum of bytes that hold checksums stays a good one. */
function maskedChecksum(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C of some bytes, 0 to 2³² − 1. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** An open event file. */
export interface EventLog {
  /** The numbers of a step as scalars, named as in `metrics.jsonl`. */
  append(metrics: StepMetrics): Promise<void>;
  close(): Promise<void>;
}

/**
 * Begins a new event file in a folder. It tells TensorBoard to forget what older files there say of steps after `start`: those
 * are trained again.
 *
 * @param start steps that are done.
 * @throws {DataError} the file cannot be written.
 */
export async function openEventLog(folder: string, start: number): Promise<EventLog> {
  const began = String(Math.floor(Date.now() / 1000)).padStart(10, "0");
  const path = join(folder, `events.out.tfevents.${began}.descry.${process.pid}.${start}`);
  const guard = async <Result>(action: Promise<Result>): Promise<Result> => {
    try {
      return await action;
    } catch (error) {
      throw fileError(error, "cannot write", path);
    }
  };
  const handle: FileHandle = await guard(open(path, "a"));
  const append = (event: Omit<TensorBoardEvent, "wallTime">) =>
    guard(handle.appendFile(encodeEvent({ wallTime: Date.now() / 1000, ...event })));
  await append({ fileVersion: "brain.Event:2" });
  await append({ step: start + 1, sessionLog: { status: 1 } });
  return {
    append: ({ step, ...scalars }) =>
      append({ step, summary: { value: Object.entries(scalars).map(([tag, simpleValue]) => ({ tag, simpleValue })) } }),
    close: () => guard(handle.close()),
  };
}
