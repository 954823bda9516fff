/**
 * @file One column of a parquet file, read page by page. A row group of photographs is tens of megabytes and a page about one, so
 * an image costs one page: hyparquet decodes the pages, and where they begin is found here, from their headers.
 *
 * @source Apache Parquet format, "Data Pages" and "Column chunks".
 */
import type { FileHandle } from "node:fs/promises";
import type { ColumnMetaData, CompressionCodec, FileMetaData, PageHeader, SchemaTree } from "hyparquet";
import { parquetHeader, readColumn } from "hyparquet/src/column.js";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { getMaxRepetitionLevel, getTreePath } from "hyparquet/src/schema.js";
import { compressors } from "hyparquet-compressors";
import { DataError, DescryError } from "../errors.js";
import { FileWindow } from "../file-window.js";
import { readFully } from "../safetensors.js";

/** A row group's part of the column: its place in the file, and of each page where it begins and its first row. */
interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly codec: CompressionCodec;
  readonly rows: number;
}

interface Pages {
  /** Bytes of the dictionary page, header included; empty range where there is none. */
  readonly dictionary: readonly [begin: number, end: number];
  /** Whether each page needs it: writers give up on a dictionary that grows large, as one of images does. */
  readonly usesDictionary: readonly boolean[];
  /** Offset of each page in the file, and the end of the last one. */
  readonly offsets: Float64Array;
  /** First row of each page in the row group, and the number of rows. */
  readonly rows: Uint32Array;
}

/** Where a row is. */
export interface PagePlace {
  readonly group: number;
  readonly page: number;
  /** In the page. */
  readonly row: number;
}

/** Headers are tens of bytes, unless a writer puts statistics of long values into them. */
const MAX_HEADER_BYTES = 2 ** 24;
const FIRST_HEADER_BYTES = 2 ** 10;

export class ParquetColumn {
  readonly rows: number;
  readonly #handle: FileHandle;
  readonly #file: string;
  readonly #sizeBytes: number;
  readonly #path: readonly string[];
  readonly #schemaPath: SchemaTree[];
  /** Of each row group: first row, then as in `Chunk`. */
  readonly #chunks: readonly Chunk[];
  readonly #firsts: readonly number[];
  readonly #type: ColumnMetaData["type"];
  readonly #pages = new Map<number, Promise<Pages>>();

