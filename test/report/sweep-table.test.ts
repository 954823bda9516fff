import { expect, test } from "vitest";
import { readRuns } from "../../src/report/read-run.js";
import { groupRuns } from "../../src/report/run-groups.js";
import { formatSweepTable } from "../../src/report/sweep-table.js";
import { EVALUATED, metrics, writeRun } from "./fixture.js";

test("mean and standard deviation over seeds, and the seeds in which an arm beat its control", async () => {
  const { control, "sift-repa": sift } = EVALUATED;
  const folders = [
    await writeRun({ seed: 0, evaluated: { control: control!, "sift-repa": sift! } }),
    await writeRun({
      seed: 1,
      evaluated: { control: metrics(50, 0.04, 0.6, 0.2), "sift-repa": metrics(55, 0.05, 0.5, 0.3) },
    }),
  ];
  const table = formatSweepTable(groupRuns(await readRuns(folders))[0]!);
  // Means and deviations by hand: (57.98765432 + 55)/2 = 56.4938, |57.98765432 − 55|/√2 = 2.1126;
  // gains (61.234567891 − 57.98765432)/61.234567891 = 5.3024 % and (50 − 55)/50 = −10 %: mean −2.3488 %, better in one of two.
  expect(
    table
      .split("\n")
      .slice(0, 4)
      .map((line) => line.replace(/ {2,}/g, " | ")),
  ).toEqual([
    "arm | FD ↓ | KID ↓ | precision ↑ | recall ↑ | gain",
    "control | 55.62 ± 7.9 | 0.0456 ± 0.0079 | 0.609 ± 0.012 | 0.217 ± 0.024 | control",
    "sift-repa | 56.49 ± 2.1 | 0.0488 ± 0.0017 | 0.577 ± 0.11 | 0.257 ± 0.061 | −2.3 % (1 of 2)",
    "sift-irepa | not evaluated",
  ]);
  expect(table).toMatch(/\nmean ± standard deviation over 2 seeds; /);
});

test("one seed has no deviation", async () => {
  const runs = await readRuns([await writeRun({ evaluated: EVALUATED })]);
  const table = formatSweepTable(groupRuns(runs)[0]!);
  expect(table).toMatch(/^sift-irepa +52\.35 +0\.0399 +0\.668 +0\.277 +\+14\.5 % \(1 of 1\)$/m);
  expect(table).not.toContain("±");
});
