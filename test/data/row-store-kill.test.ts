import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CacheError } from "../../data/errors.js";
import { isRowStore, openRowStore, type RowBatch, verifyRowStore, writeRowStore } from "../../data/row-store.js";

const repository = join(import.meta.dirname, "../..");
const LOCK = "writing.lock";
const HEADER = {
  key: "kill",
  rows: 48,
  columns: { x: { dtype: "F16", shape: [40_000] }, label: { dtype: "I32", shape: [] } },
  meta: { from: "test" },
} as const;
const SHARD_ROWS = 8;

// The same rows as `batches` below, in plain JavaScript for another process; a line for each batch that was taken. From row
// "hold" on it waits for a line.
const CHILD = `
import { writeRowStore } from "./data/row-store.js";
const [folder, rowsAtATime, hold] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const header = ${JSON.stringify(HEADER)};
await writeRowStore(folder, header, async function* (start) {
  for (let row = start; row < header.rows; row += rowsAtATime) {
    if (row === hold) await new Promise((resolve) => process.stdin.once("data", resolve));
    const rows = Math.min(rowsAtATime, header.rows - row);
    const x = new Float32Array(rows * 40000).map((_, i) => Math.fround((row * 40000 + i) % 1009) / 8);
    yield { x, label: new Int32Array(rows).map((_, i) => row + i) };
  }
}, { shardRows: ${SHARD_ROWS}, onRows: (done) => process.stdout.write(done + "\\n") });
process.stdin.unref();
`;

async function* batches(start: number): AsyncGenerator<RowBatch> {
  for (let row = start; row < HEADER.rows; row += 5) {
    const rows = Math.min(5, HEADER.rows - row);
    const x = new Float32Array(rows * 40_000).map((_, i) => Math.fround((row * 40_000 + i) % 1009) / 8);
    yield { x, label: new Int32Array(rows).map((_, i) => row + i) };
  }
}

let root: string;
let folder: string;
let want: Record<string, string>;
let trial = 0;

/** Name and sha256 of every file. */
async function contents(of: string): Promise<Record<string, string>> {
  const names = (await readdir(of)).sort();
  const hash = async (name: string) =>
    createHash("sha256")
      .update(await readFile(join(of, name)))
      .digest("hex");
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await hash(name)])));
}

/** Starts the child and waits until it has taken `rows` rows. */
async function startChild(rows: number, rowsAtATime = 3, hold = -1): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(root, "child.mjs"), folder, String(rowsAtATime), String(hold)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (text.split("\n").some((line) => line !== "" && Number(line) >= rows)) resolve();
    });
    child.once("exit", () => reject(new Error("the child ended before its time")));
  });
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await ended;
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "descry-kill-"));
  // Another process needs JavaScript: the storage room compiled beside its libraries.
  const require = createRequire(import.meta.url);
  const tsc = join(require.resolve("typescript/package.json"), "../bin/tsc");
  const options = "--ignoreConfig --rootDir data --module nodenext --target es2022 --types node --skipLibCheck".split(
    " ",
  );
  await promisify(execFile)(process.execPath, [tsc, "data/row-store.ts", ...options, "--outDir", join(root, "data")], {
    cwd: repository,
  });
  await symlink(join(repository, "node_modules"), join(root, "node_modules"));
  await writeFile(join(root, "package.json"), '{"type":"module"}');
  await writeFile(join(root, "child.mjs"), CHILD);
  await writeRowStore(join(root, "want"), HEADER, batches, { shardRows: SHARD_ROWS });
  want = await contents(join(root, "want"));
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(() => {
  folder = join(root, `trial-${trial++}`);
});

