import { expect, test } from "vitest";
import { TargetMeter } from "../../src/analyze/measure-targets.js";
import { temporaryFolder } from "../report/fixture.js";
import { arm, IMAGES, writeCachedRun } from "./fixture.js";

test("a target is measured once as it is, and once after each normalization", async () => {
  const run = await writeCachedRun({ arms: [arm("sift-irepa", "sift")], evaluated: {} });
  const seen: unknown[] = [];
  const onImages = (...told: unknown[]) => seen.push(told);
  const meter = new TargetMeter({ count: 500, seed: 0, cwd: temporaryFolder(), onImages });
  const [plain, weak, strong, again] = [
    await meter.measure(run, "sift", null),
    await meter.measure(run, "sift", 0.4),
    await meter.measure(run, "sift", 0.8),
    await meter.measure(run, "sift", 0.4),
  ];
  expect(seen).toEqual([null, 0.4, 0.8].map((alpha) => [IMAGES, IMAGES, "sift", alpha]));
  expect(plain).toMatchObject({ images: IMAGES, normalized: null });
  expect([weak.plain, strong.plain]).toEqual([plain.plain, plain.plain]);
  expect(again).toEqual(weak);
  expect(strong.normalized!.lds).not.toBe(weak.normalized!.lds);
});
