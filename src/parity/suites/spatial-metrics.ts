/** @file Parity of LDS, CDS, SRSS and RMSC on the reference's own features; the mask is a disc, see golden/README.md. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { fileError } from "../../../data/atomic.js";
import { DataError } from "../../../data/errors.js";
import { readSafetensors, toFloat32 } from "../../../data/safetensors.js";
import { centreDisc } from "../../../features/centre-disc.js";
import { spatialMetrics } from "../../../features/spatial-metrics.js";
import type { Comparison, ParitySuite } from "../suite.js";

const TOLERANCE = 1e-4;
const Expected = z.record(z.string(), z.record(z.string(), z.number().nullable()));

export const spatialMetricsSuite: ParitySuite = {
  name: "spatial-metrics",
  files: ["spatial-metrics.json", "descriptors.safetensors"],

  async run(folder) {
    const file = path.join(folder, "spatial-metrics.json");
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (cause) {
      throw fileError(cause, "read", file);
    }
    let expected: z.infer<typeof Expected>;
    try {
      expected = Expected.parse(JSON.parse(text));
    } catch (cause) {
      throw new DataError(`${file} is not IMAGE/FEATURE → {lds, cds, srss, rmsc}`, { cause });
    }
    const { tensors } = await readSafetensors(path.join(folder, "descriptors.safetensors"));
    const comparisons: Comparison[] = [];
    for (const [key, metrics] of Object.entries(expected)) {
      const features = tensors[key];
      if (features === undefined) throw new DataError(`${file}: ${key} is not in descriptors.safetensors`);
      const side = Math.sqrt(features.shape[0]!);
      if (!Number.isInteger(side)) throw new DataError(`${file}: ${features.shape[0]} tokens of ${key} are no square`);
      const grid = [side, side] as const;
      const got = spatialMetrics(toFloat32(features), grid, centreDisc(grid));
      for (const [name, want] of Object.entries(metrics)) {
        const value = (got as unknown as Record<string, number | undefined>)[name];
        if (value === undefined) throw new DataError(`${file}: ${key} has an unknown metric "${name}"`);
        const error = want === null ? (Number.isNaN(value) ? 0 : Number.POSITIVE_INFINITY) : Math.abs(value - want);
        comparisons.push({
          key: `${key}/${name}`,
          error: error / Math.max(Math.abs(want ?? 0), 1),
          tolerance: TOLERANCE,
        });
      }
    }
    return comparisons;
  },
};
