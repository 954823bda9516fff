/** @file The file with the weights of Inception that published FIDs look through: found where others have left it, or downloaded. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileError } from "../../../data/atomic.js";
import { DataError, DescryError } from "../../../data/errors.js";
import { lockFolder } from "../../../data/folder-lock.js";
import { hashFile } from "../../../data/hash-file.js";
import type { DownloadListener } from "../../../features/descriptor.js";
import { encoderFolder } from "../../../features/encoders/encoder-folder.js";
import { downloadBlob } from "../../../features/hub/download-blob.js";
import { readHubSettings } from "../../../features/hub/hub-settings.js";

/**
 * TensorFlow's `inception-2015-12-05` as pytorch-fid has converted it; torch-fidelity publishes the same bytes under another name. The
 * hash is in the name of both (its first 8 digits).
 */
export const INCEPTION_WEIGHTS = {
  file: "pt_inception-2015-12-05-6726825d.pth",
  otherName: "weights-inception-2015-12-05-6726825d.pth",
  sha256: "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
  sizeBytes: 95_628_359,
  url: "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
} as const;

export interface WeightsOptions {
  /** Other weights, for tests. */
  readonly wanted?: {
    readonly file: string;
    readonly sha256: string;
    readonly sizeBytes: number;
    readonly url: string;
  };
  readonly onDownload?: DownloadListener;
  /** Between tries, doubled each time. @default 1000 */
  readonly retryMs?: number;
}

/**
 * Where the weights may be: our own folder, then where PyTorch's downloads are, under the names of pytorch-fid and torch-fidelity.
 */
function places(file: string): string[] {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const torch = join(process.env["TORCH_HOME"] || join(cache, "torch"), "hub", "checkpoints");
  return [join(encoderFolder(), file), join(torch, file), join(torch, INCEPTION_WEIGHTS.otherName)];
}

/**
 * The file, checked; downloaded (and gone on with, where that was interrupted) when it is nowhere.
 *
 * @throws {DataError} a file with another hash: its numbers would be no FIDs; one that cannot be downloaded: says how to put it there.
 */
export async function locateInceptionWeights(options: WeightsOptions = {}): Promise<string> {
  const { file, sha256, sizeBytes, url } = options.wanted ?? INCEPTION_WEIGHTS;
  const own = join(encoderFolder(), file);
  const byHand = `put it there by hand: curl -L -o ${own} ${url}`;
  const found = places(file).find((place) => existsSync(place));
  if (found === undefined) {
    if (readHubSettings().isOffline) {
      throw new DataError(`${own}: is not here, and HF_HUB_OFFLINE is set`, { hint: byHand });
    }
    await download(own, options, byHand);
  }
  const path = found ?? own;
  const got = await hashFile(path);
  if (got === sha256) return path;
  throw new DataError(
    `${path}: has SHA-256 ${got}, the weights of published FIDs have ${sha256} (${sizeBytes} bytes)`,
    {
      hint: `delete it, or name a network of your own: evaluate.network: onnx:…`,
    },
  );
}

async function download(path: string, options: WeightsOptions, byHand: string): Promise<void> {
  const { wanted = INCEPTION_WEIGHTS, onDownload, retryMs = 1000 } = options;
  const { sha256, sizeBytes, url } = wanted;
  const folder = dirname(path);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw fileError(error, "cannot make", folder);
  });
  const lock = await lockFolder(folder);
  try {
    await downloadBlob(path, {
      what: url,
      size: sizeBytes,
      hash: { kind: "sha256", hex: sha256 },
      retryMs,
      open: (offset) => openAt(url, offset),
      ...(onDownload && { onProgress: (done, total) => onDownload(basename(path), done, total) }),
    });
  } catch (error) {
    if (error instanceof DescryError) throw error;
    const reason =
      error instanceof Error ? String((error.cause as NodeJS.ErrnoException)?.code ?? error.message) : error;
    throw new DataError(`${url}: cannot be downloaded (${String(reason)})`, { hint: byHand, cause: error });
  } finally {
    await lock.release();
  }
}

/** An answer that is no file. */
class StatusError extends Error {
  constructor(readonly statusCode: number) {
    super(String(statusCode));
  }
}

async function openAt(url: string, offset: number): Promise<ReadableStream<Uint8Array>> {
  const answer = await fetch(url, offset === 0 ? {} : { headers: { range: `bytes=${offset}-` } });
  // A server that sends all again is as good as none: what there is would be written twice.
  if (answer.body !== null && answer.status === (offset === 0 ? 200 : 206)) return answer.body;
  await answer.body?.cancel();
  throw new StatusError(answer.status);
}
