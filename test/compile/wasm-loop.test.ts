import { expect, test } from "vitest";
import { compileLoop, type LaneOp } from "../../src/compile/wasm-loop.js";

const memoryOf = (...arrays: number[][]) => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  for (const [i, values] of arrays.entries()) new Float32Array(memory.buffer, i * 64, values.length).set(values);
  return { memory, at: (i: number, n = 8) => [...new Float32Array(memory.buffer, i * 64, n)] };
};

const a = [1, -2, 3.5, 0, 1e30, -1e-3, 7, 9];
const b = [2, 2, -0.5, 4, 1e30, 1e-3, 0.1, -3];

test.each<[LaneOp, (x: number, y: number) => number]>([
  ["add", (x, y) => x + y],
  ["sub", (x, y) => x - y],
  ["mul", (x, y) => x * y],
  ["div", (x, y) => x / y],
  ["max", Math.max],
  ["min", Math.min],
])("%s", async (op, expected) => {
  const { memory, at } = memoryOf(a, b);
  const loop = await compileLoop({ loads: 2, scalars: 0, steps: [{ op, operands: [0, 1] }], stores: [2] }, memory);
  loop([0, 64], [128], [], 8);
  const want = Float32Array.from(a, (x, i) => Math.fround(expected(Math.fround(x), Math.fround(b[i]!))));
  expect(at(2)).toEqual([...want]);
});

test.each<[LaneOp, (x: number) => number]>([
  ["sqrt", Math.sqrt],
  ["neg", (x) => 0 - x],
  ["abs", Math.abs],
])("%s", async (op, expected) => {
  const { memory, at } = memoryOf(a.map(op === "sqrt" ? Math.abs : (x) => x));
  const before = at(0);
  const loop = await compileLoop({ loads: 1, scalars: 0, steps: [{ op, operands: [0] }], stores: [1] }, memory);
  loop([0], [64], [], 8);
  expect(at(1)).toEqual(before.map((x) => Math.fround(expected(x))));
});

test("several results, scalars, in place, and no element beyond the count", async () => {
  const { memory, at } = memoryOf([1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]);
  // x ← s·x + y; y ← x (the old one)
  const loop = await compileLoop(
    {
      loads: 2,
      scalars: 1,
      steps: [
        { op: "mul", operands: [2, 0] },
        { op: "add", operands: [3, 1] },
      ],
      stores: [4, 0],
    },
    memory,
  );
  loop([0, 64], [0, 64], [10], 4);
  expect(at(0)).toEqual([18, 27, 36, 45, 5, 6, 7, 8]);
  expect(at(1)).toEqual([1, 2, 3, 4, 4, 3, 2, 1]);
});

test("denormal results are zero, infinities and NaN stay", async () => {
  const values = [1e-40, -1e-40, 2 ** -126, -(2 ** -126), Number.POSITIVE_INFINITY, Number.NaN, 0, 1];
  const { memory, at } = memoryOf(values);
  const loop = await compileLoop({ loads: 1, scalars: 0, steps: [], stores: [0] }, memory);
  loop([0], [64], [], 8);
  expect(at(1).map((x) => x + 0)).toEqual([0, 0, 2 ** -126, -(2 ** -126), Number.POSITIVE_INFINITY, Number.NaN, 0, 1]);
});
