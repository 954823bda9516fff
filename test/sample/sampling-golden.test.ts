import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSitNetwork, type SitNetwork } from "../../src/sample/network.js";
import { sampleSit } from "../../src/sample/sit-sampler.js";
import {
  type GoldenSitCase,
  type GoldenTensor,
  goldenConfig,
  hasGolden,
  readGolden,
  readGoldenJson,
  relativeError,
} from "../models/golden.js";

// Skipped without the golden numbers, which are kept beside the project.
describe.skipIf(!hasGolden("sampling"))(
  "samplers against the reference's numbers, through the compiled network",
  () => {
    let golden: Record<string, GoldenTensor>;
    let network: SitNetwork;
    beforeAll(async () => {
      golden = readGolden("sampling", "sampling/");
      const settings = readGoldenJson("sampling")["sampling"] as unknown as GoldenSitCase;
      const parameters = Object.fromEntries(
        Object.entries(golden)
          .filter(([name]) => name.startsWith("param/"))
          .map(([name, value]) => [name.slice(6), value]),
      );
      network = await openSitNetwork(parameters, goldenConfig(settings), { batch: 3, threads: 1 });
    });
    afterAll(() => network.dispose());

    test.each([
      ["ode", "euler", 1],
      ["ode", "euler", 2.5],
      ["heun", "heun", 1],
      ["heun", "heun", 2.5],
      ["sde", "sde", 1],
      ["sde", "sde", 2.5],
    ] as const)("%s (%s), guidance %d", async (name, sampler, guidance) => {
      const key = `${name}_cfg${guidance.toFixed(1)}`;
      const { z, y } = golden as Record<"z" | "y", GoldenTensor>;
      const noise = golden[`${key}_noise`]?.data;
      const got = await sampleSit(network.velocity, z.data, y.data as Int32Array, {
        sampler,
        steps: 10,
        guidance,
        guidanceInterval: guidance > 1 ? [0.1, 0.8] : [0, 1],
        nullLabel: 1000,
        noise: (step) => noise!.subarray(step * z.data.length, (step + 1) * z.data.length),
      });
      expect(relativeError(got, golden[key]!.data)).toBeLessThan(1e-4);
    });
  },
);
