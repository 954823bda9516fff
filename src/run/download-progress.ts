import type { DownloadListener } from "../../features/descriptor.js";
import { formatDuration } from "./format.js";
import type { ProgressSink, TaskProgress } from "./progress.js";

const MEGABYTE = 1e6;

/** Shows downloads, each as a task that begins with its first bytes. */
export function downloadProgress(progress: ProgressSink): DownloadListener {
  let current: { file: string; task: TaskProgress; began: number } | undefined;
  return (file, done, total) => {
    const megabytes = Math.ceil(total / MEGABYTE);
    if (current?.file !== file) {
      current = { file, task: progress.task("download", megabytes, "MB"), began: performance.now() };
    }
    current.task.update(Math.floor(done / MEGABYTE), file);
    if (done < total) return;
    current.task.finish(`${file}, ${megabytes} MB, ${formatDuration((performance.now() - current.began) / 1000)}`);
    current = undefined;
  };
}
