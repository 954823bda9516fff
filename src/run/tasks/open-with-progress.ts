import path from "node:path";
import type { ImageSource, OpenOptions } from "../../../data/image-source.js";
import { openImageSource } from "../../../data/open-source.js";
import { formatDuration } from "../format.js";
import type { ProgressSink, TaskProgress } from "../progress.js";
import { taskLabel } from "../steps/step.js";

/** Opening that is quicker is not worth a line. */
const SILENT_MS = 2000;

export interface OpenWithProgressOptions extends Omit<OpenOptions, "onOpening" | "digests"> {
  /** Where digests of the files are remembered, beside the caches. Absent: all files are read. */
  readonly cacheFolder?: string;
}

/** Open a data set, and tell how far it is where that takes long: all images are read once for the fingerprint. */
export async function openWithProgress(
  progress: ProgressSink,
  spec: string,
  { cacheFolder, ...options }: OpenWithProgressOptions,
): Promise<ImageSource> {
  const began = performance.now();
  let task: TaskProgress | undefined;
  const source = await openImageSource(spec, {
    ...options,
    ...(cacheFolder === undefined ? {} : { digests: path.join(cacheFolder, "digests") }),
    onOpening(done, total) {
      if (task === undefined && performance.now() - began < SILENT_MS) return;
      task ??= progress.task(taskLabel("features", "open"), total, "images");
      task.update(done);
    },
  });
  task?.finish(`${source.length} images of ${source.name}, ${formatDuration((performance.now() - began) / 1000)}`);
  return source;
}
