/** @file From the name of a published encoder to a file: an export of one's own, or the hub's, downloaded when it is not there. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { DataError, DescryError, UnsupportedError } from "../../data/errors.js";
import { hashFile } from "../../data/hash-file.js";
import type { DownloadListener } from "../descriptor.js";
import type { HubFile } from "../hub/cached-file.js";
import { fetchHubFile } from "../hub/fetch-hub-file.js";
import { readHubSettings } from "../hub/hub-settings.js";
import { modelWithOutputs } from "../onnx/model-outputs.js";
import { exportCommand, ownExport } from "./encoder-folder.js";
import { type LockEntry, lockedEntry, lockFile, writeLock } from "./encoder-lock.js";
import type { HubExport, PublishedEncoder } from "./published-encoder.js";

export interface LocatedEncoder {
  readonly file: string;
  /** SHA-256 (hex) over those of the file and of the files with its weights. */
  readonly sha256: string;
  /** Where it is from: a path, or `REPO@COMMIT`. */
  readonly origin: string;
}

/**
 * Find the encoder's file; an export of one's own always wins.
 *
 * @param as what it is wanted for, for messages.
 * @throws {UnsupportedError} there is none, and none to download: says how to make one. @throws {DataError} a file that cannot be
 *   downloaded or read, or that has changed since it was first used.
 */
export async function locateEncoder(
  encoder: PublishedEncoder,
  onDownload?: DownloadListener,
  as = "target",
): Promise<LocatedEncoder> {
  const own = ownExport(encoder);
  const what = `${as} "${encoder.name}"`;
  if (existsSync(own)) {
    const names = await weightFiles(own, what);
    const files = await Promise.all([own, ...names.map((name) => join(dirname(own), name))].map(hashFile));
    return { file: own, sha256: combined(files), origin: own };
  }
  const { hub } = encoder;
  if (hub === undefined) {
    throw new UnsupportedError(
      `${what}: no ONNX export of ${encoder.title} with these tokens is on the hub, and no ${own} here`,
      {
        hint: `make it: ${exportCommand(encoder)}`,
      },
    );
  }
  try {
    return await fromHub(encoder, hub, what, onDownload);
  } catch (error) {
    if (!(error instanceof DescryError) || error.message.startsWith(what)) throw error;
    const hint = `or put an export of your own at ${own}: ${exportCommand(encoder)}`;
    throw new DataError(`${what}: ${error.message}`, { hint, cause: error });
  }
}

async function fromHub(
  { name }: PublishedEncoder,
  { repo, path, pinned }: HubExport,
  what: string,
  onDownload: DownloadListener | undefined,
): Promise<LocatedEncoder> {
  const settings = readHubSettings();
  const locked = pinned === undefined ? lockedEntry(name, repo) : undefined;
  const expected: LockEntry["files"] = pinned === undefined ? (locked?.files ?? {}) : { [path]: pinned.sha256 };
  const files: Record<string, string> = {};
  const take = async (wanted: HubFile) => {
    const sha256 = expected[wanted.path];
    const got = await fetchHubFile(wanted, {
      settings,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(onDownload && { onProgress: (done, total) => onDownload(`${repo}/${wanted.path}`, done, total) }),
    });
    files[wanted.path] = await hashFile(got.file);
    if (sha256 !== undefined && files[wanted.path] !== sha256) {
      const since = pinned === undefined ? `what ${lockFile()} has written down` : "what is known of it";
      throw new DataError(`${what}: ${got.file} has SHA-256 ${files[wanted.path]}, and not ${since}: ${sha256}`, {
        hint: `delete that file to download it again${pinned === undefined ? `, or the entry "${name}" to take it as it is` : ""}`,
      });
    }
    return got;
  };
  const model = await take({ repo, path, revision: pinned?.revision ?? locked?.revision ?? "main" });
  for (const weights of await weightFiles(model.file, what)) {
    await take({ repo, path: posix.join(posix.dirname(path), weights), revision: model.revision });
  }
  if (pinned === undefined && locked === undefined) await writeLock(name, { repo, revision: model.revision, files });
  const hashes = Object.entries(files).map(([, sha256]) => sha256);
  return { file: model.file, sha256: combined(hashes), origin: `${repo}@${model.revision.slice(0, 12)}` };
}

/** Names of the files with weights that a model needs beside it. */
async function weightFiles(file: string, what: string): Promise<readonly string[]> {
  return modelWithOutputs(file, await readFile(file), [], what).weightFiles;
}

const combined = (hashes: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(hashes)).digest("hex");
