/**
 * @file How a network in an ONNX file is named, as a target and in an evaluation: `onnx:FILE#OUTPUT?key=value&key=value`. Which keys
 * there are is the caller's business.
 */
import { UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";

export const ONNX_PREFIX = "onnx:";

export interface OnnxName {
  readonly file: string;
  /** Empty where the name has none. */
  readonly output: string;
  /** Undefined where the name has no "?". */
  readonly values: ReadonlyMap<string, string> | undefined;
}

/**
 * The last "#" ends the file, so that paths may have some; a "?" before it belongs to the path.
 *
 * @param what what is named so, for messages, such as `target "onnx:m.onnx#y"`.
 * @throws {UsageError} no file; a key that is not known (with the nearest one), twice, or without a value.
 */
export function parseOnnxName(name: string, keys: readonly string[], what: string): OnnxName {
  const rest = name.slice(ONNX_PREFIX.length);
  const mark = rest.indexOf("?", Math.max(0, rest.lastIndexOf("#")));
  const [place, query] = mark < 0 ? [rest, undefined] : [rest.slice(0, mark), rest.slice(mark + 1)];
  const hash = place.lastIndexOf("#");
  const [file, output] = hash < 0 ? [place, ""] : [place.slice(0, hash), place.slice(hash + 1)];
  if (!name.startsWith(ONNX_PREFIX) || file === "") {
    throw new UsageError(`${what}: want ${ONNX_PREFIX}FILE#OUTPUT?mean=…&std=…`, {
      hint: "OUTPUT is the tensor of the model that gives the features",
    });
  }
  return { file, output, values: query === undefined ? undefined : parseQuery(query, keys, what) };
}

function parseQuery(query: string, keys: readonly string[], what: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const pair of query.split("&").filter((part) => part !== "")) {
    const equals = pair.indexOf("=");
    const [key, value] = equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    checkKey(key, keys, what);
    if (values.has(key)) throw new UsageError(`${what}: "${key}" is given twice`);
    if (value === "") throw new UsageError(`${what}: "${key}" has no value`);
    values.set(key, value);
  }
  return values;
}

/** @throws {UsageError} a key that is not known, with the nearest one. */
export function checkKey(key: string, keys: readonly string[], what: string): void {
  if (keys.includes(key)) return;
  const nearest = nearestName(key, keys);
  throw new UsageError(`${what}: unknown key "${key}"; there are: ${keys.join(", ")}`, {
    ...(nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}
