import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startLineWorker } from "../../src/bench/line-worker.js";
import { measureEngine } from "../../src/bench/measure-engine.js";
import { BENCH_CASES, type BenchCase } from "../../src/bench/model-cases.js";
import { PYTHON } from "../python.js";

const TINY: BenchCase = { ...BENCH_CASES[0]!, size: 8, width: 32, depth: 2, heads: 2, classes: 10, alignDepth: 1 };

test("cases are real models: depths of alignment that they have, patches that divide", () => {
  for (const one of BENCH_CASES) {
    expect(one.size % one.patch).toBe(0);
    expect(one.width % one.heads).toBe(0);
    expect(one.alignDepth).toBeLessThanOrEqual(one.depth);
  }
  expect(new Set(BENCH_CASES.map(({ name }) => name)).size).toBe(BENCH_CASES.length);
});

test("compiling a published size is measured on the graph that is trained", async () => {
  const { nodes, seconds } = await measureEngine("S/8", 1);
  expect(nodes).toBeGreaterThan(1000);
  expect(seconds.count).toBe(1);
  expect(seconds.median).toBeGreaterThan(0);
});

test.each(["float32", "mixed"] as const)(
  "both sides do a step of %s; the peer where a Python has torch",
  async (precision) => {
    const file = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
    const options = JSON.stringify({ ...TINY, projectorWidth: 32, precision, threads: 1, device: "cpu" });
    const own = await startLineWorker(process.execPath, [file("dist/src/bench/model-process.js"), options]);
    expect(await own.work()).toBeGreaterThan(0);
    await own.end();
    const peer = await startLineWorker(PYTHON, [file("bench/peers/sit_repa_step.py"), options]).catch(
      (error: Error) => error,
    );
    if (peer instanceof Error) {
      expect(peer.message).toMatch(/torch|ENOENT/); // no such Python: the benchmark says so
      return;
    }
    expect(await peer.work()).toBeGreaterThan(0);
    await peer.end();
  },
);
