import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DataError } from "../../data/errors.js";
import { INCEPTION_WEIGHTS, locateInceptionWeights } from "../../src/evaluate/networks/inception-weights.js";

describe("locateInceptionWeights", () => {
  let folder = "";
  let server: Server;
  let requests: string[] = [];
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 251));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  let wanted = { file: "pt_weights.pth", sha256, sizeBytes: bytes.length, url: "" };

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "descry-"));
    requests = [];
    vi.stubEnv("DESCRY_ENCODERS", path.join(folder, "own"));
    vi.stubEnv("TORCH_HOME", path.join(folder, "torch"));
    vi.stubEnv("HF_HUB_OFFLINE", "");
    server = createServer((request, response) => {
      const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      requests.push(request.headers.range ?? "all");
      response.writeHead(start === 0 ? 200 : 206);
      // The first answer breaks off.
      if (requests.length === 1) response.write(bytes.subarray(0, 30_000), () => response.destroy());
      else response.end(bytes.subarray(start));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    wanted = { ...wanted, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/pt_weights.pth` };
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });

  test("downloads them, goes on after a break, and takes them from there", async () => {
    const file = path.join(folder, "own", wanted.file);
    expect(await locateInceptionWeights({ wanted, retryMs: 1 })).toBe(file);
    expect(await readFile(file)).toEqual(bytes);
    expect(requests[0]).toBe("all");
    expect(requests.at(-1)).toMatch(/^bytes=\d+-$/);
    const asked = requests.length;
    expect(await locateInceptionWeights({ wanted })).toBe(file);
    expect(requests).toHaveLength(asked);
  });

  test("takes what PyTorch has downloaded, under either name", async () => {
    const checkpoints = path.join(folder, "torch", "hub", "checkpoints");
    await mkdir(checkpoints, { recursive: true });
    await writeFile(path.join(checkpoints, INCEPTION_WEIGHTS.otherName), bytes);
    expect(await locateInceptionWeights({ wanted })).toBe(path.join(checkpoints, INCEPTION_WEIGHTS.otherName));
    expect(requests).toEqual([]);
  });

  test("other weights are refused: their numbers would be no FIDs", async () => {
    await mkdir(path.join(folder, "own"));
    await writeFile(path.join(folder, "own", wanted.file), "other");
    await expect(locateInceptionWeights({ wanted })).rejects.toThrow(DataError);
    await expect(locateInceptionWeights({ wanted })).rejects.toThrow(
      /pt_weights\.pth: has SHA-256 d9298a10.*the weights of published FIDs have/,
    );
  });

  test("without a network it says how to put them there", async () => {
    await new Promise((resolve) => server.close(resolve));
    await expect(locateInceptionWeights({ wanted, retryMs: 1 })).rejects.toThrow(
      /cannot be downloaded \(ECONNREFUSED\) — put it there by hand: curl -L -o .*pt_weights\.pth http/,
    );
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await expect(locateInceptionWeights({ wanted })).rejects.toThrow(
      /is not here, and HF_HUB_OFFLINE is set — put it there by hand: curl/,
    );
  });
});
