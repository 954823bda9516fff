import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEncoderThread } from "../../features/onnx/encoder-thread.js";
import type { EncoderJob } from "../../features/onnx/image-encoder.js";
import { DeviceError } from "../../src/compile/errors.js";
import { whyNoWebGpu } from "../compile/webgpu.js";
import { tinyEncoder } from "./tiny-encoder.js";

let folder: string;
let job: EncoderJob;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "descry-thread-"));
  const file = path.join(folder, "tiny.onnx");
  writeFileSync(file, tinyEncoder("batch", 8));
  const settings = {
    file,
    output: "map",
    scale: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    interpolation: "bicubic",
    dropTokens: 0,
  } as const;
  job = { name: "tiny", settings, device: "cpu", threads: 1 };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const batch = { images: new Uint8Array(3 * 8 * 8 * 3).fill(7, 0, 192), count: 3, sidePx: 8, grid: [2, 4] } as const;

test("the thread of the caller is free while a batch is encoded", async () => {
  const encoder = await openEncoderThread(job);
  const side = 256;
  const big = { images: new Uint8Array(8 * side * side * 3), count: 8, sidePx: side, grid: [2, 4] } as const;
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  const features = await encoder.encode(big);
  clearInterval(ticking);
  await encoder.dispose();
  expect(features).toHaveLength(8 * 8 * 3);
  expect(ticks).toBeGreaterThan(0);
});

test("the caller's pixels stay its own", async () => {
  const encoder = await openEncoderThread(job);
  const first = await encoder.encode(batch);
  expect(batch.images[0]).toBe(7);
  expect(await encoder.encode(batch)).toEqual(first);
  expect([first[0], first[23], first[24]]).toEqual([7, 7, 0]);
  await encoder.dispose();
});

test("a process that waits for nothing else gets its tokens, and one that forgets an encoder ends", async () => {
  const module = pathToFileURL(path.resolve("dist/features/onnx/encoder-thread.js")).href;
  const run = async (rest: string) => {
    const code = `import { openEncoderThread } from ${JSON.stringify(module)};
      const encoder = await openEncoderThread(${JSON.stringify(job)});
      const images = new Uint8Array(192).fill(9);
      const tokens = await encoder.encode({ images, count: 1, sidePx: 8, grid: [2, 4] });
      ${rest}
      console.log("done", tokens[5]);`;
    return (await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code])).stdout;
  };
  expect(await run("await encoder.dispose();")).toBe("done 9\n");
  expect(await run("")).toBe("done 9\n");
});

test("a thread that has ended is waited for by nobody: it is disposed of already, and batches are refused", async () => {
  const encoder = await openEncoderThread(job);
  await encoder.dispose();
  await encoder.dispose();
  await expect(encoder.encode(batch)).rejects.toMatchObject({ tag: "ProcessError" });
});

test("what cannot be opened is told as the error that it is", async () => {
  const broken = path.join(folder, "broken.onnx");
  const bytes = tinyEncoder("batch", 8);
  writeFileSync(broken, Buffer.from(bytes).toString("latin1").replace("AveragePool", "AveragePoop"), "latin1");
  const opening = openEncoderThread({ ...job, settings: { ...job.settings, file: broken } });
  await expect(opening).rejects.toMatchObject({ tag: new DeviceError("x").tag });
});

test.skipIf(whyNoWebGpu !== "")(`on webgpu the same comes out ${whyNoWebGpu}`, async () => {
  const cpu = await openEncoderThread(job);
  const gpu = await openEncoderThread({ ...job, device: "webgpu" });
  const [one, other] = [await cpu.encode(batch), await gpu.encode(batch)];
  await cpu.dispose();
  await gpu.dispose();
  expect(Math.max(...one.map((value, i) => Math.abs(value - other[i]!)))).toBeLessThan(1e-3);
});
