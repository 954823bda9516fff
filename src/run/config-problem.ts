/**
 * @file Says in one line what is wrong with an experiment file: where (file, line, path), what was wanted, what was found and,
 * for a misspelt word, the nearest known one.
 */
import type { z } from "zod";
import { ConfigError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";
import { knownKeys } from "./schema.js";

/** Where the values came from, so that a message can point at them. */
export interface ConfigOrigin {
  /** As the user typed it. */
  readonly file: string;
  /** The place that set a path: `FILE:LINE`, or `--set train.steps`; the bare file where nothing did. */
  locate(path: readonly PropertyKey[]): string;
}

/** `["arms", 2, "kernel"]` → `arms[2].kernel`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const key of path) {
    text += typeof key === "number" ? `[${key}]` : `${text === "" ? "" : "."}${String(key)}`;
  }
  return text;
}

/** A {@link ConfigError} at a path of the file. */
export function configError(
  origin: ConfigOrigin,
  path: readonly PropertyKey[],
  message: string,
  hint?: string,
): ConfigError {
  const where = path.length === 0 ? origin.locate(path) : `${origin.locate(path)}: ${formatPath(path)}`;
  return new ConfigError(`${where}: ${message}`, hint === undefined ? {} : { hint });
}

/**
 * The first thing that zod found, as one line. Unknown keys come first, because a key that is missing is often one that was
 * misspelt.
 *
 * @param input what was parsed, to show the value that was found.
 */
export function schemaError(origin: ConfigOrigin, issues: readonly z.core.$ZodIssue[], input: unknown): ConfigError {
  const issue = issues.find((one) => one.code === "unrecognized_keys") ?? issues[0];
  if (issue === undefined) throw new Error("schemaError without an issue");
  const others = issues.length - 1;
  const more = others === 0 ? "" : ` (and ${others} more ${others === 1 ? "problem" : "problems"})`;
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0]!;
    const known = knownKeys(issue.path);
    const near = nearestName(key, known);
    const hint = `${near === undefined ? "" : `did you mean "${near}"? `}known keys: ${known.join(", ")}`;
    return configError(origin, [...issue.path, key], `unknown key${more}`, hint);
  }
  const value = valueAt(input, issue.path);
  if (value === undefined && issue.code === "invalid_type") {
    return configError(origin, issue.path, `is missing: wanted ${wanted(issue)}${more}`);
  }
  let hint: string | undefined;
  if (issue.code === "invalid_value" && typeof value === "string") {
    const near = nearestName(value, issue.values.map(String));
    if (near !== undefined) hint = `did you mean "${near}"?`;
  }
  return configError(origin, issue.path, `wanted ${wanted(issue)}, got ${show(value)}${more}`, hint);
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a section (keys and values)",
};

const FORMAT_WORDS: Readonly<Record<string, string>> = {
  "safe-name": "a name of at most 64 letters, digits, '.', '_' or '-', starting with a letter or digit",
  "model-size": "custom or a published size such as S/2, B/4 or XL/2",
};

const UNION_WORDS: Readonly<Record<string, string>> = {
  "number-or-data": "a number above 0, a list of them (one a channel) or data",
  "number-or-list": "a number or a list of numbers (one a channel)",
};

function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPE_WORDS[issue.expected] ?? `a value of type ${issue.expected}`;
    case "too_small":
      return bound(issue.origin, issue.inclusive ? "at least" : "more than", Number(issue.minimum));
    case "too_big":
      return bound(issue.origin, issue.inclusive ? "at most" : "less than", Number(issue.maximum));
    case "invalid_value":
      return issue.values.length === 1
        ? JSON.stringify(issue.values[0])
        : `one of ${issue.values.map(String).join(", ")}`;
    case "invalid_union":
      return UNION_WORDS[issue.message] ?? issue.message;
    case "invalid_format":
      return FORMAT_WORDS[issue.message] ?? issue.message;
    default:
      return issue.message;
  }
}

function bound(origin: string, relation: string, limit: number): string {
  if (origin === "string") return `a text of ${relation} ${limit} character${limit === 1 ? "" : "s"}`;
  if (origin === "array") return `a list of ${relation} ${limit} entr${limit === 1 ? "y" : "ies"}`;
  return `${origin === "int" ? "a whole number" : "a number"} of ${relation} ${limit}`;
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}
