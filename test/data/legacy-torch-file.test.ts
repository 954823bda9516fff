import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, UnsupportedError } from "../../data/errors.js";
import { readLegacyTorchFile } from "../../data/legacy-torch-file.js";

describe("readLegacyTorchFile", () => {
  let folder = "";
  let bytes: Buffer;
  const at = (name: string) => path.join(folder, name);
  const saved = async (name: string, changed: Uint8Array) => {
    await writeFile(at(name), changed);
    return at(name);
  };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "descry-"));
    // Made by make_legacy_torch.py.
    bytes = Buffer.from(await readFile(path.join(import.meta.dirname, "legacy-torch.txt"), "utf8"), "base64");
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("float32 tensors with their shapes, also a part of a storage; others are left out", async () => {
    const tensors = await readLegacyTorchFile(await saved("whole.pth", bytes));
    expect(tensors).toEqual({
      weight: { shape: [2, 3], data: Float32Array.of(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5) },
      part: { shape: [2, 2], data: Float32Array.of(0.75, 1, 1.25, 1.5) },
      scalar: { shape: [], data: Float32Array.of(0.125) },
      parameter: { shape: [2], data: Float32Array.of(1.5, -1.5) },
    });
  });

  test("every shorter file is refused, and so is a longer one", async () => {
    for (let length = 0; length < bytes.length; length += 13) {
      const reading = readLegacyTorchFile(await saved("cut.pth", bytes.subarray(0, length)));
      await expect(reading, `${length} bytes`).rejects.toThrow(DataError);
    }
    const longer = readLegacyTorchFile(await saved("long.pth", Buffer.concat([bytes, Buffer.from("x")])));
    await expect(longer).rejects.toThrow(/has 1 bytes too many/);
  });

  test("a pickle that names any other function is refused, not run", async () => {
    const text = bytes.toString("latin1").replace("collections\nOrderedDict", "os\nsystem");
    const reading = readLegacyTorchFile(await saved("evil.pth", Buffer.from(text, "latin1")));
    await expect(reading).rejects.toThrow(UnsupportedError);
    await expect(reading).rejects.toThrow(/holds a call of os.system; wanted a state dict/);
  });
});
