/** @file All parity suites over a folder of golden numbers, in the layout of golden/README.md. */
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { UsageError } from "../../data/errors.js";
import type { Comparison, ParitySuite } from "./suite.js";
import { descriptorsSuite } from "./suites/descriptors.js";
import { generationMetricsSuite } from "./suites/generation-metrics.js";
import { samplingSuite } from "./suites/sampling.js";
import { sitSuite } from "./suites/sit.js";
import { spatialMetricsSuite } from "./suites/spatial-metrics.js";

const SUITES: readonly ParitySuite[] = [
  descriptorsSuite,
  spatialMetricsSuite,
  sitSuite,
  samplingSuite,
  generationMetricsSuite,
];

/** The outcome for one tensor. */
export interface ParityLine {
  readonly suite: string;
  readonly tensor: string;
  readonly status: "pass" | "fail" | "not built";
  readonly error?: number;
  readonly tolerance?: number;
  readonly detail?: string;
}

/**
 * Replay every suite whose files are in `folder`. A suite that cannot be read is one failing line; golden files that no suite
 * knows are lines of their own, "not built".
 *
 * @param onLine told each line as soon as it is known.
 * @throws {UsageError} no folder, or nothing in it to replay.
 */
export async function runParity(folder: string, onLine: (line: ParityLine) => void = () => {}): Promise<ParityLine[]> {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) throw new UsageError(`${folder} is not a folder`);
  const lines: ParityLine[] = [];
  const add = (line: ParityLine) => {
    lines.push(line);
    onLine(line);
  };
  const known = new Set<string>();
  for (const suite of SUITES) {
    for (const file of suite.files) known.add(path.parse(file).name);
    if (!existsSync(path.join(folder, suite.files[0]!))) continue;
    try {
      for (const comparison of await suite.run(folder)) add(lineOf(suite.name, comparison));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      add({ suite: suite.name, tensor: "(all)", status: "fail", detail: error.message });
    }
  }
  for (const name of new Set(readdirSync(folder).map((file) => path.parse(file).name))) {
    if (!known.has(name) && existsSync(path.join(folder, `${name}.safetensors`))) {
      add({ suite: name, tensor: "(all)", status: "not built", detail: "descry has no suite for this file yet" });
    }
  }
  if (lines.length === 0) {
    const files = SUITES.map(({ files }) => files[0]!).join(", ");
    throw new UsageError(`${folder} has nothing to replay`, { hint: `wanted one of: ${files}` });
  }
  return lines;
}

function lineOf(suite: string, { key, error, tolerance, detail, notBuilt = false }: Comparison): ParityLine {
  const more = detail === undefined ? {} : { detail };
  if (notBuilt) return { suite, tensor: key, status: "not built", ...more };
  return { suite, tensor: key, status: error <= tolerance ? "pass" : "fail", error, tolerance, ...more };
}
