/**
 * @file Checkpoints: `checkpoint-0000300.safetensors` holds the whole state of a training run after step 300 (see
 * `train-state.ts`), so that a resumed run goes on to the bit. PyTorch's safetensors reads it; `model/` and `ema/` have the
 * reference's names and layouts. Metadata: format, version, step, the arm's settings as JSON, their hash, and a digest of the
 * tensors, so that a flipped bit is found.
 */
import { createHash, type Hash } from "node:crypto";
import { readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "../../data/atomic.js";
import { DataError, DescryError, UsageError } from "../../data/errors.js";
import { readSafetensors, readSafetensorsHeader, type SafeTensor, writeSafetensors } from "../../data/safetensors.js";
import type { HostTensors, Signature } from "../compile/compile.js";

const FORMAT = "descry-checkpoint";
const VERSION = "1";
const FILE_NAME = /^checkpoint-(\d{7,})\.safetensors$/;
/** The newest, and the one before in case the newest is damaged later. */
const KEPT = 2;

/** A checkpoint file, not opened. */
export interface CheckpointFile {
  readonly path: string;
  readonly step: number;
}

export interface Checkpoint {
  /** Steps done. */
  readonly step: number;
  readonly state: HostTensors;
  /** The settings that it was made with, for people and tools to read. */
  readonly config: unknown;
  readonly configHash: string;
}

/** Where the checkpoint of a step lies. */
export const checkpointPath = (folder: string, step: number): string =>
  join(folder, `checkpoint-${String(step).padStart(7, "0")}.safetensors`);

/** The checkpoints in a folder by their names, oldest first; none when there is no such folder. */
export async function listCheckpoints(folder: string): Promise<CheckpointFile[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError(error, "cannot list", folder);
  }
  return names
    .flatMap((name) => {
      const match = FILE_NAME.exec(name);
      return match === null ? [] : [{ path: join(folder, name), step: Number(match[1]) }];
    })
    .sort((a, b) => a.step - b.step);
}

/**
 * Writes a checkpoint, whole or not at all, then removes all but the newest two.
 *
 * @returns its path.
 * @throws {DataError} it cannot be written (disk full, …); the ones before stay.
 */
export async function writeCheckpoint(folder: string, checkpoint: Checkpoint): Promise<string> {
  const { step } = checkpoint;
  const path = checkpointPath(folder, step);
  await writeCheckpointFile(path, checkpoint);
  const older = (await listCheckpoints(folder)).filter((file) => file.step < step);
  for (const file of older.slice(0, Math.max(0, older.length - (KEPT - 1)))) {
    await unlink(file.path).catch((error: unknown) => {
      throw fileError(error, "cannot remove", file.path);
    });
  }
  return path;
}

/** Writes one file in the form of a checkpoint, whole or not at all; its state need not be a whole one. @throws {DataError} as above. */
export async function writeCheckpointFile(
  path: string,
  { step, state, config, configHash }: Checkpoint,
): Promise<void> {
  const tensors: Record<string, SafeTensor> = {};
  for (const [name, { data, shape }] of Object.entries(state)) tensors[name] = { dtype: "F32", shape, data };
  await writeSafetensors(path, tensors, {
    format: FORMAT,
    version: VERSION,
    step: String(step),
    config: JSON.stringify(config),
    configHash,
    digest: digestOf(tensors),
  });
}

/**
 * Reads a checkpoint and verifies it against its digest and against the state that it has to fit.
 *
 * @throws {DataError} damaged, not a checkpoint of this format, or of another model: names the file.
 */
export async function readCheckpoint(path: string, signature: Signature): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensors(path);
  const { step, config, configHash } = readMetadata(path, metadata);
  if (metadata["digest"] !== digestOf(tensors)) throw damaged(path);
  const state: HostTensors = {};
  for (const [name, { shape }] of Object.entries(signature)) {
    const tensor = tensors[name];
    if (tensor === undefined) throw new DataError(`${path}: the checkpoint lacks the tensor "${name}"`);
    if (!(tensor.data instanceof Float32Array) || tensor.shape.join() !== shape.join()) {
      throw new DataError(
        `${path}: tensor "${name}" is ${tensor.dtype} [${tensor.shape}], the model wants F32 [${shape}]`,
      );
    }
    state[name] = { data: tensor.data, shape: tensor.shape };
  }
  const stranger = Object.keys(tensors).find((name) => signature[name] === undefined);
  if (stranger !== undefined) {
    throw new DataError(`${path}: the checkpoint has the tensor "${stranger}", which the model has not`);
  }
  return { step, state, config, configHash };
}

