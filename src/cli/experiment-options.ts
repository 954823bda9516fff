/** @file Options that several commands share, and how they become a resolved experiment or an opened run. */

import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Options } from "yargs";
import { UsageError } from "../../data/errors.js";
import { SOURCE_FORMS } from "../../data/source-forms.js";
import { DEVICES, type Device } from "../compile/step.js";
import { type Override, parseOverride } from "../run/overrides.js";
import type { ResolvedExperiment } from "../run/resolve-experiment.js";
import type { Run } from "../run/run-folder.js";
import { type Arguments, flag, listOption, textOption } from "./command.js";
import type { CliContext } from "./context.js";

export const OUTPUT_OPTIONS = {
  json: { type: "boolean", describe: "print the result as one JSON document on stdout" },
  quiet: { type: "boolean", describe: "no progress on stderr" },
} satisfies Record<string, Options>;

export const DEVICE_OPTION = {
  type: "string",
  requiresArg: true,
  choices: DEVICES,
  describe: "that computes features (default cpu); encoders run on cpu, webgpu and cuda",
} satisfies Options;

/** `--device` of commands that compute features. @default "cpu" */
export const deviceOption = (args: Arguments): Device => (textOption(args, "device") ?? "cpu") as Device;

export const EXPERIMENT_OPTIONS = {
  data: { type: "string", requiresArg: true, describe: `images: ${SOURCE_FORMS.join(", ")}` },
  "skip-bad": { type: "boolean", describe: "leave out undecodable images (counted) instead of stopping" },
  device: {
    type: "string",
    requiresArg: true,
    describe: "train and sample on cpu, webgpu, cuda, tfjs-cpu or tfjs-gpu",
  },
  reference: {
    type: "string",
    requiresArg: true,
    describe: "npz file of the ADM suite to compare samples with, instead of the data set's images",
  },
  tensorboard: { type: "boolean", describe: "also write TensorBoard's event files while training" },
  set: { type: "string", requiresArg: true, describe: "override a value, e.g. train.steps=100 (repeatable)" },
} satisfies Record<string, Options>;

export const RUN_OPTIONS = {
  ...EXPERIMENT_OPTIONS,
  runs: { type: "string", requiresArg: true, describe: "folder of all runs (default: runs)" },
} satisfies Record<string, Options>;

/** Enough for a few machines; each opens the data set anew. */
export const DEFAULT_PARTS = 8;

export const QUEUE_OPTIONS = {
  queue: {
    type: "string",
    requiresArg: true,
    describe: "have workers do it: redis://[:PASSWORD@]HOST[:PORT][/DB][?prefix=NAME] (descry worker --help)",
  },
  parts: {
    type: "string",
    requiresArg: true,
    describe: `with --queue: jobs that the features are divided into (default ${DEFAULT_PARTS})`,
  },
} satisfies Record<string, Options>;

export const ARM_OPTION = {
  arm: { type: "string", requiresArg: true, describe: "only this arm (repeatable)" },
} satisfies Record<string, Options>;

/** `--data`, `--skip-bad`, `--device`, `--reference`, `--tensorboard` and `--set`, in the order in which they are laid over the file. */
export function readOverrides(args: Arguments): Override[] {
  const overrides: Override[] = [];
  const data = textOption(args, "data");
  if (data !== undefined) overrides.push({ path: ["data", "source"], value: data, origin: "--data" });
  if (flag(args, "skip-bad")) overrides.push({ path: ["data", "skipBad"], value: true, origin: "--skip-bad" });
  const device = textOption(args, "device");
  if (device !== undefined) overrides.push({ path: ["train", "device"], value: device, origin: "--device" });
  const reference = textOption(args, "reference");
  if (reference !== undefined) {
    overrides.push({ path: ["evaluate", "reference"], value: reference, origin: "--reference" });
  }
  if (flag(args, "tensorboard")) {
    overrides.push({ path: ["train", "tensorboard"], value: true, origin: "--tensorboard" });
  }
  return [...overrides, ...listOption(args, "set").map(parseOverride)];
}

/**
 * Read and resolve an experiment file.
 *
 * @param more overrides beside those of the command line, laid over them.
 * @throws {UsageError} the file cannot be read.
 * @throws {ConfigError} it does not describe an experiment.
 */
export async function readExperiment(
  file: string,
  args: Arguments,
  { cwd }: CliContext,
  more: readonly Override[] = [],
): Promise<ResolvedExperiment> {
  const { resolveExperiment } = await import("../run/resolve-experiment.js");
  let text: string;
  try {
    text = await readFile(path.resolve(cwd, file), "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`;
    throw new UsageError(`${file}: ${why}`, {
      hint: "wanted an experiment file, such as experiments/photos-classical.yaml",
      cause,
    });
  }
  return resolveExperiment(text, file, [...readOverrides(args), ...more]);
}

/**
 * Open the run that a command works on: a run folder, or an experiment file whose run is made when it is not there.
 *
 * @throws {UsageError} neither; or overrides are given with a run folder, whose values are settled.
 */
export async function openTarget(name: string, args: Arguments, context: CliContext): Promise<Run> {
  const { createRun, openRun } = await import("../run/run-folder.js");
  const full = path.resolve(context.cwd, name);
  if (existsSync(full) && statSync(full).isDirectory()) {
    if (readOverrides(args).length > 0) {
      throw new UsageError(`${name}: the values of a run are settled`, {
        hint: "give --data, --device, --reference and --set with the experiment file; other values are another run",
      });
    }
    return openRun(full, context.cwd);
  }
  const resolved = await readExperiment(name, args, context);
  return createRun(resolved, runsFolder(args, context), context.cwd);
}

/** `--runs`, or `runs` in the working folder; absolute. */
export function runsFolder(args: Arguments, { cwd }: CliContext): string {
  return path.resolve(cwd, textOption(args, "runs") ?? "runs");
}

/** A path for people: relative to the working folder where that is shorter. */
export function showPath(file: string, { cwd }: CliContext): string {
  const relative = path.relative(cwd, file);
  return relative !== "" && relative.length < file.length ? relative : file;
}

/** Print a result: one JSON document, or the text for people. */
export function printResult(args: Arguments, { stdout }: CliContext, result: unknown, text: string): void {
  stdout.write(flag(args, "json") ? `${JSON.stringify(result, null, 2)}\n` : text === "" ? "" : `${text}\n`);
}

/** Print what was found, and where its files are. */
export function printWritten(
  args: Arguments,
  context: CliContext,
  result: object,
  text: string,
  files: readonly string[],
): void {
  const shown = files.map((file) => showPath(file, context)).join(" ");
  printResult(args, context, { ...result, files }, `${text}\n\nwritten: ${shown}`);
}
