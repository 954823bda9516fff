import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../../data/atomic.js";
import { CacheError } from "../../data/errors.js";

/**
 * The queue of a working folder. Its name is kept in the folder itself, `.descry/queue-id`, so that whoever sees the same
 * folder, under whatever path, finds the same queue, and jobs of another folder never land here.
 *
 * @throws {DataError} the folder cannot be written. @throws {CacheError} the file is damaged.
 */
export async function queueNameOf(workingFolder: string): Promise<string> {
  const file = path.join(workingFolder, ".descry", "queue-id");
  const mine = `${file}.${randomBytes(6).toString("hex")}`;
  let id: string;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    id = await readFile(file, "utf8").catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      // Of several processes that find none, one is the first to link its file there, whole; the others read it.
      await writeFile(mine, `${randomBytes(6).toString("hex")}\n`);
      await link(mine, file).catch((failed: NodeJS.ErrnoException) => {
        if (failed.code !== "EEXIST") throw failed;
      });
      await unlink(mine);
      return readFile(file, "utf8");
    });
  } catch (error) {
    throw fileError(error, "cannot read or write", file);
  }
  if (!/^[0-9a-f]{12}\n$/.test(id)) throw new CacheError(`${file}: damaged`, { hint: "delete it" });
  return `jobs-${id.trim()}`;
}
