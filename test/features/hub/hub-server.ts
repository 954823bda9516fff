/** A small server that speaks as much of the Hugging Face hub as its client asks for, and that can misbehave. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export interface HubServer {
  readonly url: string;
  /** `METHOD /path` and the range that was asked for, in order. */
  readonly requests: string[];
  /** Of `main`. */
  commit: string;
  /** Status of every answer, instead of what was asked for. */
  status?: number;
  /** Token without which the answer is 401. */
  token?: string;
  /** The next downloads break after these many bytes, one each. */
  readonly breaks: number[];
  /** Bytes that are sent instead of the file's. */
  sends?: Uint8Array;
  /** Answer requests for a range with the whole file. */
  ignoresRanges?: boolean;
  /** Pause after every 64 kB. */
  pauseMs?: number;
  close(): Promise<void>;
}

/** @param files by path, of one repository; those of less than 1000 bytes are no LFS files. */
export async function openHubServer(
  files: Readonly<Record<string, Uint8Array>>,
  repo = "org/model",
): Promise<HubServer> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const hub: HubServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    commit: COMMIT,
    breaks: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url!, hub.url);
    hub.requests.push(`${request.method} ${pathname}${request.headers.range ? ` ${request.headers.range}` : ""}`);
    const body: Buffer[] = [];
    for await (const part of request) body.push(part as Buffer);
    const json = (status: number, value: unknown) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    if (hub.status !== undefined) return json(hub.status, { error: "as the test wants it" });
    if (hub.token !== undefined && request.headers.authorization !== `Bearer ${hub.token}`) {
      return json(401, { error: `Access to model ${repo} is restricted.` });
    }
    if (pathname === `/api/models/${repo}/revision/main`) return json(200, { id: repo, sha: hub.commit });
    if (pathname === `/api/models/${repo}/paths-info/${hub.commit}`) {
      const { paths } = JSON.parse(Buffer.concat(body).toString()) as { paths: string[] };
      return json(
        200,
        paths.flatMap((path) => (files[path] === undefined ? [] : [describe(path, files[path])])),
      );
    }
    const [, path] = new RegExp(`^/${repo}/resolve/${hub.commit}/(.+)$`).exec(pathname) ?? [];
    const file = path === undefined ? undefined : files[path];
    if (file === undefined) return json(404, { error: "not here" });
    return sendFile(file, request, response);
  }

  async function sendFile(file: Uint8Array, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = hub.sends ?? file;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const isProbe = from === "0" && to === "0";
    const isRange = from !== undefined && (isProbe || hub.ignoresRanges !== true);
    const [start, end] = isRange ? [Number(from), Math.min(Number(to) + 1, bytes.length)] : [0, bytes.length];
    response.writeHead(isRange ? 206 : 200, {
      "content-type": "application/octet-stream",
      "content-length": end - start,
      etag: `"${sha256(file)}"`,
      ...(isRange && { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` }),
    });
    const stop = isProbe ? undefined : hub.breaks.shift();
    const last = stop === undefined ? end : Math.min(start + stop, end);
    for (let at = start; at < last; at += 65536) {
      await new Promise((resolve) => response.write(bytes.subarray(at, Math.min(at + 65536, last)), resolve));
      if (hub.pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, hub.pauseMs));
    }
    if (stop === undefined) response.end();
    else response.destroy();
  }
  return hub;
}

function describe(path: string, bytes: Uint8Array) {
  const oid = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  const entry = { type: "file", path, size: bytes.length, oid };
  return bytes.length < 1000 ? entry : { ...entry, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } };
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
