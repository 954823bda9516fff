import { stat } from "node:fs/promises";

/** A file that was changed so recently may be changed again without its times telling: they are as coarse as 2 s on some disks. */
const SETTLED_MS = 3000;

/** What a file looks like from outside. */
export interface FileIdentity {
  /** Size, inode, and the times of the last change of its content and of its inode, to the nanosecond: equal while it is the same. */
  readonly text: string;
  /** Whether it was not changed just now. Only then does an equal text later mean the same bytes. */
  readonly isSettled: boolean;
}

/**
 * How to tell later that a file is still the one that was read. The time of the inode's change is in it because programs can set that
 * of the content (`rsync --times`, `touch`), but not that one.
 *
 * @throws the system's error.
 */
export async function fileIdentity(path: string): Promise<FileIdentity> {
  const { size, ino, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  const settledNs = BigInt(Date.now() - SETTLED_MS) * 1_000_000n;
  const isSettled = mtimeNs < settledNs && ctimeNs < settledNs;
  return { text: `${size} ${ino} ${mtimeNs} ${ctimeNs}`, isSettled };
}
