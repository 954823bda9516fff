import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { readSafetensors } from "../../data/safetensors.js";
import { replaySitCase, type SitCaseConfig } from "../../src/parity/suites/sit.js";

const GOLDEN = new URL("../../../shared/golden/", import.meta.url);
const present = existsSync(new URL("sit.safetensors", GOLDEN));

// The reference's own numbers, see golden/README.md: forward pass, first gradient, 20 steps of training, EMA.
test.skipIf(!present)("trains as the reference does (golden sit, every case)", async () => {
  const configs = JSON.parse(await readFile(new URL("sit.json", GOLDEN), "utf8")) as Record<string, SitCaseConfig>;
  const { tensors } = await readSafetensors(new URL("sit.safetensors", GOLDEN).pathname);
  expect(Object.keys(configs).length).toBeGreaterThan(0);
  for (const [name, config] of Object.entries(configs)) {
    const results = await replaySitCase(name, config, tensors);
    const bad = results.filter(({ error, tolerance }) => !(error <= tolerance));
    expect(bad, name).toEqual([]);
    // Everything of the case was compared: all outputs, and each parameter three times (gradient, final, EMA).
    const wanted = Object.keys(tensors).filter(
      (key) =>
        key.startsWith(`${name}/`) &&
        /\/(grad0|final|ema)\/|\/fwd\/(v|zs)$|\/train\/(loss|denoising_loss|proj_loss|grad_norm)$/.test(key),
    );
    expect(results.map(({ key }) => key).sort()).toEqual(wanted.sort());
  }
});
