import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openModel } from "../../src/compile/session.js";

const model = fileURLToPath(new URL("../../../shared/models/squeezenet1_1.onnx", import.meta.url));

describe.skipIf(!existsSync(model))("somebody else's model (needs the shared models)", () => {
  test("says what it takes, runs, and refuses what does not fit", async () => {
    const opened = await openModel(model);
    const [input] = opened.inputs;
    expect(input!.dtype).toBe("float32");
    expect(input!.shape.slice(1)).toEqual([3, 224, 224]);
    const image = { data: new Float32Array(3 * 224 * 224).fill(0.5), shape: [1, 3, 224, 224] };
    const results = await opened.run({ [input!.name]: image });
    const first = results[opened.outputs[0]!.name]!;
    expect(first.shape[0]).toBe(1);
    expect(first.data.every(Number.isFinite)).toBe(true);
    await expect(opened.run({})).rejects.toThrow(`input "${input!.name}" is missing`);
    await expect(opened.run({ [input!.name]: { ...image, shape: [1, 224, 224, 3] } })).rejects.toThrow("wants [");
    await expect(opened.run({ [input!.name]: image }, ["nowhere"])).rejects.toThrow('no output "nowhere"; there are:');
    await opened.dispose();
  });
});

test("bytes that are no model give one clear line", async () => {
  await expect(openModel(new Uint8Array([1, 2, 3]))).rejects.toThrow(
    /^ONNX Runtime cannot open the compiled graph: [^\n]+$/,
  );
});
