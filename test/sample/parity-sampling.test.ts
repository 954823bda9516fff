import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors, type SafeTensor, writeSafetensors } from "../../data/safetensors.js";
import { samplingSuite } from "../../src/parity/suites/sampling.js";
import { hasGolden, readGoldenJson } from "../models/golden.js";

const GOLDEN = fileURLToPath(new URL("../../../shared/golden/", import.meta.url));

// Skipped without the golden numbers, which are kept beside the project.
describe.skipIf(!hasGolden("sampling"))("the sampling parity suite", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "descry-parity-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("every result of the reference is within tolerance", async () => {
    const lines = await samplingSuite.run(GOLDEN);
    expect(lines.map(({ key }) => key).sort()).toEqual(
      ["heun_cfg1.0", "heun_cfg2.5", "ode_cfg1.0", "ode_cfg2.5", "sde_cfg1.0", "sde_cfg2.5"].map(
        (k) => `sampling/${k}`,
      ),
    );
    for (const { key, error, tolerance } of lines) {
      expect(tolerance).toBe(1e-4);
      expect(error, key).toBeLessThan(tolerance);
      expect(error, key).toBeGreaterThan(0);
    }
  });

  test("takes other case names, and sees a wrong number", async () => {
    const { tensors } = await readSafetensors(`${GOLDEN}sampling.safetensors`);
    const renamed: Record<string, SafeTensor> = {};
    for (const [key, tensor] of Object.entries(tensors)) {
      if (!/_cfg2\.5|sde|heun/.test(key)) renamed[key.replace("sampling/", "other/")] = tensor;
    }
    const wrong = (renamed["other/ode_cfg1.0"]!.data as Float32Array).slice();
    wrong[7]! += 0.01;
    renamed["other/ode_cfg1.0"] = { ...renamed["other/ode_cfg1.0"]!, data: wrong };
    await writeSafetensors(path.join(folder, "sampling.safetensors"), renamed);
    const settings = readGoldenJson("sampling")["sampling"];
    await writeFile(path.join(folder, "sampling.json"), JSON.stringify({ other: settings }));
    const lines = await samplingSuite.run(folder);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ key: "other/ode_cfg1.0" });
    expect(lines[0]!.error).toBeGreaterThan(1e-3);

    await writeFile(path.join(folder, "sampling.json"), JSON.stringify({ absent: settings }));
    await expect(samplingSuite.run(folder)).rejects.toThrow('the case "absent" has no results');
    await writeFile(path.join(folder, "sampling.json"), "{");
    await expect(samplingSuite.run(folder)).rejects.toMatchObject({ tag: "DataError" });
  });
});