/**
 * Reads every byte of a checkpoint, one tensor after the other, and compares it with the digest that was written with it.
 *
 * @throws {DataError} it is damaged, or cannot be read.
 */
export async function verifyCheckpoint(path: string): Promise<void> {
  const { tensors, metadata } = await readSafetensorsHeader(path);
  const hash = createHash("sha256");
  for (const name of Object.keys(tensors).sort()) {
    addToDigest(hash, name, (await readSafetensors(path, [name])).tensors[name]!);
  }
  if (metadata["digest"] !== hash.digest("hex")) throw damaged(path);
}

const damaged = (path: string): DataError =>
  new DataError(`${path}: the checkpoint is damaged: its tensors are not those that were written`, {
    hint: "remove this file and train again, which goes on from the checkpoint before",
  });

/**
 * The newest checkpoint of a folder, to go on from.
 *
 * @param configHash  what the run is made with now.
 * @returns undefined when there is none.
 * @throws {DataError} the newest one is damaged: says how to go on without it. Nothing is chosen silently.
 * @throws {UsageError} it was made with other settings.
 */
export async function readNewestCheckpoint(
  folder: string,
  { configHash, signature }: { configHash: string; signature: Signature },
): Promise<Checkpoint | undefined> {
  const files = await listCheckpoints(folder);
  const newest = files.at(-1);
  if (newest === undefined) return undefined;
  try {
    const header = await readSafetensorsHeader(newest.path);
    // Before the tensors: other settings usually mean other tensors, and those are the lesser news.
    const metadata = readMetadata(newest.path, header.metadata);
    if (metadata.configHash !== configHash) {
      throw new UsageError(
        `${newest.path} was made with other settings (hash ${metadata.configHash}, now ${configHash})`,
        { hint: "go back to those settings, or train in another folder" },
      );
    }
    const checkpoint = await readCheckpoint(newest.path, signature);
    if (checkpoint.step !== newest.step) {
      throw new DataError(`${newest.path}: the checkpoint is of step ${checkpoint.step}, not of the step in its name`);
    }
    return checkpoint;
  } catch (error) {
    if (!(error instanceof DescryError) || error.tag === "UsageError") throw error;
    const before = files.at(-2);
    const hint =
      before === undefined
        ? "remove this file and resume again, to start from the first step"
        : `remove this file and resume again, to go on from step ${before.step} (${before.path})`;
    // The message underneath may have a hint of its own, meant for files that nobody can do without.
    throw new DataError(error.message.split(" — ")[0]!, { hint, cause: error });
  }
}

function readMetadata(path: string, metadata: Readonly<Record<string, string>>): Omit<Checkpoint, "state"> {
  const { format, version, step, config, configHash } = metadata as Partial<Record<string, string>>;
  if (format !== FORMAT) throw new DataError(`${path}: not a checkpoint of descry (its metadata says no such format)`);
  if (version !== VERSION) {
    throw new DataError(`${path}: a checkpoint of format version ${version}; this descry reads version ${VERSION}`);
  }
  if (step === undefined || !/^\d+$/.test(step) || config === undefined || configHash === undefined) {
    throw new DataError(`${path}: the checkpoint's metadata lack the step, the settings or their hash`);
  }
  try {
    return { step: Number(step), config: JSON.parse(config) as unknown, configHash };
  } catch (error) {
    throw new DataError(`${path}: the settings in the checkpoint's metadata are not JSON`, { cause: error });
  }
}

/** SHA-256 over names and bytes, by name. */
function digestOf(tensors: Readonly<Record<string, SafeTensor>>): string {
  const hash = createHash("sha256");
  for (const name of Object.keys(tensors).sort()) addToDigest(hash, name, tensors[name]!);
  return hash.digest("hex");
}

function addToDigest(hash: Hash, name: string, { data }: SafeTensor): void {
  hash.update(`${name}\n`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
