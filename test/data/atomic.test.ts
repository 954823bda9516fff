import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-atomic-"));
});
afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

describe("writeFileAtomic", () => {
  test("writes text as UTF-8, bytes, and parts one after the other", async () => {
    const path = join(folder, "a.txt");
    await writeFileAtomic(path, "grün");
    expect(await readFile(path, "utf8")).toBe("grün");
    await writeFileAtomic(path, new Uint8Array([0, 255, 7]).subarray(1));
    expect([...(await readFile(path))]).toEqual([255, 7]);
    await writeFileAtomic(path, [new Uint8Array([1, 2]), new Uint8Array(0), new Uint8Array([3])]);
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    await writeFileAtomic(path, "");
    expect((await stat(path)).size).toBe(0);
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  test("of many writers at once, one wins whole", async () => {
    const path = join(folder, "a.bin");
    const contents = Array.from({ length: 16 }, (_, i) => new Uint8Array(50_000).fill(i));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    const written = await readFile(path);
    expect(written.length).toBe(50_000);
    expect(new Set(written).size).toBe(1);
    expect(await readdir(folder)).toEqual(["a.bin"]);
  });

  test("a failed write leaves no temporary file and keeps the old content", async () => {
    const path = join(folder, "a.bin");
    await writeFileAtomic(path, "old");
    const parts = [new Uint8Array(10), new Uint8Array(10)];
    Object.defineProperty(parts, 1, {
      get: () => {
        throw new RangeError("out of memory");
      },
    });
    await expect(writeFileAtomic(path, parts)).rejects.toThrow(RangeError);
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["a.bin"]);
  });

  test("a folder in the way of the rename: DataError, temporary file removed", async () => {
    await mkdir(join(folder, "taken", "inside"), { recursive: true });
    const write = writeFileAtomic(join(folder, "taken"), "x");
    await expect(write).rejects.toThrow(DataError);
    await expect(write).rejects.toThrow(/taken: cannot write .* folder, not a file/);
    expect(await readdir(folder)).toEqual(["taken"]);
  });

  test("a missing folder: DataError that names the file and says what to do", async () => {
    const path = join(folder, "missing", "a.txt");
    const write = writeFileAtomic(path, "x");
    await expect(write).rejects.toThrow(DataError);
    await expect(write).rejects.toThrow(`${path}: cannot write (ENOENT) — there is no such file or folder`);
  });

  test.skipIf(process.getuid?.() === 0)("no permission (not as root): DataError", async () => {
    await chmod(folder, 0o500);
    await expect(writeFileAtomic(join(folder, "a.txt"), "x")).rejects.toThrow(
      /cannot write \(EACCES\) — no permission/,
    );
  });

  test("replaces a symbolic link, and not what it points to", async () => {
    await writeFile(join(folder, "target"), "target");
    await symlink(join(folder, "target"), join(folder, "link"));
    await writeFileAtomic(join(folder, "link"), "new");
    expect(await readFile(join(folder, "target"), "utf8")).toBe("target");
    expect(await readFile(join(folder, "link"), "utf8")).toBe("new");
  });
});

describe("fileError", () => {
  test("a full disk is named in one line, the system error kept as cause", () => {
    const cause = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      syscall: "write",
    });
    const error = fileError(cause, "cannot write", "runs/a.bin");
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toBe(
      "runs/a.bin: cannot write (ENOSPC) — the disk is full: free some space or choose a folder on another disk, then run again",
    );
    expect((error as Error).cause).toBe(cause);
  });

  test("bugs and our own errors pass unchanged", () => {
    const bug = new TypeError("x is undefined");
    const invalid = Object.assign(new TypeError("wrong argument"), { code: "ERR_INVALID_ARG_TYPE" });
    const own = new DataError("a.bin: damaged");
    for (const error of [bug, invalid, own, "text"]) expect(fileError(error, "cannot read", "a.bin")).toBe(error);
  });
});
