/**
 * @file The right to write a folder, as files in it: `writing.lock` of one process alone, `writing-PART.lock` of each of several that
 * write together, `writing-reader-….lock` of those that read and want nobody to write alone. Works between machines that share a file system: there nobody can ask whether a process still runs, so who holds a
 * lock renews its time, and one that was not renewed for a while is taken over.
 */
import { randomBytes } from "node:crypto";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileError } from "./atomic.js";
import { BusyError } from "./errors.js";

export const LOCK_FILE = "writing.lock";
const READER = "reader-";
const READ_ATTEMPTS = 5;
const RETRY_MS = 50;
const RENEW_MS = 15_000;
/** Network file systems may show a time that is a minute old, and clocks of machines differ a little. */
const STALE_MS = 180_000;

/** A process that works in a folder. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly doing: "writing" | "reading";
}

/** The right to write a folder, until `release`. */
export interface FolderLock {
  /** Makes sure that the right is still ours, before something is written. @throws {BusyError} someone took it over. */
  check(): Promise<void>;
  release(): Promise<void>;
}

export interface LockOptions {
  /** Write together with others that have another name; letters, digits and `-`. Absent: alone. */
  readonly share?: string;
}

interface Lock {
  readonly token: string;
  readonly pid: number;
  /** When the process started, as the system says it; tells a process from a later one with the same number. */
  readonly started: string | null;
  readonly host: string;
}

/**
 * Takes the right to write a folder. A lock whose process is gone (killed, restarted machine) is taken over; so is one of another
 * machine that was not renewed for 3 minutes. Of two processes that take over at once, the second stands and the first stops at its
 * next `check`.
 *
 * @throws {BusyError} a running process holds it alone, or anyone does and it is wanted alone, or another has the same name.
 * @throws {DataError} the folder cannot be written.
 */
export async function lockFolder(folder: string, { share }: LockOptions = {}): Promise<FolderLock> {
  const name = share === undefined ? LOCK_FILE : `writing-${share}.lock`;
  const path = join(folder, name);
  const token = randomBytes(12).toString("hex");
  const self: Lock = {
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
    await removeDead(folder, name);
  }
  const release = async () => {
    clearInterval(renewing);
    if ((await readHolder(path))?.token === token) await rm(path, { force: true });
  };
  // A time that cannot be set is no reason to stop: the lock is then taken over at worst, and `check` notices.
  const renewing = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), RENEW_MS).unref();
  try {
    for (const other of share === undefined ? await locksOf(folder) : [LOCK_FILE]) {
      if (other !== name) await removeDead(folder, other);
    }
  } catch (error) {
    await release();
    throw error;
  }
  return {
    check: async () => {
      const holder = await readHolder(path);
      if (holder?.token !== token) {
        const who = holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host}`;
        throw new BusyError(`${folder}: ${who} has taken over writing this folder`, {
          hint: "let it finish, then run again",
        });
      }
    },
    release,
  };
}

/**
 * Keeps others from writing or removing a folder while this process reads it; where it cannot be written, nothing is done.
 *
 * @throws {BusyError} a process writes it alone.
 */
export async function holdFolder(folder: string): Promise<{ release(): Promise<void> }> {
  try {
    for (const name of (await locksOf(folder)).filter((one) => doingOf(one) === "reading"))
      await removeDead(folder, name).catch(() => undefined);
    return await lockFolder(folder, { share: `${READER}${randomBytes(6).toString("hex")}` });
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
    if (code !== "EROFS" && code !== "EACCES" && code !== "EPERM") throw error;
    return { release: async () => undefined };
  }
}

/** The processes that work in a folder and may still run. */
export async function findHolders(folder: string): Promise<Holder[]> {
  const holders: Holder[] = [];
  for (const name of await locksOf(folder)) {
    const path = join(folder, name);
    const lock = await readHolder(path);
    if (lock !== undefined && (await mayRun(path, lock))) {
      holders.push({ pid: lock.pid, host: lock.host, doing: doingOf(name) });
    }
  }
  return holders;
}

const doingOf = (name: string): Holder["doing"] => (name.startsWith(`writing-${READER}`) ? "reading" : "writing");

/** Names of the lock files in a folder. */
async function locksOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^writing(-.*)?\.lock$/.test(name));
}

/** Removes a lock that nobody holds any more. @throws {BusyError} somebody does. */
async function removeDead(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  const holder = await readHolder(path);
  if (holder !== undefined && (await mayRun(path, holder))) {
    throw new BusyError(`${folder}: process ${holder.pid} on ${holder.host} is ${doingOf(name)} this folder`, {
      hint: `wait until it is done; if there is no such process, delete ${path}`,
    });
  }
  await rm(path, { force: true });
}

/** Who holds the lock; undefined when nobody does, or when its writer died before it had written its name. */
async function readHolder(path: string): Promise<Lock | undefined> {
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

async function mayRun(path: string, { pid, started, host }: Lock): Promise<boolean> {
  if (host !== hostname()) return Date.now() - (await renewedMs(path)) < STALE_MS;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = await processStart(pid);
  return now !== "ended" && (started === null || now === undefined || started === now);
}

/** When a lock was renewed last, in ms since 1970; 0 when it is gone. */
async function renewedMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw fileError(error, "cannot read", path);
  }
}

/** Start time of a process from Linux's /proc (proc(5), field 22 of stat); undefined where the system does not say. */
async function processStart(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? "ended" : fields[19];
}
