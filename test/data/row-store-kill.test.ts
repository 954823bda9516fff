import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CacheError } from "../../data/errors.js";
import { planRowStore, shardsOfPart } from "../../data/row-plan.js";
import { isRowStore, openRowStore, type RowBatch, verifyRowStore, writeRowStore } from "../../data/row-store.js";
import { finishRowStore, writeShards } from "../../data/row-writer.js";

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
// "hold" on it waits for a line. With a part "2-of-3" it writes that one.
const CHILD = `
import { planRowStore, shardsOfPart } from "./data/row-plan.js";
import { writeRowStore } from "./data/row-store.js";
import { finishRowStore, writeShards } from "./data/row-writer.js";
const [folder, rowsAtATime, hold, part] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4]), process.argv[5]];
const header = ${JSON.stringify(HEADER)};
const onRows = (done) => process.stdout.write(done + "\\n");
async function* rowsOf(start, end) {
  for (let row = start; row < end; row += rowsAtATime) {
    if (row === hold) await new Promise((resolve) => process.stdin.once("data", resolve));
    const rows = Math.min(rowsAtATime, end - row);
    const x = new Float32Array(rows * 40000).map((_, i) => Math.fround((row * 40000 + i) % 1009) / 8);
    yield { x, label: new Int32Array(rows).map((_, i) => row + i) };
  }
}
if (part === undefined) await writeRowStore(folder, header, rowsOf, { shardRows: ${SHARD_ROWS}, onRows });
else {
  const [index, count] = part.split("-of-").map(Number);
  const plan = planRowStore(header, ${SHARD_ROWS});
  await writeShards(folder, plan, shardsOfPart(plan, { index, count }), rowsOf, { part, onRows });
  await finishRowStore(folder, plan);
}
process.stdin.unref();
`;

async function* batches(start: number, end: number): AsyncGenerator<RowBatch> {
  for (let row = start; row < end; row += 5) {
    const rows = Math.min(5, end - row);
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
async function startChild(rows: number, rowsAtATime = 3, hold = -1, part?: string): Promise<ChildProcess> {
  const args = [
    join(root, "child.mjs"),
    folder,
    String(rowsAtATime),
    String(hold),
    ...(part === undefined ? [] : [part]),
  ];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
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
  await promisify(execFile)(
    process.execPath,
    [
      tsc,
      "data/row-store.ts",
      "data/row-writer.ts",
      "src/compile/webassembly.d.ts",
      ...options,
      "--outDir",
      join(root, "data"),
    ],
    {
      cwd: repository,
    },
  );
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
      const resumed = (start: number, end: number) => {
        starts.push(start);
        return batches(start, end);
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

describe("a store in parts", () => {
  const plan = planRowStore(HEADER, SHARD_ROWS); // 6 shards
  const write = (index: number, count: number) =>
    writeShards(folder, plan, shardsOfPart(plan, { index, count }), batches, { part: `${index}-of-${count}` });
  const exit = async (child: ChildProcess) => {
    if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve));
    expect(child.exitCode).toBe(0);
  };

  test.each([1, 2, 3, 4, 5, 6, 7, 9])("%i parts have every shard once, in equal numbers", (count) => {
    const parts = Array.from({ length: count }, (_, i) => shardsOfPart(plan, { index: i + 1, count }));
    expect(parts.flat()).toEqual([0, 1, 2, 3, 4, 5]);
    const sizes = parts.map(({ length }) => length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });

  test("three processes at once: the bytes of a single one, and the last to finish completes it", async () => {
    const children = await Promise.all([1, 2, 3].map((index) => startChild(1, 3, -1, `${index}-of-3`)));
    await Promise.all(children.map(exit));
    expect(await contents(folder)).toEqual(want);
  });

  // After so many of its 16 rows.
  test.each([0, 3, 8, 12, 15])(
    "one killed after %i rows: the others finish, and it goes on where it was",
    async (rows) => {
      const victim = await startChild(rows, 3, -1, "2-of-3");
      await kill(victim);
      await Promise.all([write(1, 3), write(3, 3)]);
      const missing = await finishRowStore(folder, plan);
      if (missing.length > 0) expect(await isRowStore(folder, HEADER.key)).toBe(false);
      for (const shard of missing) expect([2, 3]).toContain(shard);
      expect(missing.length).toBeLessThanOrEqual(2 - Math.floor(rows / SHARD_ROWS));
      await write(2, 3);
      expect(await finishRowStore(folder, plan)).toEqual([]);
      expect(await contents(folder)).toEqual(want);
    },
  );

  test("a process that writes alone completes what parts have left", async () => {
    await write(2, 3);
    const asked: number[][] = [];
    const rows = (start: number, end: number) => {
      asked.push([start, end]);
      return batches(start, end);
    };
    await writeRowStore(folder, HEADER, rows, { shardRows: SHARD_ROWS });
    expect(asked).toEqual([
      [0, 16],
      [32, 48],
    ]);
    expect(await contents(folder)).toEqual(want);
  });

  test("a part that runs is neither started twice nor written over by one that writes alone, nor the other way round", async () => {
    const part = await startChild(1, 1, 17, "2-of-3");
    const refusal = `process ${part.pid} on ${hostname()} is writing this folder`;
    await expect(write(2, 3)).rejects.toThrow(refusal);
    await expect(writeRowStore(folder, HEADER, batches, { shardRows: SHARD_ROWS })).rejects.toThrow(refusal);
    expect((await readdir(folder)).filter((name) => name.endsWith(".lock"))).toEqual(["writing-2-of-3.lock"]);
    await write(1, 3);
    await kill(part);
    const alone = await startChild(20, 1, 20);
    await expect(write(2, 3)).rejects.toThrow(`process ${alone.pid} on ${hostname()} is writing this folder`);
    await kill(alone);
    await writeRowStore(folder, HEADER, batches, { shardRows: SHARD_ROWS });
    expect(await contents(folder)).toEqual(want);
  });

  test("a shard of a finished store that is damaged is made again by its part", async () => {
    await Promise.all([write(1, 2), write(2, 2)]);
    await finishRowStore(folder, plan);
    const damaged = join(folder, "shard-00004.safetensors");
    const bytes = await readFile(damaged);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(damaged, bytes);
    await write(1, 2);
    await write(2, 2);
    expect(await finishRowStore(folder, plan)).toEqual([]);
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
    const stolen = async function* (start: number, end: number) {
      for await (const batch of batches(start, end)) {
        yield batch;
        await writeFile(join(folder, LOCK), JSON.stringify({ token: "x", pid: 1, started: null, host: "elsewhere" }));
      }
    };
    const writing = writeRowStore(folder, HEADER, stolen, { shardRows: SHARD_ROWS });
    await expect(writing).rejects.toThrow(/process 1 on elsewhere has taken over writing this folder/);
    expect((await readdir(folder)).sort()).toEqual(["plan.json", LOCK]);
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

  test("a lock of another machine that was not renewed for long is taken over", async () => {
    await writeRowStore(folder, { ...HEADER, rows: 0 }, batches);
    const lock = join(folder, LOCK);
    await writeFile(lock, JSON.stringify({ ...holder, pid: 7, host: "elsewhere" }));
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    await utimes(lock, ago(2), ago(2));
    await expect(writeRowStore(folder, HEADER, batches)).rejects.toThrow("process 7 on elsewhere");
    await utimes(lock, ago(4), ago(4));
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