  /**
   * @param tree schema of the file. @param path of a leaf that is there.
   * @throws {DataError} a column of lists, or a chunk that lies in another file or beyond the end of this one.
   */
  constructor(
    file: { readonly handle: FileHandle; readonly path: string; readonly sizeBytes: number },
    metadata: FileMetaData,
    tree: SchemaTree,
    path: readonly string[],
  ) {
    this.#handle = file.handle;
    this.#file = file.path;
    this.#sizeBytes = file.sizeBytes;
    this.#path = path;
    this.#schemaPath = getTreePath(tree, [...path]);
    this.#type = this.#schemaPath.at(-1)!.element.type!;
    if (getMaxRepetitionLevel(this.#schemaPath) > 0) throw this.#error("is a list, wanted one value a row");
    const chunks: Chunk[] = [];
    const firsts: number[] = [];
    let rows = 0;
    for (const [group, { columns, num_rows }] of metadata.row_groups.entries()) {
      const meta = columns.find(({ meta_data }) => meta_data?.path_in_schema.join("\0") === path.join("\0"))?.meta_data;
      if (meta === undefined) throw this.#error(`is missing in row group ${group}`);
      const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
      const end = start + Number(meta.total_compressed_size);
      if (end > file.sizeBytes)
        throw this.#error(`ends at byte ${end}, the file at ${file.sizeBytes}: it is truncated`);
      chunks.push({ start, end, codec: meta.codec, rows: Number(num_rows) });
      firsts.push(rows);
      rows += Number(num_rows);
    }
    this.#chunks = chunks;
    this.#firsts = firsts;
    this.rows = rows;
  }

  get groups(): number {
    return this.#chunks.length;
  }

  /** The page of a row. @throws {DataError} damaged page headers. */
  async placeOf(row: number): Promise<PagePlace> {
    const group = lastAtMost(this.#firsts, row);
    const inGroup = row - this.#firsts[group]!;
    const { rows } = await this.#pagesOf(group);
    const page = lastAtMost(rows, inGroup);
    return { group, page, row: inGroup - rows[page]! };
  }

  /**
   * The values of a page, in the order of its rows; a missing one is null.
   *
   * @returns values that may be views on one block of bytes, of about `sizeBytes`.
   * @throws {DataError} it cannot be read or decompressed.
   */
  async readPage({ group, page }: Omit<PagePlace, "row">): Promise<{ values: ArrayLike<unknown>; sizeBytes: number }> {
    const { dictionary, usesDictionary, offsets, rows } = await this.#pagesOf(group);
    const [from, to] = usesDictionary[page] === true ? dictionary : [0, 0];
    const [start, end] = [offsets[page]!, offsets[page + 1]!];
    const bytes = new Uint8Array(to - from + end - start);
    await readFully(this.#handle, bytes.subarray(0, to - from), from, this.#file);
    await readFully(this.#handle, bytes.subarray(to - from), start, this.#file);
    const count = rows[page + 1]! - rows[page]!;
    return this.#decode(group, bytes, count, `page ${page} of row group ${group}`);
  }

  /** The values of a whole row group, for columns of small values. @throws {DataError} as `readPage`. */
  async readGroup(group: number): Promise<ArrayLike<unknown>> {
    const { start, end, rows } = this.#chunks[group]!;
    const bytes = new Uint8Array(end - start);
    await readFully(this.#handle, bytes, start, this.#file);
    return this.#decode(group, bytes, rows, `row group ${group}`).values;
  }

  #decode(
    group: number,
    bytes: Uint8Array,
    count: number,
    place: string,
  ): { values: ArrayLike<unknown>; sizeBytes: number } {
    let sizeBytes = 0;
    const counted = (unpack: (typeof compressors)[CompressionCodec]) => (packed: Uint8Array, size: number) => {
      sizeBytes += size;
      return unpack!(packed, size);
    };
    const entries = Object.entries(compressors) as [CompressionCodec, (typeof compressors)[CompressionCodec]][];
    try {
      const { data } = readColumn(
        { view: new DataView(bytes.buffer), offset: 0 },
        { groupStart: 0, selectStart: 0, selectEnd: count, groupRows: count },
        {
          pathInSchema: [...this.#path],
          type: this.#type,
          element: this.#schemaPath.at(-1)!.element,
          schemaPath: this.#schemaPath,
          codec: this.#chunks[group]!.codec,
          compressors: Object.fromEntries(entries.map(([codec, unpack]) => [codec, counted(unpack)])),
          parsers: DEFAULT_PARSERS,
          utf8: false,
        },
      );
      const values = data.flatMap((part) => Array.from(part as ArrayLike<unknown>, unwrapped));
      if (values.length !== count) throw new Error(`it has ${values.length} rows, wanted ${count}`);
      return { values, sizeBytes: sizeBytes === 0 ? bytes.length : sizeBytes };
    } catch (cause) {
      throw this.#error(`cannot be decoded in ${place}: ${(cause as Error).message}`, cause);
    }
  }

  #pagesOf(group: number): Promise<Pages> {
    let pages = this.#pages.get(group);
    if (pages === undefined) {
      pages = this.#findPages(group);
      this.#pages.set(group, pages);
      pages.catch(() => this.#pages.delete(group));
    }
    return pages;
  }

  async #findPages(group: number): Promise<Pages> {
    const { start, end, rows: groupRows } = this.#chunks[group]!;
    const window = new FileWindow(this.#handle, this.#file, this.#sizeBytes);
    const offsets: number[] = [];
    const firsts: number[] = [];
    const usesDictionary: boolean[] = [];
    let dictionary: [number, number] = [start, start];
    let rows = 0;
    let at = start;
    try {
      while (at < end && rows < groupRows) {
        const { header, length } = await readHeader(window, at, end);
        const next = at + length + header.compressed_page_size;
        if (!(next > at) || next > end)
          throw new Error(`a page from byte ${at} to ${next}, beyond the column's ${end}`);
        const { data_page_header: v1, data_page_header_v2: v2 } = header;
        const count = v1?.num_values ?? v2?.num_rows;
        if (header.type === "DICTIONARY_PAGE") dictionary = [at, next];
        else if (count !== undefined) {
          offsets.push(at);
          firsts.push(rows);
          usesDictionary.push((v1 ?? v2)!.encoding.endsWith("_DICTIONARY"));
          rows += count;
        }
        at = next;
      }
      if (rows !== groupRows) throw new Error(`its pages have ${rows} rows, wanted ${groupRows}`);
    } catch (cause) {
      if (cause instanceof DescryError) throw cause;
      throw this.#error(`is damaged in row group ${group}: ${(cause as Error).message}`, cause);
    }
    return {
      dictionary,
      usesDictionary,
      offsets: Float64Array.from([...offsets, at]),
      rows: Uint32Array.from([...firsts, rows]),
    };
  }

  #error(what: string, cause?: unknown): DataError {
    return new DataError(`${this.#file}: column "${this.#path.join(".")}" ${what}`, { cause });
  }
}

/** hyparquet wraps a value in a list for each struct around it that may be missing. */
function unwrapped(value: unknown): unknown {
  let inner = value;
  while (Array.isArray(inner)) inner = inner[0];
  return inner ?? null;
}

/** A page's header at a place of the file, and how long it is, which only its end tells. */
async function readHeader(
  window: FileWindow,
  at: number,
  end: number,
): Promise<{ header: PageHeader; length: number }> {
  for (let size = FIRST_HEADER_BYTES; ; size *= 8) {
    const bytes = await window.read(at, Math.min(size, end - at));
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
    try {
      const header = parquetHeader(reader);
      return { header, length: reader.offset };
    } catch (error) {
      // It may go on beyond what was read; no other way to tell that from damage.
      if (size >= Math.min(MAX_HEADER_BYTES, end - at)) throw error;
    }
  }
}

/** By halving: the last place of an ascending list whose value is not above another. */
function lastAtMost(ascending: ArrayLike<number>, value: number): number {
  let [low, high] = [0, ascending.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= value) low = middle;
    else high = middle;
  }
  return low;
}
