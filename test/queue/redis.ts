/** @file A Redis of a test's own: on a free port, in a temporary folder, nothing kept. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

/** Empty where redis-server is installed; otherwise why tests skip. */
export const whyNoRedis =
  spawnSync("redis-server", ["--version"]).error === undefined
    ? ""
    : "(skipped: there is no redis-server; apt-get install redis-server)";

export interface Redis {
  /** Without a password. */
  readonly url: string;
  readonly port: number;
  stop(): void;
}

/** @param settings further arguments of redis-server, such as `--requirepass`, `secret`. */
export async function startRedis(...settings: string[]): Promise<Redis> {
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), "descry-redis-"));
  const fixed = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
  const child = spawn("redis-server", [...fixed, ...settings], { stdio: ["ignore", "pipe", "inherit"] });
  await untilSaid(child, /Ready to accept connections/);
  return { url: `redis://127.0.0.1:${port}`, port, stop: () => child.kill("SIGKILL") };
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function untilSaid(child: ChildProcess, words: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout!.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (words.test(said)) resolve();
    });
    child.once("exit", () => reject(new Error(`redis-server ended: ${said}`)));
  });
}
