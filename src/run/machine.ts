/**
 * @file Facts about where a run happened: machine and versions, recorded in every run folder and printed by `descry doctor`.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The machine, as far as numbers depend on it. */
export interface MachineFacts {
  readonly cpu: string;
  /** Processor cores that this process may use. */
  readonly cores: number;
  /** Bytes of main memory. */
  readonly memoryBytes: number;
  /** Operating system, release and processor family. */
  readonly os: string;
}

/** Version of descry, of Node and of each library that numbers depend on. */
export type Versions = Readonly<Record<"descry" | "node" | "tfjs" | "onnxruntime" | "sharp", string>>;

/** Read the machine's facts from the operating system. */
export function machineFacts(): MachineFacts {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    os: `${os.type()} ${os.release()} ${os.arch()}`,
  };
}

/** Read the versions from the installed packages. */
export function readVersions(): Versions {
  return {
    descry: packageVersion("descry"),
    node: process.versions.node,
    tfjs: packageVersion("@tensorflow/tfjs"),
    onnxruntime: packageVersion("onnxruntime-node"),
    sharp: packageVersion("sharp"),
  };
}

/** Version in the package.json of `name`, `descry` being this project; found by walking up from the module's file. */
export function packageVersion(name: string): string {
  const start = name === "descry" ? fileURLToPath(import.meta.url) : createRequire(import.meta.url).resolve(name);
  for (let folder = path.dirname(start); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const found = readPackage(path.join(folder, "package.json"));
    if (found?.name === name && found.version !== undefined) return found.version;
  }
  throw new Error(`no package.json of ${name} above ${start}`);
}

function readPackage(file: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string };
  } catch {
    return undefined; // no package.json here: look one folder higher
  }
}
