import { readFile } from "node:fs/promises";
import type { z } from "zod";
import { fileError } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";

/**
 * Read a text file.
 *
 * @returns null where there is no such file.
 * @throws {DataError} it is there and cannot be read.
 */
export async function readOptionalText(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw fileError(error, "cannot read", file);
  }
}

/**
 * Parse JSON and check it against a schema.
 *
 * @param place file, or `file:line`, for messages.
 * @param hint  what to do when it is damaged.
 * @throws {DataError} one line with the place, the field, what was wanted and what was found.
 */
export function parseJson<Schema extends z.ZodType>(
  text: string,
  place: string,
  schema: Schema,
  hint: string,
): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const said = text.trim() === "" ? "is empty" : "is not valid JSON";
    throw new DataError(`${place}: ${said}`, { hint, cause });
  }
  const result = schema.safeParse(value, { error: wantedAndGot });
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  const field = path.length === 0 ? "" : ` ${path.map(String).join(".")}:`;
  throw new DataError(`${place}:${field} ${message}`, { hint });
}

/**
 * Read a JSON file and check it against a schema, see {@link parseJson}.
 *
 * @returns null where there is no such file.
 * @throws {DataError} it cannot be read, or is damaged.
 */
export async function readOptionalJson<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  hint: string,
): Promise<z.output<Schema> | null> {
  const text = await readOptionalText(file);
  return text === null ? null : parseJson(text, file, schema, hint);
}

const wantedAndGot: z.core.$ZodErrorMap = (issue) => {
  const got = issue.input === undefined ? "nothing" : JSON.stringify(issue.input)?.slice(0, 40);
  if (issue.code === "invalid_type") return `wanted ${issue.expected}, got ${got}`;
  if (issue.code === "too_small") return `wanted at least ${issue.minimum}, got ${got}`;
  if (issue.code === "too_big") return `wanted at most ${issue.maximum}, got ${got}`;
  if (issue.code === "invalid_value") return `wanted ${issue.values.map(String).join(" or ")}, got ${got}`;
  return undefined;
};
