/**
 * @file The program of a task's process (started by `task-process.ts`, never by hand): does one task and ends. Ends at once
 * when its parent is gone, so that no orphan writes into a run that somebody else continues.
 */
import { unexpectedFileError } from "../../data/atomic.js";
import { packThrown } from "../../data/thrown.js";
import type { ProgressSink } from "./progress.js";
import type { TaskMessage, TaskRequest } from "./task-process.js";
import { doTask, HEEDS_SIGNAL } from "./tasks/index.js";

/** Messages a second that a task may send about its progress. */
const UPDATES_PER_SECOND = 10;

function send(message: TaskMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, {}, () => resolve());
  });
}

function channelProgress(): ProgressSink {
  let next = 0;
  return {
    task(label, total, unit) {
      const id = next++;
      let last = 0;
      void send({ kind: "task", id, label, total, unit });
      return {
        update(done, note) {
          const now = Date.now();
          if (done < total && now - last < 1000 / UPDATES_PER_SECOND) return;
          last = now;
          void send({ kind: "update", id, done, ...(note === undefined ? {} : { note }) });
        },
        finish(summary) {
          void send({ kind: "finish", id, summary });
        },
      };
    },
    line(text) {
      void send({ kind: "line", text });
    },
  };
}

process.on("disconnect", () => process.exit(1));
process.on("SIGINT", () => {}); // the parent decides: on a terminal both get it
const stop = new AbortController();
process.once("message", (request: TaskRequest) => {
  process.on("SIGTERM", () => {
    if (!HEEDS_SIGNAL.has(request.task)) process.exit(143);
    stop.abort();
  });
  doTask(request.task, request.input, channelProgress(), stop.signal)
    .then((result) => send({ kind: "result", result }))
    .catch((thrown: unknown) => send({ kind: "error", ...packThrown(unexpectedFileError(thrown)) }))
    .then(() => process.exit(0));
});
