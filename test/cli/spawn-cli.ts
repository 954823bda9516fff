import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { ROOT } from "./run-cli.js";

export interface Spawned {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Start the built program as a process of its own. */
export function spawnCli(argv: readonly string[], cwd: string): { child: ChildProcess; ended: Promise<Spawned> } {
  const bin = path.join(ROOT, "dist", "src", "cli", "bin.js");
  const child = spawn(process.execPath, [bin, ...argv], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Spawned>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}
