import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileError } from "./atomic.js";
import { CacheError } from "./errors.js";

export const LOCK_FILE = "writing.lock";
const READ_ATTEMPTS = 5;
const RETRY_MS = 50;

/** The right to write a folder, until `release`. */
export interface FolderLock {
  /** Makes sure that the right is still ours, before something is written. @throws {CacheError} someone took it over. */
  check(): Promise<void>;
  release(): Promise<void>;
}

interface Holder {
  readonly token: string;
  readonly pid: number;
  /** When the process started, as the system says it; tells a process from a later one with the same number. */
  readonly started: string | null;
  readonly host: string;
}

/**
 * Takes the right to write a folder, by a file `writing.lock` in it. A lock whose process is gone (killed, restarted machine) is
 * taken over. Of two processes that take over at once, the second stands and the first stops at its next `check`.
 *
 * @throws {CacheError} a running process holds it, or one on another machine, where nobody can tell whether it still runs.
 * @throws {DataError} the folder cannot be written.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, LOCK_FILE);
  const token = randomBytes(12).toString("hex");
  const self: Holder = {
    token,
    pid: process.pid,
    started: (await processStart(process.pid)) ?? null,
    host: hostname(),
  };
  for (;;) {
    try {
      await writeFile(path, JSON.stringify(self), { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw fileError(error, "cannot write", path);
    }
    const holder = await readHolder(path);
    if (holder !== undefined && (await mayRun(holder))) {
      throw new CacheError(`${folder}: process ${holder.pid} on ${holder.host} is writing this folder`, {
        hint: `wait until it is done; if there is no such process, delete ${path}`,
      });
    }
    await rm(path, { force: true });
  }
  return {
    check: async () => {
      const holder = await readHolder(path);
      if (holder?.token !== token) {
        const who = holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host}`;
        throw new CacheError(`${folder}: ${who} has taken over writing this folder`, {
          hint: "let it finish, then run again",
        });
      }
    },
    release: async () => {
      if ((await readHolder(path))?.token === token) await rm(path, { force: true });
    },
  };
}

/** Who holds the lock; undefined when nobody does, or when its writer died before it had written its name. */
async function readHolder(path: string): Promise<Holder | undefined> {
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
    try {
      const holder = JSON.parse(await readFile(path, "utf8"));
      if (typeof holder?.token === "string" && typeof holder.pid === "number" && typeof holder.host === "string")
        return holder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      if (!(error instanceof SyntaxError)) throw fileError(error, "cannot read", path);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return undefined;
}

async function mayRun({ pid, started, host }: Holder): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = await processStart(pid);
  return now !== "ended" && (started === null || now === undefined || started === now);
}

/** Start time of a process from Linux's /proc (proc(5), field 22 of stat); undefined where the system does not say. */
async function processStart(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? "ended" : fields[19];
}
