/** @file The real program in processes of its own, which tests watch and signal. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { afterAll } from "vitest";
import { ROOT } from "../cli/run-cli.js";

const BIN = path.join(ROOT, "dist", "src", "cli", "bin.js");

/** A running `descry`. */
export class Program {
  stdout = "";
  stderr = "";
  readonly pid: number;
  /** Resolves with the exit code when it has ended; null: killed. */
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
    if (!existsSync(BIN)) throw new Error("not built: npm run build");
    const stdio = ["ignore", "pipe", "pipe"] as const;
    this.child = spawn(process.execPath, [BIN, ...argv], { cwd, stdio: [...stdio], env: { ...process.env, ...env } });
    this.pid = this.child.pid!;
    this.child.stdout!.on("data", (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr!.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve) => this.child.on("close", (code) => resolve(code)));
    running.push(this);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Wait for words on stderr. */
  said(words: RegExp): Promise<void> {
    return until(() => words.test(this.stderr), `${words} of: ${this.stderr}`);
  }
}

const running: Program[] = [];
afterAll(() => {
  for (const program of running) program.signal("SIGKILL");
});

/** Look 20 times a second until something holds. The test's own timeout ends it. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const began = Date.now();
  while (!holds()) {
    if (Date.now() - began > 200_000) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
