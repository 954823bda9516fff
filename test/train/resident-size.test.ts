import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("a run does not grow: resident size after 50 and after 500 steps within 5 %", async () => {
  const folder = await mkdtemp(join(tmpdir(), "descry-resident-"));
  try {
    const script = fileURLToPath(new URL("resident-run.mjs", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", script, join(folder, "arm")]);
    const [early, late] = stdout.trim().split("\n").map(Number) as [number, number];
    expect(early).toBeGreaterThan(1e7);
    expect(late / early).toBeLessThan(1.05);
  } finally {
    await rm(folder, { recursive: true });
  }
});
