import { expect, test } from "vitest";
import { spreadOf } from "../../src/bench/statistics.js";

test("median and quartiles between order statistics, whatever the order", () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, quartiles: [1.75, 3.25], count: 4 });
  expect(spreadOf([9, 1, 5])).toEqual({ median: 5, quartiles: [3, 7], count: 3 });
  expect(spreadOf([7])).toEqual({ median: 7, quartiles: [7, 7], count: 1 });
});

test("nothing measured is an error", () => {
  expect(() => spreadOf([])).toThrow(RangeError);
});
