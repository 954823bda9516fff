/**
 * @file Runs one piece of work (a task) in a process of its own, so that a crash stays there and all of its memory is returned.
 * The child is `task-child.ts`; the two talk over Node's process channel, and a child whose parent is gone ends itself.
 */
import { fork } from "node:child_process";
import { builtFile } from "../../data/built-file.js";
import { DescryError } from "../../data/errors.js";
import { type Thrown, unpackThrown } from "../../data/thrown.js";
import type { ProgressSink, TaskProgress } from "./progress.js";
import type { TaskInputs, TaskName, TaskResults } from "./tasks/index.js";

/** Parent → child, once. */
export interface TaskRequest {
  readonly task: TaskName;
  readonly input: unknown;
}

/** Child → parent. */
export type TaskMessage =
  | {
      readonly kind: "task";
      readonly id: number;
      readonly label: string;
      readonly total: number;
      readonly unit: string;
    }
  | { readonly kind: "update"; readonly id: number; readonly done: number; readonly note?: string }
  | { readonly kind: "finish"; readonly id: number; readonly summary: string }
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "result"; readonly result: unknown }
  | ({ readonly kind: "error" } & Thrown);

/** The run was stopped by the user (Ctrl-C): exit code 130. */
export class Interrupted extends Error {
  constructor(message = "interrupted — run again with the same command to continue") {
    super(message);
    this.name = "Interrupted";
  }
}

/** What a task needs from its surroundings. */
export interface TaskSurroundings {
  /** Working folder of the child: relative paths of the experiment are read from it. */
  readonly cwd: string;
  readonly progress: ProgressSink;
  /** Aborted when the user interrupts. */
  readonly signal?: AbortSignal;
}

/**
 * Do a task in a child process.
 *
 * @throws {DescryError} the child's own user error, with its tag and message; or `ProcessError` when the child died.
 * @throws {Interrupted} the signal was aborted; the child has ended.
 * @throws {Error} a bug in the child, with the child's stack.
 */
export function runTask<N extends TaskName>(
  task: N,
  input: TaskInputs[N],
  { cwd, progress, signal }: TaskSurroundings,
): Promise<TaskResults[N]> {
  if (signal?.aborted === true) return Promise.reject(new Interrupted());
  return new Promise((resolve, reject) => {
    const child = fork(builtFile("src/run/task-child.js"), [], {
      cwd,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
    });
    const tasks = new Map<number, TaskProgress>();
    let outcome: (() => void) | undefined;
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
    });
    const stop = () => child.kill("SIGTERM");
    signal?.addEventListener("abort", stop, { once: true });
    child.on("message", (message: TaskMessage) => {
      switch (message.kind) {
        case "task":
          tasks.set(message.id, progress.task(message.label, message.total, message.unit));
          break;
        case "update":
          tasks.get(message.id)?.update(message.done, message.note);
          break;
        case "finish":
          tasks.get(message.id)?.finish(message.summary);
          break;
        case "line":
          progress.line(message.text);
          break;
        case "result":
          outcome = () => resolve(message.result as TaskResults[N]);
          break;
        case "error":
          outcome = () => reject(unpackThrown(message));
          break;
      }
    });
    child.on("error", (cause) => {
      outcome ??= () => reject(new DescryError("ProcessError", `${task}: could not start a process`, { cause }));
    });
    child.on("close", (code, killer) => {
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted === true) reject(new Interrupted());
      else if (outcome !== undefined) outcome();
      else reject(deathOf(task, code, killer, said));
    });
    child.send({ task, input } satisfies TaskRequest);
  });
}

function deathOf(task: string, code: number | null, killer: NodeJS.Signals | null, said: string): Error {
  const how = killer === null ? `ended with code ${code}` : `was killed by ${killer}`;
  const hint =
    killer === "SIGKILL"
      ? "perhaps the machine ran out of memory; run again with the same command to continue"
      : "run again with the same command to continue";
  const last = said.trim().split("\n").at(-1) ?? "";
  return new DescryError("ProcessError", `the ${task} process ${how}${last === "" ? "" : `: ${last}`}`, { hint });
}
