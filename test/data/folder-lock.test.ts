import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BusyError, CacheError } from "../../data/errors.js";
import { lockFolder } from "../../data/folder-lock.js";

const errorOf = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: unknown) => error);

test("a lock that another process holds, or has taken over, is a BusyError: a CacheError with a tag of its own", async () => {
  const folder = mkdtempSync(join(tmpdir(), "descry-lock-"));
  const lock = await lockFolder(folder);
  const held = await errorOf(lockFolder(folder));
  writeFileSync(join(folder, "writing.lock"), JSON.stringify({ token: "x", pid: 7, started: null, host: "elsewhere" }));
  const taken = await errorOf(lock.check());
  for (const error of [held, taken]) {
    expect(error).toBeInstanceOf(BusyError);
    expect(error).toBeInstanceOf(CacheError);
    expect(error).toMatchObject({ tag: "BusyError", name: "BusyError" });
  }
});

test("locks of two parts do not exclude each other; the whole folder's excludes both, and both exclude it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "descry-lock-"));
  const [a, b] = [await lockFolder(folder, { share: "a" }), await lockFolder(folder, { share: "b" })];
  await a.check();
  await b.check();
  await expect(lockFolder(folder, { share: "a" })).rejects.toThrow(BusyError);
  await expect(lockFolder(folder)).rejects.toThrow(BusyError);
  await a.release();
  await b.release();
  const whole = await lockFolder(folder);
  await expect(lockFolder(folder, { share: "a" })).rejects.toThrow(BusyError);
  await whole.release();
});
