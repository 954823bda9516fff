import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataError } from "../../data/errors.js";
import { modelWithOutputs } from "./model-outputs.js";

/** A model as ONNX Runtime opens it. */
export interface ReadModel {
  readonly model: string | Uint8Array;
  /** SHA-256 (hex) of the file, and of those with its weights. */
  readonly sha256: string;
}

/**
 * Read an ONNX file, so that any tensors of its graph are among its outputs.
 *
 * @param outputs tensors of the graph, outputs or not; none: its own.
 * @param what    whose model it is, for messages.
 * @throws {DataError} a file that cannot be read or is no ONNX model. @throws {UsageError} a tensor that the graph lacks.
 */
export async function readModel(file: string, outputs: readonly string[], what: string): Promise<ReadModel> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw unreadable(file, what, cause);
  });
  const { model, weightFiles } = modelWithOutputs(file, bytes, outputs, what);
  const hash = createHash("sha256").update(bytes);
  for (const name of weightFiles) await hashFile(join(dirname(file), name), hash, what);
  return { model, sha256: hash.digest("hex") };
}

async function hashFile(file: string, hash: ReturnType<typeof createHash>, what: string): Promise<void> {
  try {
    for await (const part of createReadStream(file)) hash.update(part as Buffer);
  } catch (cause) {
    throw unreadable(file, what, cause);
  }
}

function unreadable(file: string, what: string, cause: unknown): DataError {
  const reason = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  return new DataError(`${what}: ${file}: cannot be read (${reason})`, { cause });
}
