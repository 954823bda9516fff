import { spawn } from "node:child_process";
import { existsSync, lstatSync, mkdtempSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DataError, UsageError } from "../../../data/errors.js";
import { type FetchOptions, fetchHubFile } from "../../../features/hub/fetch-hub-file.js";
import { readHubSettings } from "../../../features/hub/hub-settings.js";
import { COMMIT, type HubServer, openHubServer, sha256 } from "./hub-server.js";

const BIG = Uint8Array.from({ length: 700_001 }, (_, i) => (i * i + (i >> 7)) % 251);
const SMALL = new TextEncoder().encode('{"model_type": "vit"}');
const FILE = { repo: "org/model", path: "onnx/model.onnx" };

let hub: HubServer;
let folder: string;
beforeEach(async () => {
  hub = await openHubServer({ "onnx/model.onnx": BIG, "config.json": SMALL });
  folder = mkdtempSync(path.join(tmpdir(), "descry-hub-"));
});
afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true, force: true });
});

const settings = (env: Record<string, string> = {}) =>
  readHubSettings({ HF_ENDPOINT: hub.url, HF_HOME: folder, ...env });
const fetchFile = (options: FetchOptions = {}, file: Parameters<typeof fetchHubFile>[0] = FILE) =>
  fetchHubFile(file, { settings: settings(), retryMs: 1, ...options });
const inCache = (...parts: string[]) => path.join(folder, "hub", "models--org--model", ...parts);
const downloads = () => hub.requests.filter((line) => line.includes("/resolve/") && !line.endsWith("bytes=0-0"));

describe("the cache", () => {
  test("is laid out as the hub's other clients do it", async () => {
    const { file, revision } = await fetchFile();
    expect(revision).toBe(COMMIT);
    expect(file).toBe(inCache("snapshots", COMMIT, "onnx", "model.onnx"));
    expect(readFileSync(file)).toEqual(Buffer.from(BIG));
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(readlinkSync(file)).toBe(path.join("..", "..", "..", "blobs", sha256(BIG)));
    expect(readFileSync(inCache("refs", "main"), "utf8")).toBe(COMMIT);
    expect(existsSync(inCache("blobs", `${sha256(BIG)}.incomplete`))).toBe(false);
  });

  test("is asked first, also for a branch and offline", async () => {
    await fetchFile();
    hub.requests.length = 0;
    const offline = settings({ HF_HUB_OFFLINE: "1" });
    expect((await fetchFile()).revision).toBe(COMMIT);
    expect((await fetchFile({ settings: offline })).revision).toBe(COMMIT);
    expect((await fetchFile({}, { ...FILE, revision: COMMIT })).file).toContain(COMMIT);
    expect(hub.requests).toEqual([]);
  });

  test("a pinned commit is fetched as it is, and makes no branch", async () => {
    await fetchFile({}, { ...FILE, revision: COMMIT });
    expect(existsSync(inCache("refs"))).toBe(false);
    expect(hub.requests.join()).not.toContain("revision/main");
  });

  test("a small file is checked by its Git hash", async () => {
    const { file } = await fetchFile({}, { repo: "org/model", path: "config.json" });
    expect(readFileSync(file, "utf8")).toContain("vit");
    hub.sends = new TextEncoder().encode('{"model_type": "VIT"}');
    await rm(folder, { recursive: true });
    await mkdir(folder);
    await expect(fetchFile({}, { repo: "org/model", path: "config.json" })).rejects.toThrow(
      /not what the hub announces/,
    );
  });

  test("progress counts bytes, up to all of them", async () => {
    const told: [number, number][] = [];
    await fetchFile({ onProgress: (done, total) => told.push([done, total]) });
    expect(told.at(-1)).toEqual([BIG.length, BIG.length]);
    expect(told.every(([done], i) => i === 0 || done > told[i - 1]![0])).toBe(true);
  });
});

