import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startLineWorker } from "../../src/bench/line-worker.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-bench-"));
});
afterEach(() => rm(folder, { recursive: true }));

const script = async (text: string): Promise<string> => {
  const file = join(folder, "worker.mjs");
  await writeFile(file, text);
  return file;
};

test("asks for one piece of work at a time, and for the peak at the end", async () => {
  const file = await script(`
    import { createInterface } from "node:readline";
    console.log("ready 1.2");
    let n = 0;
    for await (const _ of createInterface({ input: process.stdin })) console.log(10 * ++n);
    console.log("peak_kb 2048");
  `);
  const worker = await startLineWorker(process.execPath, [file]);
  expect(worker.version).toBe("1.2");
  expect([await worker.work(), await worker.work()]).toEqual([10, 20]);
  expect(await worker.end()).toBe(2 * 1024 ** 2);
});

test("a worker that cannot start says why, in its own words", async () => {
  const file = await script(`console.error("Traceback:"); console.error("No module named torch"); process.exit(1);`);
  await expect(startLineWorker(process.execPath, [file])).rejects.toThrow("No module named torch");
  await expect(startLineWorker(join(folder, "no-python"), [])).rejects.toThrow("ENOENT");
  const node = await script(`throw new RangeError("no such target");`);
  await expect(startLineWorker(process.execPath, [node])).rejects.toThrow("RangeError: no such target");
});

test("a worker that dies between two pieces of work is an error, not a wait without end", async () => {
  const file = await script(`
    console.log("ready");
    process.stdin.once("data", () => { console.error("out of memory"); process.exit(3); });
  `);
  const worker = await startLineWorker(process.execPath, [file]);
  await expect(worker.work()).rejects.toThrow("out of memory");
});
