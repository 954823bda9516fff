import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError } from "../atomic.js";
import { DataError } from "../errors.js";

/** `*`, `?`, `{000..009}` and `{train,test}` in the last part of a path, as a pattern. */
export function globPattern(glob: string): RegExp {
  const literally = (part: string) => part.replaceAll(/[.+^$()|[\]\\]/g, String.raw`\$&`);
  const body = glob.replaceAll(/\{([^{}]*)\}|\*|\?|[^*?{}]+|[{}]/g, (part, braces: string | undefined) => {
    if (part === "*") return ".*";
    if (part === "?") return ".";
    if (braces === undefined) return literally(part);
    const range = /^(\d+)\.\.(\d+)$/.exec(braces);
    if (range === null) return `(?:${braces.split(",").map(literally).join("|")})`;
    const [from, to] = [range[1]!, range[2]!];
    const numbers = Array.from({ length: Math.max(0, Number(to) - Number(from) + 1) }, (_, i) =>
      String(Number(from) + i).padStart(from.length, "0"),
    );
    return `(?:${numbers.join("|")})`;
  });
  return new RegExp(`^${body}$`);
}

/**
 * The files that a pattern matches (see `globPattern`; folders are taken literally), by name.
 *
 * @param ending that all of them must have.
 * @param kind   what they are, for errors: ".tar or .tar.gz shard".
 * @throws {DataError} no file matches, or something that is no such file.
 */
export async function globFiles(glob: string, ending: RegExp, kind: string): Promise<string[]> {
  const folder = dirname(glob);
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new DataError(`the folder ${folder} of the shards cannot be read`, { hint: "check data.source", cause });
  }
  const pattern = globPattern(basename(glob));
  const files = names
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
  const foreign = files.find((file) => !ending.test(file));
  if (foreign !== undefined) throw new DataError(`${foreign} is no ${kind}`);
  if (files.length === 0) throw new DataError(`no shard matches ${glob}`, { hint: "quote the pattern for the shell" });
  for (const file of files) await checkFile(file);
  return files;
}

async function checkFile(file: string): Promise<void> {
  try {
    if ((await stat(file)).isFile()) return;
  } catch (error) {
    throw fileError(error, "cannot read", file);
  }
  throw new DataError(`${file} is not a file`, { hint: "a pattern that matches shards only" });
}
