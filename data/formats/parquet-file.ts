import { type FileHandle, open } from "node:fs/promises";
import { type FileMetaData, parquetMetadataAsync, parquetSchema, type SchemaTree } from "hyparquet";
import { fileError } from "../atomic.js";
import { DataError } from "../errors.js";
import { readFully } from "../safetensors.js";
import { ParquetColumn } from "./parquet-column.js";

/** A parquet file of images, open. */
export interface ParquetFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  readonly rows: number;
  /** Encoded images. */
  readonly image: ParquetColumn;
  readonly label: ParquetColumn | undefined;
  /** Names of the labels, as Hugging Face's `datasets` keeps them beside the rows. */
  readonly classNames: readonly string[] | undefined;
}

export interface ParquetColumnNames {
  readonly image: string;
  /** Undefined: no labels are wanted. */
  readonly label: string | undefined;
}

/**
 * Open a parquet file and find its columns of images, a struct with `bytes` (Hugging Face's Image) or binary, and of labels.
 *
 * @throws {DataError} not a parquet file, a truncated one, a column that is missing or of another type: names those there are.
 */
export async function openParquetFile(path: string, names: ParquetColumnNames): Promise<ParquetFile> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    throw fileError(error, "cannot read", path);
  }
  try {
    const { size: sizeBytes } = await handle.stat();
    const metadata = await readMetadata(handle, path, sizeBytes);
    const tree = parquetSchema(metadata);
    const file = { handle, path, sizeBytes };
    const image = new ParquetColumn(file, metadata, tree, imagePath(path, tree, names.image));
    const label =
      names.label === undefined
        ? undefined
        : new ParquetColumn(file, metadata, tree, labelPath(path, tree, names.label));
    const classNames = names.label === undefined ? undefined : classNamesOf(metadata, names.label);
    return { ...file, rows: image.rows, image, label, classNames };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readMetadata(handle: FileHandle, path: string, byteLength: number): Promise<FileMetaData> {
  const ending = Buffer.alloc(4);
  const beginning = Buffer.alloc(4);
  if (byteLength >= 12) {
    await readFully(handle, beginning, 0, path);
    await readFully(handle, ending, byteLength - 4, path);
  }
  if (beginning.toString("latin1") !== "PAR1") throw new DataError(`${path}: not a parquet file`);
  if (ending.toString("latin1") !== "PAR1") {
    throw new DataError(`${path}: the parquet file is truncated: its end mark is missing`, { hint: "fetch it again" });
  }
  const slice = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(end - start);
    await readFully(handle, bytes, start, path);
    return bytes.buffer;
  };
  try {
    return await parquetMetadataAsync({ byteLength, slice });
  } catch (cause) {
    throw new DataError(`${path}: the parquet file's footer is damaged: ${(cause as Error).message}`, { cause });
  }
}

function childOf(path: string, tree: SchemaTree, name: string, option: string): SchemaTree {
  const child = tree.children.find(({ element }) => element.name === name);
  if (child !== undefined) return child;
  const there = tree.children.map(({ element }) => element.name).join(", ");
  const without = option === "label" ? ", or ?label=none for images without classes" : "";
  throw new DataError(`${path}: there is no column "${name}"; there are: ${there}`, {
    hint: `name it: ?${option}=COLUMN${without}`,
  });
}

function imagePath(path: string, tree: SchemaTree, name: string): string[] {
  const child = childOf(path, tree, name, "image");
  const bytes = child.children.find(({ element }) => element.name === "bytes");
  const leaf = child.children.length === 0 ? child : bytes;
  const type = leaf?.element.type;
  if (type === "BYTE_ARRAY" && !isText(leaf!)) return leaf!.path;
  throw new DataError(`${path}: column "${name}" ${typeOf(child)}, wanted images: a struct {bytes, path} or binary`, {
    hint: "name another column: ?image=COLUMN",
  });
}

function labelPath(path: string, tree: SchemaTree, name: string): string[] {
  const child = childOf(path, tree, name, "label");
  const { type } = child.element;
  if (type === "INT32" || type === "INT64" || (type === "BYTE_ARRAY" && isText(child))) return child.path;
  throw new DataError(`${path}: column "${name}" ${typeOf(child)}, wanted labels: whole numbers or texts`, {
    hint: "name another column: ?label=COLUMN",
  });
}

const isText = ({ element }: SchemaTree): boolean =>
  element.converted_type === "UTF8" || element.logical_type?.type === "STRING";

function typeOf(column: SchemaTree): string {
  if (column.children.length === 0) return `is of ${isText(column) ? "texts" : (column.element.type ?? "no type")}`;
  return `is a struct of ${column.children.map(({ element }) => element.name).join(", ")}`;
}

/** `names` of a ClassLabel in the metadata of `datasets`: `{"info": {"features": {COLUMN: {"names": […]}}}}`. */
function classNamesOf({ key_value_metadata }: FileMetaData, column: string): string[] | undefined {
  const text = key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  if (text === undefined) return undefined;
  let names: unknown;
  try {
    names = JSON.parse(text)?.info?.features?.[column]?.names;
  } catch {
    // Foreign metadata: without names, classes are called by their numbers.
    return undefined;
  }
  return Array.isArray(names) && names.every((name) => typeof name === "string") ? names : undefined;
}
