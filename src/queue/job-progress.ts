/** @file A worker's progress on its way to the one who submitted the job. Each message can be understood alone. */
import type { ProgressSink, TaskProgress } from "../run/progress.js";

/** Between two updates of one task. */
const UPDATE_MS = 1000;

export type JobProgressMessage =
  | {
      readonly kind: "update";
      /** Of the task within the job. */
      readonly task: number;
      readonly label: string;
      readonly total: number;
      readonly unit: string;
      readonly done: number;
      readonly note?: string;
    }
  | { readonly kind: "finish"; readonly task: number; readonly label: string; readonly summary: string }
  | { readonly kind: "line"; readonly text: string };

/** Tells both: the worker's own terminal, and `send`. */
export function sendingProgress(here: ProgressSink, send: (message: JobProgressMessage) => void): ProgressSink {
  let tasks = 0;
  return {
    task(label, total, unit) {
      const task = tasks++;
      const shown = here.task(label, total, unit);
      let last = Date.now();
      return {
        update(done, note) {
          shown.update(done, note);
          if (Date.now() - last < UPDATE_MS) return;
          last = Date.now();
          send({ kind: "update", task, label, total, unit, done, ...(note === undefined ? {} : { note }) });
        },
        finish(summary) {
          shown.finish(summary);
          send({ kind: "finish", task, label, summary });
        },
      };
    },
    line(text) {
      here.line(text);
      send({ kind: "line", text });
    },
  };
}

/** Draws the messages of many jobs. */
export class JobProgressViewer {
  private readonly tasks = new Map<string, TaskProgress>();

  constructor(private readonly progress: ProgressSink) {}

  /** @param label of a task as this process shows it. */
  show(jobId: string, message: JobProgressMessage, label: (given: string) => string): void {
    if (message.kind === "line") {
      this.progress.line(message.text);
      return;
    }
    const key = `${jobId} ${message.task}`;
    let task = this.tasks.get(key);
    if (task === undefined) {
      const [total, unit] = message.kind === "update" ? [message.total, message.unit] : [0, ""];
      task = this.progress.task(label(message.label), total, unit);
      this.tasks.set(key, task);
    }
    if (message.kind === "update") task.update(message.done, message.note);
    else {
      task.finish(message.summary);
      this.tasks.delete(key);
    }
  }

  /** A job has ended: what it was in the middle of will not be finished. */
  end(jobId: string, why: string): void {
    for (const [key, task] of this.tasks) {
      if (!key.startsWith(`${jobId} `)) continue;
      task.finish(why);
      this.tasks.delete(key);
    }
  }
}
