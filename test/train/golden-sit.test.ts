import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../data/safetensors.js";
import { replaySitCase, sitSuite } from "../../src/parity/suites/sit.js";

const GOLDEN = new URL("../../../shared/golden/", import.meta.url);
const present = existsSync(new URL("sit.safetensors", GOLDEN));

// The reference's own numbers, see golden/README.md: forward pass, first gradient, 20 steps of training, EMA.
test.skipIf(!present)("trains as the reference does (golden sit, every case)", async () => {
  const { tensors } = await readSafetensors(new URL("sit.safetensors", GOLDEN).pathname);
  const results = await sitSuite.run(GOLDEN.pathname);
  expect(results.filter(({ error, tolerance }) => !(error <= tolerance))).toEqual([]);
  // Everything was compared: all outputs, and each parameter three times (gradient, final, EMA).
  const isResult = /\/(grad0|final|ema)\/|\/fwd\/(v|zs)$|\/train\/(loss|denoising_loss|proj_loss|grad_norm)$/;
  const wanted = Object.keys(tensors).filter((key) => isResult.test(key));
  expect(wanted.length).toBeGreaterThan(0);
  expect(results.map(({ key }) => key).sort()).toEqual(wanted.sort());
});

// A suite that cannot fail proves nothing.
test.skipIf(!present)("finds a wrong reference", async () => {
  const configs = JSON.parse(await readFile(new URL("sit.json", GOLDEN), "utf8"));
  const { tensors } = await readSafetensors(new URL("sit.safetensors", GOLDEN).pathname);
  const [name, settings] = Object.entries(configs)[0] as [string, Parameters<typeof replaySitCase>[1]];
  const key = `${name}/grad0/blocks.0.attn.qkv.weight`;
  const { dtype, shape, data } = tensors[key]!;
  const wrong = Float32Array.from(data as Float32Array, (x, i) => (i === 5 ? x + 0.01 : x));
  const results = await replaySitCase(name, settings, { ...tensors, [key]: { dtype, shape, data: wrong } });
  expect(results.filter(({ error, tolerance }) => error > tolerance).map((line) => line.key)).toEqual([key]);
});

test.skipIf(!present)("a case that is not built, or not described, does not pass in silence", async () => {
  const folder = await mkdtemp(join(tmpdir(), "descry-golden-"));
  try {
    const { tensors } = await readSafetensors(new URL("sit.safetensors", GOLDEN).pathname);
    const [name, settings] = Object.entries(JSON.parse(await readFile(new URL("sit.json", GOLDEN), "utf8")))[0]!;
    await writeFile(join(folder, "sit.json"), JSON.stringify({ [name]: { ...(settings as object), qk_norm: true } }));
    const few = ["train/x", "fwd/v"].map((key) => [`${name}/${key}`, tensors[`${name}/${key}`]!]);
    const all = { ...Object.fromEntries(few), "other/fwd/v": tensors[`${name}/fwd/v`]! };
    await writeSafetensors(join(folder, "sit.safetensors"), all);
    expect(await sitSuite.run(folder)).toMatchObject([
      { key: `${name}/(all)`, notBuilt: true, detail: expect.stringContaining("no qk_norm") },
      { key: "other/fwd/v", error: Number.NaN, detail: expect.stringContaining("no such case") },
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
