/**
 * @file The files of features that somebody computed elsewhere, found and read by rows.
 *
 * A folder holds `*.safetensors` or `*.npy`, or the one file is named itself. Files in the order of their names make one array
 * [N, …]. In a safetensors file it is the tensor `features` (or the only one there is), of the mirrored images `mirrored`; among
 * `.npy` files those whose names begin with `mirrored` are that. A folder may hold `ids.txt`, the image of each row in a line.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileError } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";
import { hashFile } from "../../data/hash-file.js";
import { type NpyDType, readNpyHeader } from "../../data/npz.js";
import { readFully, readSafetensorsHeader, type SafeDType, toFloat32 } from "../../data/safetensors.js";

const FEATURES = "features";
const MIRRORED = "mirrored";
const IDS = "ids.txt";

const NPY_FLOATS: Partial<Record<NpyDType, FloatType>> = { "<f2": "F16", "<f4": "F32", "<f8": "F64" };
const ARRAYS = { F16: Uint16Array, BF16: Uint16Array, F32: Float32Array, F64: Float64Array } as const;
type FloatType = keyof typeof ARRAYS;

/** Rows that lie in one file, one after the other. */
interface Piece {
  readonly file: string;
  readonly dtype: FloatType;
  readonly rows: number;
  /** Of one row. */
  readonly shape: readonly number[];
  readonly dataStart: number;
}

/** Rows of one array, over files. */
export interface RowArray {
  readonly rows: number;
  /** Of one row: [T,D] or [C,H,W]. */
  readonly shape: readonly number[];
  readonly pieces: readonly Piece[];
}

export interface FeatureFiles {
  readonly features: RowArray;
  readonly mirrored?: RowArray;
  /** Image of each row; absent: the rows are in the order of the data source. */
  readonly ids?: readonly string[];
  /** SHA-256 (hex) of all of it. */
  readonly sha256: string;
}

/**
 * Find the files and read their headers; every byte is read once for the hash.
 *
 * @throws {DataError} nothing there, a damaged file, rows of several shapes or of no floats, ids that are not one a row.
 */
export async function findFeatureFiles(place: string): Promise<FeatureFiles> {
  const files = await filesOf(place);
  const features: Piece[] = [];
  const mirrored: Piece[] = [];
  const hash = createHash("sha256");
  for (const file of files) {
    if (extname(file) === ".npy") (isMirrored(file) ? mirrored : features).push(await npyPiece(file));
    else {
      const found = await safetensorsPieces(file);
      features.push(found.features);
      if (found.mirrored !== undefined) mirrored.push(found.mirrored);
    }
    hash.update(await hashFile(file));
  }
  if (features.length === 0) throw new DataError(`${place}: has mirrored features only`);
  const all = rowArray(features);
  const ids = await idsOf(place);
  if (ids !== undefined && ids.length !== all.rows) {
    throw new DataError(`${join(place, IDS)}: has ${ids.length} lines, but there are features of ${all.rows} images`);
  }
  const both = mirrored.length === 0 ? undefined : rowArray(mirrored);
  if (both !== undefined && (both.rows !== all.rows || both.shape.join() !== all.shape.join())) {
    throw new DataError(
      `${place}: mirrored features [${[both.rows, ...both.shape]}] are not of the shape of the others, [${[all.rows, ...all.shape]}]`,
    );
  }
  return {
    features: all,
    ...(both === undefined ? {} : { mirrored: both }),
    ...(ids === undefined ? {} : { ids }),
    sha256: hash.update(JSON.stringify(ids ?? null)).digest("hex"),
  };
}

/** Reads rows; keeps the file of the last one open. Calls must not overlap. */
export class RowReader {
  #open: { file: string; handle: FileHandle } | undefined;

