/**
 * @file From the text of an experiment file to an {@link Experiment}: parse, override, check, fill in, hash.
 */
import { createHash } from "node:crypto";
import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import { completeExperiment } from "./check-experiment.js";
import { type ConfigOrigin, configError, formatPath, schemaError } from "./config-problem.js";
import { applyOverrides, type Override } from "./overrides.js";
import { type Experiment, experimentSchema, LATER_KEYS, RESULT_NEUTRAL_KEYS } from "./schema.js";

/** A resolved experiment, its identity, and where its values came from. */
export interface ResolvedExperiment {
  readonly experiment: Experiment;
  /** First 8 hex digits of the SHA-256 of everything that changes results. */
  readonly hash: string;
  /** `path → FILE:LINE or --set …` of every value that was given; a value that is not in it is a default. */
  readonly given: ReadonlyMap<string, string>;
}

/**
 * Resolve an experiment file. Later wins: defaults < file < overrides.
 *
 * @param text      YAML.
 * @param file      its name as the user typed it, for messages.
 * @param overrides values laid over the file, in order.
 * @throws {ConfigError} not YAML, unknown key, wrong type or range, or keys that do not fit each other: one line with the
 *   file, the line, the path, what was wanted and what was found.
 * @throws {UsageError} an override with an impossible path.
 */
export function resolveExperiment(text: string, file: string, overrides: readonly Override[] = []): ResolvedExperiment {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const problem = document.errors[0];
  if (problem !== undefined) {
    const line = problem.linePos?.[0].line;
    const place = line === undefined ? file : `${file}:${line}`;
    const said = problem.message.split("\n")[0]!.replace(/:$/, "");
    throw configError({ file, locate: () => place }, [], `not valid YAML: ${said}`);
  }
  const parsed: unknown = document.toJS();
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw configError(
      { file, locate: () => file },
      [],
      "wanted a section with name, data, model, train and arms",
      "see experiments/photos-classical.yaml",
    );
  }
  const { root, paths } = applyOverrides(parsed as Record<string, unknown>, overrides);
  const overridden = new Map(overrides.map((override, i) => [formatPath(paths[i]!), override.origin]));
  const origin: ConfigOrigin = {
    file,
    locate: (path) => {
      const text = formatPath(path);
      // A section that only an override has made, such as a misspelt one.
      const below = document.hasIn(path) ? undefined : [...overridden.keys()].find((set) => set.startsWith(`${text}.`));
      return overridden.get(below ?? text) ?? lineOf(document, lines, file, path);
    },
  };
  const result = experimentSchema.safeParse(root);
  if (!result.success) throw schemaError(origin, result.error.issues, root);
  const experiment = completeExperiment(result.data, origin);
  const given = new Map<string, string>();
  for (const path of leafPaths(root)) given.set(formatPath(path), origin.locate(path));
  return { experiment, hash: hashExperiment(experiment), given };
}

/** First 8 hex digits of the SHA-256 of the experiment as JSON with sorted keys, without the keys that change no result. */
export function hashExperiment(experiment: Experiment): string {
  const copy = structuredClone(experiment) as unknown as Record<string, unknown>;
  const leaveOut = (path: string, is: (value: unknown) => boolean): void => {
    const [key, section] = path.split(".").reverse() as [string, string?];
    const holder = (section === undefined ? copy : copy[section]) as Record<string, unknown>;
    if (is(holder[key])) delete holder[key];
  };
  for (const path of RESULT_NEUTRAL_KEYS) leaveOut(path, () => true);
  for (const [path, before] of Object.entries(LATER_KEYS)) leaveOut(path, (value) => value === before);
  return createHash("sha256").update(stableJson(copy)).digest("hex").slice(0, 8);
}

function stableJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${stableJson(item)}`).join(",")}}`;
}

function lineOf(document: Document, lines: LineCounter, file: string, path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    const start = isNode(node) ? node.range?.[0] : undefined;
    if (start !== undefined) return `${file}:${lines.linePos(start).line}`;
  }
  return file;
}

function leafPaths(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  if (Array.isArray(value) && value.every((item) => typeof item === "object" && item !== null)) {
    return value.flatMap((item, i) => leafPaths(item, [...path, i]));
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, item]) => leafPaths(item, [...path, key]));
  }
  return [[...path]];
}
