import { expect, test } from "vitest";
import { measureEngine } from "../../src/bench/measure-engine.js";
import { BENCH_CASES } from "../../src/bench/model-cases.js";

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