  /** Row `row` as float32. @throws {DataError} a file that was changed or cannot be read, numbers that are not finite. */
  async read({ pieces, shape }: RowArray, row: number): Promise<Float32Array> {
    let first = 0;
    const piece = pieces.find(({ rows }) => {
      if (row < first + rows) return true;
      first += rows;
      return false;
    })!;
    const { file, dtype, dataStart } = piece;
    const data = new ARRAYS[dtype](shape.reduce((product, size) => product * size, 1));
    try {
      const handle = await this.#handleOf(file);
      const bytes = new Uint8Array(data.buffer);
      await readFully(handle, bytes, dataStart + (row - first) * bytes.length, file);
    } catch (error) {
      throw fileError(error, "cannot read", file);
    }
    const values = toFloat32({ dtype, shape, data });
    if (!values.every(Number.isFinite)) {
      throw new DataError(`${file}: row ${row - first} holds numbers that are not finite`);
    }
    return values;
  }

  async #handleOf(file: string): Promise<FileHandle> {
    if (this.#open?.file !== file) {
      await this.close();
      this.#open = { file, handle: await open(file, "r") };
    }
    return this.#open!.handle;
  }

  async close(): Promise<void> {
    await this.#open?.handle.close();
    this.#open = undefined;
  }
}

const isMirrored = (file: string): boolean => /[/\\]mirrored[^/\\]*$/.test(file);

async function filesOf(place: string): Promise<string[]> {
  try {
    if (!(await stat(place)).isDirectory()) {
      if ([".npy", ".safetensors"].includes(extname(place))) return [place];
      throw new DataError(`${place}: wanted a folder, or a file .safetensors or .npy`);
    }
    const names = (await readdir(place)).sort();
    const byType = [".safetensors", ".npy"].map((type) => names.filter((name) => extname(name) === type));
    const [files, ...more] = byType.filter((found) => found.length > 0);
    if (files === undefined) throw new DataError(`${place}: holds no .safetensors and no .npy`);
    if (more.length > 0) throw new DataError(`${place}: holds .safetensors and .npy: one kind is wanted`);
    return files.map((name) => join(place, name));
  } catch (error) {
    throw fileError(error, "cannot read", place);
  }
}

async function idsOf(place: string): Promise<string[] | undefined> {
  try {
    const text = await readFile(join(place, IDS), "utf8");
    const lines = text.split(/\r?\n/);
    return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw fileError(error, "cannot read", join(place, IDS));
  }
}

async function npyPiece(file: string): Promise<Piece> {
  const { dtype, shape, dataStart } = await readNpyHeader(file);
  const float = NPY_FLOATS[dtype];
  if (float === undefined) throw notFloats(file, dtype);
  return pieceOf(file, float, shape, dataStart);
}

async function safetensorsPieces(file: string): Promise<{ features: Piece; mirrored?: Piece }> {
  const { tensors, dataStart } = await readSafetensorsHeader(file);
  const names = Object.keys(tensors);
  const [only, ...others] = names.filter((name) => name !== MIRRORED);
  const name = names.includes(FEATURES) ? FEATURES : others.length === 0 ? only : undefined;
  if (name === undefined) {
    throw new DataError(`${file}: wanted a tensor "${FEATURES}", there are: ${names.join(", ") || "none"}`);
  }
  const piece = (key: string): Piece => {
    const { dtype, shape, begin } = tensors[key]!;
    if (!isFloat(dtype)) throw notFloats(file, dtype);
    return pieceOf(file, dtype, shape, dataStart + begin);
  };
  return { features: piece(name), ...(names.includes(MIRRORED) ? { mirrored: piece(MIRRORED) } : {}) };
}

const isFloat = (dtype: SafeDType): dtype is FloatType => Object.hasOwn(ARRAYS, dtype);

const notFloats = (file: string, dtype: string): DataError =>
  new DataError(`${file}: wanted floats of 16, 32 or 64 bits, got ${dtype}`);

function pieceOf(file: string, dtype: FloatType, [rows = 0, ...shape]: readonly number[], dataStart: number): Piece {
  return { file, dtype, rows, shape, dataStart };
}

function rowArray(pieces: readonly Piece[]): RowArray {
  const { file, shape } = pieces[0]!;
  const other = pieces.find((piece) => piece.shape.join() !== shape.join());
  if (other !== undefined) {
    throw new DataError(`${other.file}: rows of [${other.shape}], but those of ${file} are of [${shape}]`);
  }
  return { rows: pieces.reduce((sum, piece) => sum + piece.rows, 0), shape, pieces };
}
