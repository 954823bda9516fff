/**
 * @file Files of the Hugging Face hub in the hub's own cache folder, where its other clients find them too. `@huggingface/hub` knows the
 * endpoints and lays out the cache; what it lacks is here: going on where a download has stopped, the check of the hash, progress.
 */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";
import { lockFolder } from "../../data/folder-lock.js";
import { type CachedHubFile, findCachedFile, type HubFile, isCommit, repoFolder } from "./cached-file.js";
import { type BlobHash, downloadBlob } from "./download-blob.js";
import { hubError } from "./hub-error.js";
import { type HubSettings, readHubSettings } from "./hub-settings.js";

export interface FetchOptions {
  /** @default of the environment */
  readonly settings?: HubSettings;
  /** SHA-256 (hex) that the file must have: another one is refused before it is downloaded. */
  readonly sha256?: string;
  /** Bytes there of bytes in all; called only where something is downloaded. */
  onProgress?(done: number, total: number): void;
  /** Between tries, doubled each time. @default 1000 */
  readonly retryMs?: number;
}

/**
 * A file of the hub, from the cache or else downloaded into it.
 *
 * A download that was broken off goes on where it stopped. It is kept only with the size and the hash that the hub has announced.
 *
 * @throws {DataError} not cached, and the hub is not to be asked, cannot be reached, or does not give it: says what to do; a file
 *   with another hash. @throws {CacheError} another process is downloading from the same repository.
 */
export async function fetchHubFile(wanted: HubFile, options: FetchOptions = {}): Promise<CachedHubFile> {
  const settings = options.settings ?? readHubSettings();
  const cached = findCachedFile(wanted, settings);
  if (cached !== undefined) return cached;
  if (settings.isOffline) {
    throw new DataError(`${wanted.repo}/${wanted.path}: not in ${settings.cacheFolder}, and HF_HUB_OFFLINE is set`, {
      hint: `fetch it where there is a network: hf download ${wanted.repo} ${wanted.path}${wanted.revision === undefined ? "" : ` --revision ${wanted.revision}`}`,
    });
  }
  try {
    return await download(wanted, settings, options);
  } catch (error) {
    throw hubError(error, wanted, settings);
  }
}

async function download(wanted: HubFile, settings: HubSettings, options: FetchOptions): Promise<CachedHubFile> {
  const hub = await import("@huggingface/hub");
  const { repo, path } = wanted;
  const asking = {
    hubUrl: settings.hubUrl,
    ...(settings.accessToken === undefined ? {} : { accessToken: settings.accessToken }),
  };
  const { revision: asked = "main" } = wanted;
  const revision = isCommit(asked)
    ? asked
    : (await hub.modelInfo({ name: repo, revision: asked, additionalFields: ["sha"], ...asking })).sha;
  const [info] = await hub.pathsInfo({ repo, paths: [path], revision, ...asking });
  const missing = () => new hub.HubApiError(`${settings.hubUrl}/${repo}`, 404);
  if (info === undefined || info.type !== "file") throw missing();
  const hash: BlobHash = info.lfs ? { kind: "sha256", hex: info.lfs.oid } : { kind: "git", hex: info.oid ?? "" };
  if (!/^[0-9a-f]{40,64}$/.test(hash.hex)) throw new DataError(`${repo}/${path}: the hub gives no hash of it`);
  if (options.sha256 !== undefined && hash.kind === "sha256" && hash.hex !== options.sha256) {
    throw new DataError(`${repo}/${path}: has SHA-256 ${hash.hex} on the hub, wanted ${options.sha256}`);
  }
  const folder = repoFolder(wanted, settings);
  const blob = join(folder, "blobs", hash.hex);
  const locks = join(settings.cacheFolder, ".locks", folder.split(/[/\\]/).at(-1)!);
  await mkdir(dirname(blob), { recursive: true });
  await mkdir(locks, { recursive: true });
  const lock = await lockFolder(locks);
  try {
    await downloadBlob(blob, {
      what: `${repo}/${path}`,
      size: info.size,
      hash,
      retryMs: options.retryMs ?? 1000,
      ...(options.onProgress && { onProgress: options.onProgress }),
      // Without Xet, whose pieces cannot be asked for from where a download has stopped.
      open: async (offset) => {
        const file = await hub.downloadFile({ repo, path, revision, xet: false, ...asking });
        if (file === null) throw missing();
        return file.slice(offset).stream();
      },
    });
    // Finds the blob there, and makes the snapshot's link to it.
    const file = await hub.downloadFileToCacheDir({ repo, path, revision, cacheDir: settings.cacheFolder, ...asking });
    if (!isCommit(asked)) {
      const ref = join(folder, "refs", asked);
      await mkdir(dirname(ref), { recursive: true });
      await writeFileAtomic(ref, revision);
    }
    return { file, revision };
  } finally {
    await lock.release();
  }
}
