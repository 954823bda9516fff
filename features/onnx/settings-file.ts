import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { fileError } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";
import { checkKey } from "./onnx-name.js";

/**
 * The settings in a YAML file beside a model, as texts by key, as they would stand in its name; none where there is no such file.
 *
 * @param keys   that there are. @param joints what joins the elements of a list, by key. @default ","
 * @param what   whose they are, for messages.
 * @throws {DataError} a file that cannot be read or is no such file. @throws {UsageError} an unknown key, with the nearest one.
 */
export function readSettingsFile(
  file: string,
  keys: readonly string[],
  what: string,
  joints: Readonly<Record<string, string>> = {},
): Map<string, string> {
  let content: unknown;
  try {
    content = parse(readFileSync(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    const readable = fileError(error, "cannot read", file);
    if (readable !== error) throw readable;
    throw new DataError(`${file}: is not YAML: ${String((error as Error).message).split("\n")[0]}`, { cause: error });
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new DataError(`${file}: wanted settings, such as mean: 0.5 in one line and std: 0.5 in the next`);
  }
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(content)) {
    checkKey(key, keys, `${what}: ${file}`);
    const parts: unknown[] = Array.isArray(value) ? value : [value];
    if (parts.length === 0 || !parts.every((part) => typeof part === "number" || typeof part === "string")) {
      throw new DataError(`${file}: ${key} wants a number, a name or a list of numbers, got ${JSON.stringify(value)}`);
    }
    values.set(key, parts.join(joints[key] ?? ","));
  }
  return values;
}
