/** What `export_encoder.py` writes is what PyTorch computes, and what the encoder of that name wants. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ENCODERS } from "../../../features/encoders/encoder-table.js";
import { inputSide } from "../../../features/encoders/input-side.js";
import { encoderSettings } from "../../../features/encoders/published-family.js";
import { openImageEncoder } from "../../../features/onnx/image-encoder.js";
import { openModel } from "../../../src/compile/session.js";
import { PYTHON, pythonHas } from "../../python.js";

const canExport = pythonHas("torch", "onnxscript", "onnx", "timm", "transformers");
/** One of timm with registers, one of transformers, and one that needs a checkpoint. */
const NAMES = ["dinov2reg-vit-s", "siglip-vit-b", "mocov3-vit-s"];

describe.skipIf(!canExport)("exports (skipped where no Python has torch, onnxscript, timm and transformers)", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "descry-exports-"));
    const script = path.join(import.meta.dirname, "random_exports.py");
    execFileSync(PYTHON, [script, folder, ...NAMES], { stdio: "ignore" });
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(NAMES)("%s", async (name) => {
    const file = path.join(folder, `${name}.onnx`);
    const encoder = ENCODERS.find((one) => one.name === name)!;
    const sizePx = inputSide(encoder, 256);
    const model = await openModel(file);
    const data = Float32Array.from({ length: 3 * sizePx ** 2 }, (_, i) => Math.sin(0.01 * i));
    const results = await model.run({ pixel_values: { data, shape: [1, 3, sizePx, sizePx] } }, [encoder.output]);
    await model.dispose();
    const got = results[encoder.output]!.data;
    const bytes = readFileSync(path.join(folder, `${name}.bin`));
    const wanted = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    expect(got).toHaveLength(wanted.length);
    const error = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0);
    expect(error).toBeLessThan(1e-4); // of about 4

    const settings = { ...encoderSettings({ encoder, ownStats: false }), file, sizePx };
    const opened = await openImageEncoder({ name, settings, device: "cpu", threads: 0 });
    expect(opened.facts.layout).toMatchObject({ dim: encoder.dim, grid: [16, 16], dropped: encoder.prefix });
    await opened.dispose();
  });
});
