/**
 * @file Which files of CIFAR's binary version are there: in the published archive, in its folder, or one of them alone.
 *
 * @source https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
 */
import { open, readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError } from "../atomic.js";
import { DataError } from "../errors.js";
import { FileWindow } from "../file-window.js";
import type { RecordFile } from "./record-files.js";
import { tarMembers } from "./tar-index.js";
import type { UnpackedFiles } from "./unpack.js";

export type CifarKind = "CIFAR-10" | "CIFAR-100";
export type CifarSplit = "train" | "test";

const FILES: Record<CifarKind, Record<CifarSplit, RegExp>> = {
  "CIFAR-10": { train: /^data_batch_\d+\.bin$/, test: /^test_batch\.bin$/ },
  "CIFAR-100": { train: /^train\.bin$/, test: /^test\.bin$/ },
};

export interface CifarFiles {
  readonly kind: CifarKind;
  readonly files: readonly RecordFile[];
  /** The lines of a text file beside them; undefined where it is not there. */
  readLines(name: string): Promise<string[] | undefined>;
}

/** A file, or a part of an archive. */
interface Entry {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/**
 * Find the files of a split.
 *
 * @param place a folder, a `.tar.gz` or `.tar`, or a `.bin` file, which is taken whatever the split.
 * @throws {DataError} there is no such place, or none of these files in it.
 */
export async function findCifarFiles(place: string, split: CifarSplit, unpacked: UnpackedFiles): Promise<CifarFiles> {
  const entries = await listEntries(place, unpacked);
  const isAlone = place.endsWith(".bin");
  for (const kind of ["CIFAR-10", "CIFAR-100"] as const) {
    const { train, test } = FILES[kind];
    const wanted = (name: string) =>
      isAlone ? name === basename(place) && (train.test(name) || test.test(name)) : FILES[kind][split].test(name);
    const names = [...entries.keys()].filter(wanted).sort();
    if (names.length === 0) continue;
    return {
      kind,
      files: names.map((name) => ({ name: isAlone ? place : `${place}:${name}`, ...entries.get(name)! })),
      readLines: async (name) => {
        const entry = entries.get(name);
        if (entry === undefined) return undefined;
        const bytes = (await readFile(entry.path)).subarray(entry.offset, entry.offset + entry.sizeBytes);
        return bytes
          .toString("utf8")
          .split(/\r?\n/)
          .filter((line) => line !== "");
      },
    };
  }
  throw new DataError(`${place} has no files of CIFAR's ${split} split in the binary version`, {
    hint: "wanted data_batch_*.bin and test_batch.bin (CIFAR-10), or train.bin and test.bin (CIFAR-100)",
  });
}

/** By their own names, whatever folder of an archive they are in. */
async function listEntries(place: string, unpacked: UnpackedFiles): Promise<Map<string, Entry>> {
  try {
    if (/\.(tar|tar\.gz|tgz)$/.test(place)) return await listArchive(place, unpacked);
    const folder = place.endsWith(".bin") ? dirname(place) : place;
    await stat(place);
    const entries = new Map<string, Entry>();
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const facts = await stat(path);
      if (facts.isFile()) entries.set(name, { path, offset: 0, sizeBytes: facts.size });
    }
    return entries;
  } catch (error) {
    throw fileError(error, "cannot read", place);
  }
}

async function listArchive(place: string, unpacked: UnpackedFiles): Promise<Map<string, Entry>> {
  const path = place.endsWith("gz") ? await unpacked.gunzip(place) : place;
  const handle = await open(path, "r");
  try {
    const entries = new Map<string, Entry>();
    const window = new FileWindow(handle, place, (await handle.stat()).size);
    for await (const { path: member, offset, size } of tarMembers(window)) {
      entries.set(basename(member), { path, offset, sizeBytes: size });
    }
    return entries;
  } finally {
    await handle.close();
  }
}
