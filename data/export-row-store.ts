/** @file A row store as plain safetensors files, for programs that know nothing of caches. */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "./atomic.js";
import { DataError } from "./errors.js";
import { float32ToFloat16 } from "./float16.js";
import { type Column, newRowData, type RowData, rowSize } from "./row-shard.js";
import { openRowStore, verifyRowStore } from "./row-store.js";
import { type SafeTensor, writeSafetensors } from "./safetensors.js";

/** Bytes of a file, about. */
const FILE_BYTES = 64 * 2 ** 20;

export interface ExportRowStoreOptions {
  /** Number format of what is read as floats. @default F32 as F32, F16 and Q8 as F16 */
  readonly dtype?: "F16" | "F32";
  /** How many rows are images as they are; the rest are their mirror images, in the same order. @default all */
  readonly upright?: number;
  readonly onRows?: (done: number) => void;
}

/**
 * Writes every column as tensors `NAME` [rows, …] of files `rows-00001-of-00042.safetensors`, in the order of the rows; the mirror
 * images of a file's rows lie beside them, as `mirrored` (of `features`) or `mirrored_NAME`. That is what a target `features:DIR`
 * reads. Every byte of the store is checked before.
 *
 * @param out Made if it is not there; must hold no safetensors.
 * @returns the files.
 * @throws {CacheError} a damaged store. @throws {DataError} the folder is in use or cannot be written.
 */
export async function exportRowStore(
  folder: string,
  out: string,
  { dtype, upright, onRows }: ExportRowStoreOptions = {},
): Promise<string[]> {
  try {
    await mkdir(out, { recursive: true });
    const there = (await readdir(out)).find((name) => name.endsWith(".safetensors"));
    if (there !== undefined) {
      throw new DataError(`${out}: holds ${there} already`, { hint: "name a new folder, or empty this one" });
    }
  } catch (error) {
    throw fileError(error, "cannot write", out);
  }
  await verifyRowStore(folder);
  const store = await openRowStore(folder);
  try {
    const { columns, rows: all, key } = store.header;
    const rows = upright ?? all;
    const variants = rows === 0 ? [0] : Array.from({ length: all / rows }, (_, i) => i * rows);
    const entries = Object.entries(columns);
    const rowBytes = entries.reduce((sum, [, column]) => sum + newRowData(column, 1).byteLength, 0) * variants.length;
    const fileRows = Math.max(1, Math.floor(FILE_BYTES / rowBytes));
    const count = Math.max(1, Math.ceil(rows / fileRows));
    const files: string[] = [];
    for (let i = 0; i < count; i++) {
      const first = i * fileRows;
      const taken = Math.min(fileRows, rows - first);
      const tensors: Record<string, SafeTensor> = {};
      for (const [name, column] of entries) {
        for (const [variant, offset] of variants.entries()) {
          const wanted = Array.from({ length: taken }, (_, row) => offset + first + row);
          const data = await store.read(name, wanted);
          tensors[tensorName(name, variant)] = tensorOf(column, data, dtype);
        }
      }
      const number = (value: number) => String(value).padStart(5, "0");
      const file = `rows-${number(i + 1)}-of-${number(count)}.safetensors`;
      await writeSafetensors(join(out, file), tensors, { key, firstRow: String(first) });
      files.push(file);
      onRows?.(first + taken);
    }
    return files;
  } finally {
    await store.close();
  }
}

function tensorName(column: string, variant: number): string {
  if (variant === 0) return column;
  return column === "features" ? "mirrored" : `mirrored_${column}`;
}

function tensorOf(column: Column, data: RowData, wanted: "F16" | "F32" | undefined): SafeTensor {
  const shape = [data.length / rowSize(column), ...column.shape];
  if (column.dtype === "U8" || column.dtype === "I32") return { dtype: column.dtype, shape, data };
  const dtype = wanted ?? (column.dtype === "F32" ? "F32" : "F16");
  return { dtype, shape, data: dtype === "F16" ? float32ToFloat16(data as Float32Array) : data };
}
