/**
 * @file The report of runs that are still under way, served on this machine alone: the page itself, and a stream of events that
 * names the parts of it that have changed (server-sent events; WHATWG HTML, section 9.2).
 */
import { readdir, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { DescryError, UsageError } from "../../data/errors.js";
import { changedParts, type Part } from "./page-parts.js";
import { type RunRecord, readRuns } from "./read-run.js";
import { pageParts, renderPage } from "./render-page.js";

const HOST = "127.0.0.1";
/** Looking takes at most this share of the time: the training needs the machine. */
const SHARE = 0.1;

export interface WatchOptions {
  readonly runFolders: readonly string[];
  /** 0: any that is free. */
  readonly port: number;
  /** Ends the watching. */
  readonly signal: AbortSignal;
  /** Somebody can look now. */
  readonly onListening: (url: string) => void;
  /** Between two looks at the runs' files, at least. @default 1000 */
  readonly intervalMs?: number;
}

/**
 * Serve the report of some runs until the signal is aborted.
 *
 * @throws {UsageError} no run, or a port that is taken. @throws {DataError} a damaged file when the watching begins; later ones are
 *   told to the page, and looked at again.
 */
export async function watchRuns(options: WatchOptions): Promise<void> {
  const { signal, intervalMs = 1000 } = options;
  const watch = new Watch(options.runFolders);
  await watch.look();
  const server = createServer((request, response) => watch.answer(request, response));
  const port = await listen(server, options.port);
  try {
    options.onListening(`http://${HOST}:${port}/`);
    let tookMs = 0;
    while (!signal.aborted) {
      await wait(Math.max(intervalMs, tookMs / SHARE), undefined, { signal }).catch(() => undefined);
      const began = performance.now();
      if (!signal.aborted) await watch.update();
      tookMs = performance.now() - began;
    }
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** What is known of the runs, and who is looking. */
class Watch {
  private readonly readers = new Set<ServerResponse>();
  private runs: readonly RunRecord[] = [];
  private page: Part | undefined;
  private files = "";
  private trouble = "";
  /** Of the page; goes up with every change. */
  private version = 0;

  constructor(private readonly runFolders: readonly string[]) {}

  /** Read the runs. */
  async look(): Promise<void> {
    this.files = await describeFiles(this.runFolders);
    this.runs = await readRuns(this.runFolders, { underWay: true });
    this.page = await pageParts(this.runs, { live: true });
  }

  /** Look again if something has changed, and tell. */
  async update(): Promise<void> {
    if ((await describeFiles(this.runFolders)) === this.files) return;
    const before = this.page!;
    let trouble = "";
    try {
      await this.look();
    } catch (error) {
      // A file may be caught between two states; the next look sees.
      if (!(error instanceof DescryError)) throw error;
      trouble = error.message;
      this.files = "";
    }
    if (trouble !== this.trouble) this.tell("trouble", trouble);
    this.trouble = trouble;
    const changes = changedParts(before, this.page!);
    if (changes.length === 0) return;
    this.version += 1;
    this.tell("parts", JSON.stringify(changes));
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", `http://${HOST}`);
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("X-Content-Type-Options", "nosniff");
    // A page from elsewhere whose name was made to lead here is not to read the runs.
    const name = (request.headers.host ?? "").replace(/:\d+$/, "");
    if (name !== HOST && name !== "localhost") send(response, 403, "this page is for this machine\n");
    else if (request.method !== "GET") send(response, 405, "there is nothing but GET here\n");
    else if (pathname === "/") {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(renderPage(this.page!, this.runs, { live: `events?version=${this.version}` }));
    } else if (pathname === "/events") this.follow(request, response, searchParams.get("version"));
    else send(response, 404, "there is no such page\n");
  }

  private follow(request: IncomingMessage, response: ServerResponse, given: string | null): void {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    // A browser that comes back says what it saw last; one that has missed something starts over.
    const seen = Number(request.headers["last-event-id"] ?? given);
    if (seen !== this.version) response.write(eventText("reload", "", this.version));
    else response.write(eventText("trouble", this.trouble, this.version));
    this.readers.add(response);
    response.on("close", () => this.readers.delete(response));
  }

  private tell(event: string, data: string): void {
    for (const reader of this.readers) reader.write(eventText(event, data, this.version));
  }
}

function eventText(event: string, data: string, version: number): string {
  return `id: ${version}\nevent: ${event}\n${data
    .split("\n")
    .map((line) => `data: ${line}\n`)
    .join("")}\n`;
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(text);
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "is taken" : `cannot be opened (${error.code})`;
      reject(
        new UsageError(`port ${port} ${why}`, { hint: "name another, or none for one that is free", cause: error }),
      );
    });
    server.listen(port, HOST, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** Names, sizes and times of all records of some runs: what a look would see. */
async function describeFiles(folders: readonly string[]): Promise<string> {
  const lines: string[] = [];
  for (const folder of folders) {
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    for (const name of names.filter((one) => /\.jsonl?$/.test(one)).sort()) {
      const file = path.join(folder, name);
      const facts = await stat(file).catch(() => undefined);
      if (facts !== undefined) lines.push(`${file} ${facts.size} ${facts.mtimeMs}`);
    }
  }
  return lines.join("\n");
}