describe("connections that break", () => {
  test("the download goes on where it stopped, as often as it brings something", async () => {
    hub.breaks.push(100_000, 70_000, 1, 200_000, 5, 5);
    const { file } = await fetchFile();
    expect(sha256(readFileSync(file))).toBe(sha256(BIG));
    const ranges = downloads().slice(1);
    expect(ranges).toHaveLength(6);
    const starts = ranges.map((line) => Number(/bytes=(\d+)-/.exec(line)![1]));
    expect(starts.every((start, i) => start > (starts[i - 1] ?? 0) || start === starts[i - 1])).toBe(true);
    expect(starts.at(-1)).toBeGreaterThan(200_000);
  });

  test("four tries in a row without a byte are enough; what is there is kept for the next run", async () => {
    hub.breaks.push(300_000, 0, 0, 0, 0, 0);
    await expect(fetchFile()).rejects.toThrow(/org\/model\/onnx\/model\.onnx: cannot reach http:.*is there a network/);
    const kept = statSync(inCache("blobs", `${sha256(BIG)}.incomplete`)).size;
    expect(kept).toBeGreaterThan(0);
    hub.requests.length = 0;
    hub.breaks.length = 0;
    await fetchFile();
    expect(downloads()).toEqual([`GET /org/model/resolve/${COMMIT}/onnx/model.onnx bytes=${kept}-${BIG.length - 1}`]);
  });

  test("killed with SIGKILL, the next process goes on", async () => {
    hub.pauseMs = 40;
    const module = pathToFileURL(path.resolve("dist/features/hub/fetch-hub-file.js")).href;
    const code = `import(${JSON.stringify(module)}).then((m) => m.fetchHubFile(${JSON.stringify(FILE)}, { onProgress: () => console.log("some") }))`;
    const child = spawn(process.execPath, ["-e", code], {
      env: { PATH: process.env["PATH"], HF_ENDPOINT: hub.url, HF_HOME: folder },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("close", resolve));
    const kept = statSync(inCache("blobs", `${sha256(BIG)}.incomplete`)).size;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(BIG.length);
    hub.requests.length = 0;
    delete hub.pauseMs;
    const { file } = await fetchFile();
    expect(sha256(readFileSync(file))).toBe(sha256(BIG));
    expect(downloads()[0]).toContain(`bytes=${kept}-`);
  });

  test("a server without ranges is noticed, and the next run starts again", async () => {
    hub.breaks.push(100_000);
    hub.ignoresRanges = true;
    await expect(fetchFile()).rejects.toThrow(/more than 700001 bytes came/);
    expect(sha256(readFileSync((await fetchFile()).file))).toBe(sha256(BIG));
  });
});

describe("what is refused", () => {
  test("other bytes than announced are deleted", async () => {
    hub.sends = BIG.map((byte, i) => (i === 650_000 ? byte ^ 1 : byte));
    await expect(fetchFile()).rejects.toThrow(DataError);
    await expect(fetchFile()).rejects.toThrow(
      new RegExp(`hub announces \\(${sha256(BIG)}\\): they hash to [0-9a-f]{64}`),
    );
    expect(existsSync(inCache("blobs", sha256(BIG)))).toBe(false);
    expect(existsSync(inCache("blobs", `${sha256(BIG)}.incomplete`))).toBe(false);
    expect(existsSync(inCache("snapshots"))).toBe(false);
  });

  test("a damaged beginning of an earlier run too", async () => {
    await mkdir(inCache("blobs"), { recursive: true });
    writeFileSync(inCache("blobs", `${sha256(BIG)}.incomplete`), "something else");
    await expect(fetchFile()).rejects.toThrow(/not what the hub announces/);
    expect(sha256(readFileSync((await fetchFile()).file))).toBe(sha256(BIG));
  });

  test("another hash than wanted, before anything is downloaded", async () => {
    await expect(fetchFile({ sha256: "0".repeat(64) })).rejects.toThrow(/on the hub, wanted 0000/);
    expect(downloads()).toEqual([]);
  });

  test.each<[number, Record<string, string>, RegExp]>([
    [
      401,
      {},
      /org\/model\/onnx\/model\.onnx: the hub wants to know who asks \(401\) — .*accept the terms at http.*\/org\/model, then set HF_TOKEN/,
    ],
    [401, { HF_TOKEN: "hf_old" }, /does not accept the token in HF_TOKEN \(401\)/],
    [403, { HF_TOKEN: "hf_other" }, /does not let you read it \(403\) — it is gated: accept the terms at/],
    [404, {}, /has no such file \(404\) — look at http/],
    [503, {}, /answered with 503 — run again later/],
  ])("status %i with %j", async (status, env, message) => {
    hub.status = status;
    await expect(fetchFile({ settings: settings(env) })).rejects.toThrow(DataError);
    await expect(fetchFile({ settings: settings(env) })).rejects.toThrow(message);
  });

  test("a file that the repository lacks", async () => {
    await expect(fetchFile({}, { repo: "org/model", path: "onnx/other.onnx" })).rejects.toThrow(
      /has no such file \(404\)/,
    );
  });

  test("a gated file comes with the right token", async () => {
    hub.token = "hf_mine";
    await expect(fetchFile()).rejects.toThrow(/set HF_TOKEN/);
    const { file } = await fetchFile({ settings: settings({ HF_TOKEN: "hf_mine" }) });
    expect(readFileSync(file)).toHaveLength(BIG.length);
  });

  test("no hub: one line", async () => {
    const nowhere = settings({ HF_ENDPOINT: "http://127.0.0.1:9" });
    await expect(fetchFile({ settings: nowhere })).rejects.toThrow(
      /^org\/model\/onnx\/model\.onnx: cannot reach http:\/\/127\.0\.0\.1:9 \([^)\n]+\) — is there a network\?[^\n]+$/,
    );
  });

  test("HF_HUB_OFFLINE: nobody is asked", async () => {
    await expect(fetchFile({ settings: settings({ HF_HUB_OFFLINE: "yes" }) })).rejects.toThrow(
      /not in .*hub, and HF_HUB_OFFLINE is set — fetch it where there is a network: hf download org\/model onnx\/model\.onnx/,
    );
    expect(hub.requests).toEqual([]);
  });
});

