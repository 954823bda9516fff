import { openFeatureNetwork } from "../../evaluate/open-feature-network.js";
import { writeReference } from "../../evaluate/write-reference.js";
import { downloadProgress } from "../download-progress.js";
import { formatDuration } from "../format.js";
import type { ProgressSink } from "../progress.js";
import { openWithProgress } from "./open-with-progress.js";

export interface ReferenceInput {
  /** Image source, such as `imagefolder:DIR`. */
  readonly data: string;
  readonly network: string;
  readonly sizePx: number;
  /** null: all. */
  readonly count: number | null;
  /** Images that go into the file. */
  readonly images: number;
  readonly skipBad: boolean;
  /** Absolute. */
  readonly file: string;
}

export interface ReferenceResult {
  readonly file: string;
  readonly network: string;
  /** Of the network with its weights and preprocessing. */
  readonly sha256: string;
  /** That the statistics are of. */
  readonly images: number;
  readonly skipped: readonly string[];
}

/** Write a reference file of any images. */
export async function referenceTask(
  { data, network: name, sizePx, count, images, skipBad, file }: ReferenceInput,
  progress: ProgressSink,
): Promise<ReferenceResult> {
  const source = await openWithProgress(progress, data, { ...(count === null ? {} : { count }), seed: 0, skipBad });
  try {
    const network = await openFeatureNetwork(name, { onDownload: downloadProgress(progress) });
    try {
      const task = progress.task("reference", source.length, "images");
      const began = performance.now();
      const onProgress = (done: number) => task.update(done);
      const kept = Math.min(images, source.length);
      await writeReference({ source, sizePx, network, images: kept, seed: 0, outPath: file, onProgress });
      const time = formatDuration((performance.now() - began) / 1000);
      task.finish(`${source.length} images through ${name}, ${kept} of them in the file, ${time}`);
      return { file, network: name, sha256: network.sha256, images: source.length, skipped: source.skipped };
    } finally {
      await network.dispose();
    }
  } finally {
    await source.close();
  }
}