describe("a writer killed with SIGKILL", () => {
  // After so many rows; what it was doing then (gathering, writing, flushing) is left to chance.
  test.each([0, 3, 8, 15, 24, 33, 40, 47])(
    "after %i rows: never taken for whole, and continued to the same bytes",
    async (rows) => {
      await kill(await startChild(rows));
      const isWhole = await isRowStore(folder, HEADER.key);
      if (isWhole) await verifyRowStore(folder, HEADER.key);
      else await expect(openRowStore(folder, HEADER.key)).rejects.toThrow(CacheError);

      const starts: number[] = [];
      const resumed = (start: number) => {
        starts.push(start);
        return batches(start);
      };
      await writeRowStore(folder, HEADER, resumed, { shardRows: SHARD_ROWS });
      // Rows in whole shards are not asked for again.
      for (const start of starts) {
        expect(start % SHARD_ROWS).toBe(0);
        expect(start).toBeGreaterThanOrEqual(Math.floor(rows / SHARD_ROWS) * SHARD_ROWS);
      }
      expect(await contents(folder)).toEqual(want);
    },
  );

  test("three times, it still ends with the same bytes", async () => {
    for (const rows of [10, 20, 35]) await kill(await startChild(rows, 2));
    await writeRowStore(folder, HEADER, batches, { shardRows: SHARD_ROWS });
    expect(await contents(folder)).toEqual(want);
  });
});

describe("two writers", () => {
  test("in two processes: the second is refused and told who writes; the first ends whole", async () => {
    const child = await startChild(10, 1, 10);
    const second = writeRowStore(folder, HEADER, batches, { shardRows: SHARD_ROWS });
    await expect(second).rejects.toThrow(CacheError);
    await expect(second).rejects.toThrow(
      `${folder}: process ${child.pid} on ${hostname()} is writing this folder — wait`,
    );
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin!.end("go on\n");
    await ended;
    expect(await contents(folder)).toEqual(want);
  });

  test("in one process: the second is refused", async () => {
    const both = await Promise.allSettled(
      [1, 2].map(() => writeRowStore(folder, HEADER, batches, { shardRows: SHARD_ROWS })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await contents(folder)).toEqual(want);
  });

  test("one that lost its lock stops before it writes another shard", async () => {
    const stolen = async function* (start: number) {
      for await (const batch of batches(start)) {
        yield batch;
        await writeFile(join(folder, LOCK), JSON.stringify({ token: "x", pid: 1, started: null, host: "elsewhere" }));
      }
    };
    const writing = writeRowStore(folder, HEADER, stolen, { shardRows: SHARD_ROWS });
    await expect(writing).rejects.toThrow(/process 1 on elsewhere has taken over writing this folder/);
    expect(await readdir(folder)).toEqual([LOCK]);
  });

  const holder = { token: "x", pid: process.pid, started: null, host: hostname() };
  test.each<[string, string]>([
    ["a process that has ended", JSON.stringify({ ...holder, pid: 2 ** 22 + 12345 })],
    ["an earlier process with the number of a running one", JSON.stringify({ ...holder, started: "1" })],
    ["a process killed while it wrote the lock", ""],
  ])("a lock of %s is taken over", async (label, lock) => {
    // Start times of processes are known on Linux only.
    if (label.startsWith("an earlier") && process.platform !== "linux") return;
    await writeRowStore(folder, { ...HEADER, rows: 0 }, batches);
    await writeFile(join(folder, LOCK), lock);
    await writeRowStore(folder, HEADER, batches, { shardRows: SHARD_ROWS });
    expect(await contents(folder)).toEqual(want);
  });

  test("a lock of another machine is respected, and the error says what to delete", async () => {
    await writeRowStore(folder, { ...HEADER, rows: 0 }, batches);
    await writeFile(join(folder, LOCK), JSON.stringify({ ...holder, pid: 7, host: "elsewhere" }));
    const writing = writeRowStore(folder, HEADER, batches, { shardRows: SHARD_ROWS });
    await expect(writing).rejects.toThrow(
      `process 7 on elsewhere is writing this folder — wait until it is done; if there is no such process, delete ${join(folder, LOCK)}`,
    );
  });
});