describe("the environment", () => {
  test.each<[Record<string, string>, string]>([
    [{ HF_HUB_CACHE: "/a", HUGGINGFACE_HUB_CACHE: "/b", HF_HOME: "/c" }, "/a"],
    [{ HUGGINGFACE_HUB_CACHE: "/b", HF_HOME: "/c" }, "/b"],
    [{ HF_HOME: "/c", XDG_CACHE_HOME: "/d" }, path.join("/c", "hub")],
    [{ XDG_CACHE_HOME: "/d", HF_HOME: " " }, path.join("/d", "huggingface", "hub")],
  ])("%j puts the cache into %s", (env, wanted) => {
    expect(readHubSettings(env).cacheFolder).toBe(wanted);
  });

  test("tokens: the variable, else what a login has left; one that is none is refused", () => {
    writeFileSync(path.join(folder, "token"), "hf_login\n");
    expect(readHubSettings({ HF_HOME: folder }).accessToken).toBe("hf_login");
    expect(readHubSettings({ HF_HOME: folder, HF_TOKEN: "hf_mine" }).accessToken).toBe("hf_mine");
    expect(readHubSettings({ HF_HOME: "/nowhere" }).accessToken).toBeUndefined();
    expect(() => readHubSettings({ HF_TOKEN: "secret" })).toThrow(UsageError);
    expect(() => readHubSettings({ HF_TOKEN: "secret" })).not.toThrow(/secret/);
  });

  test.each([
    ["0", false],
    ["", false],
    ["TRUE", true],
    ["on", true],
  ])("HF_HUB_OFFLINE=%s", (value, isOffline) => {
    expect(readHubSettings({ HF_HUB_OFFLINE: value }).isOffline).toBe(isOffline);
  });
});
