/**
 * @file Values given beside the experiment file (`--data`, `--set train.steps=100`): parsed, and laid over the file's values
 * before the schema looks at them, so that they are checked like the file.
 */
import { parse } from "yaml";
import { UsageError } from "../../data/errors.js";

/** One value laid over the file. */
export interface Override {
  /** Keys from the root; a whole number or the arm's name stands for an element of `arms`. */
  readonly path: readonly string[];
  readonly value: unknown;
  /** How the user gave it, for messages: `--set train.steps`. */
  readonly origin: string;
}

/**
 * Parse `PATH=VALUE`, the value as YAML reads it (`0.5`, `true`, `null`, `[0.9, 0.95]`, `heun`).
 *
 * @throws {UsageError} there is no `=`, the path is empty, or the value is no YAML.
 */
export function parseOverride(text: string): Override {
  const equals = text.indexOf("=");
  const path = text.slice(0, Math.max(equals, 0)).split(".");
  // Every known key and every arm's name starts with a letter or digit; __proto__ does not.
  if (equals < 1 || path.some((key) => !/^[A-Za-z0-9]/.test(key))) {
    throw new UsageError(`--set ${text}: wanted PATH=VALUE`, { hint: "for example --set train.steps=100" });
  }
  try {
    return { path, value: parse(text.slice(equals + 1)), origin: `--set ${path.join(".")}` };
  } catch (cause) {
    throw new UsageError(`--set ${text}: the value is no YAML`, { cause });
  }
}

/**
 * Lay overrides over a parsed file; the later of two wins.
 *
 * @param root parsed YAML; not changed.
 * @returns a copy with the values set, sections made where the file has none, and for each override the path that it set.
 * @throws {UsageError} a path goes through something that is no section, or names an arm that is not there.
 */
export function applyOverrides(
  root: Readonly<Record<string, unknown>>,
  overrides: readonly Override[],
): { root: Record<string, unknown>; paths: (string | number)[][] } {
  const copy = structuredClone(root) as Record<string, unknown>;
  const paths = overrides.map((override) => setPath(copy, override));
  return { root: copy, paths };
}

function setPath(root: Record<string, unknown>, { path, value, origin }: Override): (string | number)[] {
  const taken: (string | number)[] = [];
  let node: Record<string | number, unknown> = root;
  for (const [i, key] of path.entries()) {
    const step = Array.isArray(node) ? indexOfArm(node, key, origin) : key;
    taken.push(step);
    if (i === path.length - 1) {
      node[step] = value;
      break;
    }
    node[step] ??= {};
    const next = node[step];
    if (typeof next !== "object" || next === null) {
      throw new UsageError(`${origin}: ${path.slice(0, i + 1).join(".")} is a value, not a section`);
    }
    node = next as Record<string | number, unknown>;
  }
  return taken;
}

function indexOfArm(list: readonly unknown[], key: string, origin: string): number {
  const names = list.map((item) => String((item as { name?: unknown } | null)?.name));
  const index = /^\d+$/.test(key) ? Number(key) : names.indexOf(key);
  if (index < 0 || index >= list.length) {
    throw new UsageError(`${origin}: no entry "${key}"`, {
      hint: `known: ${names.join(", ")}, or 0…${list.length - 1}`,
    });
  }
  return index;
}
