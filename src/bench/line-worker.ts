/** @file A process that does one piece of work for each line that it is sent, and answers with the milliseconds it took. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface LineWorker {
  /** What the process said of itself, such as its version. */
  readonly version: string;
  /** Do the work once. @returns milliseconds. */
  work(): Promise<number>;
  /** End the process. @returns its peak resident size in bytes, where it knows it. */
  end(): Promise<number | undefined>;
}

/**
 * Start a worker and wait until it is ready: imported, compiled, warmed up once.
 *
 * @throws {Error} with its own error line, when it ends before that.
 */
export async function startLineWorker(command: string, args: readonly string[]): Promise<LineWorker> {
  const child = spawn(command, args, { stdio: "pipe" });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const failed = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("close", () => reject(new Error(lastWords(said) ?? `${command} ended early`)));
  });
  // Without a reader its rejection, when the worker ends as it should, would be an unhandled one.
  failed.catch(() => {});
  const next = async (): Promise<string> => {
    const { value, done } = await Promise.race([lines.next(), failed]);
    return done === true ? failed : value;
  };
  const ready = await next();
  return {
    version: ready.replace(/^ready\s*/, ""),
    async work() {
      child.stdin.write("\n");
      return Number(await next());
    },
    async end() {
      child.stdin.end();
      const last = await next().catch(() => "");
      await closed(child);
      const kilobytes = /^peak_kb (\d+)$/.exec(last)?.[1];
      return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
    },
  };
}

/** The line of an error where there is one (Node and Python write more after and before it), else the last line. */
function lastWords(said: string): string | undefined {
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  return lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1);
}

const closed = (child: ChildProcessWithoutNullStreams): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.on("close", () => resolve());
  });
