import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("50 sessions compiled, run and disposed of, and 2,000 steps of one, leave the resident size within 5 %", async () => {
  const script = fileURLToPath(new URL("resident-churn.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", script]);
  const sizes = stdout.trim().split("\n").map(Number);
  expect(sizes).toHaveLength(4);
  const [sessionsEarly, sessionsLate, stepsEarly, stepsLate] = sizes as [number, number, number, number];
  expect(sessionsEarly).toBeGreaterThan(1e7);
  expect(sessionsLate / sessionsEarly).toBeLessThan(1.05);
  expect(stepsLate / stepsEarly).toBeLessThan(1.05);
});
