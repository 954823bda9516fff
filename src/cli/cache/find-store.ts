import { existsSync } from "node:fs";
import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { findRowFolder, listRowFolders, type RowFolder } from "../../../data/row-folders.js";

/** Characters of a key that name a cache, at least. */
const MIN_KEY = 4;

/**
 * The cache that a word names: the beginning of its key, its folder's name, or a path to a folder.
 *
 * @throws {UsageError} none, or several.
 */
export async function findStore(word: string, cacheFolder: string, cwd: string): Promise<RowFolder> {
  const place = path.resolve(cwd, word);
  if (existsSync(place)) {
    const found = await findRowFolder(place);
    if (found !== undefined) return found;
  }
  const all = await listRowFolders(cacheFolder);
  const fitting = all.filter(({ name, plan }) => {
    const isKey = word.length >= MIN_KEY && (plan?.key.startsWith(word) ?? false);
    return name === word || isKey || (word.length >= MIN_KEY && name.slice(name.lastIndexOf("-") + 1).startsWith(word));
  });
  if (fitting.length === 1) return fitting[0]!;
  const hint = "descry cache list shows what there is";
  if (fitting.length > 1) {
    throw new UsageError(`"${word}" are ${fitting.map(({ name }) => name).join(", ")}`, {
      hint: "give more of the key",
    });
  }
  throw new UsageError(`no cache "${word}" in ${cacheFolder}`, { hint });
}
