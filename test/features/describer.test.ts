import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import onnxProto from "onnx-proto";
import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import { openDescriber } from "../../features/describer.js";
import { loadFitSample } from "../../features/fit-descriptor.js";
import { loadDescriptor } from "../../features/load-descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { randomPicture } from "./images.js";

const { onnx } = onnxProto;

const SIZE_PX = 64;
const COUNT = 21;
const options = { imageSizePx: SIZE_PX, grid: 4, batch: 8, threads: 3 };

/** `image` [batch,3,256,256] → `tokens` [batch,16,3]: every number is that of the images in the batch. */
function batchCounter(): Uint8Array {
  const { FLOAT, INT64 } = onnx.TensorProto.DataType;
  const { INT, INTS } = onnx.AttributeProto.AttributeType;
  const dims = [{ dimParam: "batch" }, ...[3, 256, 256].map((dimValue) => ({ dimValue }))];
  const port = (name: string, dim: object[]) => ({ name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } });
  const whole = (name: string, values: bigint[]) => ({
    name,
    dataType: INT64,
    dims: [values.length],
    rawData: new Uint8Array(new BigInt64Array(values).buffer),
  });
  const ints = (name: string, values: number[]) => ({ name, type: INTS, ints: values });
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "batch counter",
      initializer: [
        whole("first", [0n]),
        whole("shape", [0n, 3n, 16n]),
        { name: "zero", dataType: FLOAT, dims: [1], rawData: new Uint8Array(4) },
      ],
      node: [
        { opType: "Shape", input: ["image"], output: ["sizes"] },
        { opType: "Gather", input: ["sizes", "first"], output: ["count"] },
        { opType: "Cast", input: ["count"], output: ["number"], attribute: [{ name: "to", type: INT, i: FLOAT }] },
        {
          opType: "AveragePool",
          input: ["image"],
          output: ["map"],
          attribute: [ints("kernel_shape", [64, 64]), ints("strides", [64, 64])],
        },
        { opType: "Mul", input: ["map", "zero"], output: ["nothing"] },
        { opType: "Add", input: ["nothing", "number"], output: ["counts"] },
        { opType: "Reshape", input: ["counts", "shape"], output: ["columns"] },
        { opType: "Transpose", input: ["columns"], output: ["tokens"], attribute: [ints("perm", [0, 2, 1])] },
      ],
      input: [port("image", dims)],
      output: [port("tokens", [dims[0]!, { dimValue: 16 }, { dimValue: 3 }])],
    },
  }).finish();
}

const images = Uint8Array.from(
  Array.from({ length: COUNT }, (_, seed) => randomPicture(seed, SIZE_PX, SIZE_PX).pixels).flatMap((pixels) => [
    ...pixels,
  ]),
);

describe("openDescriber", () => {
  test("worker threads give the same tokens to the bit, in the order of the images, of several targets at once", async () => {
    const targets = ["sift", "hog", "orb"];
    const describer = await openDescriber(targets.map(parseTarget), options);
    try {
      // Two calls at once, of which the second begins elsewhere.
      const from = 5 * SIZE_PX ** 2 * 3;
      const [all, part] = await Promise.all([
        describer.describe(images, COUNT),
        describer.describe(images.subarray(from), COUNT - 5),
      ]);
      for (const [i, target] of targets.entries()) {
        const computer = await openFeatureComputer(parseTarget(target), { ...options, threads: 1 });
        const want = await computer.compute(images, COUNT);
        await computer.dispose();
        expect([...all[i]!], target).toEqual([...want]);
        expect([...part[i]!], target).toEqual([...want.subarray((want.length / COUNT) * 5)]);
      }
    } finally {
      await describer.dispose();
    }
  });

  test("workers fit what has to be fitted to the sample that they are given", async () => {
    const descriptor = parseTarget("pca3(hog)");
    const source = {
      length: COUNT,
      load: async (row: number) => images.subarray(row * SIZE_PX ** 2 * 3, (row + 1) * SIZE_PX ** 2 * 3),
    };
    const sample = await loadFitSample(source as never, SIZE_PX);
    const describer = await openDescriber([descriptor], { ...options, sample });
    const [got] = await describer.describe(images, COUNT);
    await describer.dispose();
    const fitted = await descriptor.fit!(images, COUNT, { ...options, threads: 1 });
    const computer = await openFeatureComputer(fitted, { ...options, threads: 1 });
    const want = await computer.compute(images, COUNT);
    await computer.dispose();
    expect([...got!]).toEqual([...want]);
    expect(want.some((value) => Math.abs(value) > 0.01)).toBe(true);
  });

  test("an encoder inside of a combination gets whole batches", async () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), "descry-describer-")), "count.onnx");
    writeFileSync(file, batchCounter());
    const side = 256;
    const target = `blur1(onnx:${file}#tokens?mean=0&std=1)`;
    const describer = await openDescriber([await loadDescriptor(parseTarget(target))], {
      imageSizePx: side,
      grid: 4,
      batch: 4,
      threads: 1,
    });
    const [tokens] = await describer.describe(new Uint8Array(6 * side * side * 3), 6);
    await describer.dispose();
    // Blurring what is the same everywhere changes nothing.
    const perImage = Array.from({ length: 6 }, (_, i) => Math.round(tokens![i * 16 * 3]!));
    expect(perImage).toEqual([4, 4, 4, 4, 2, 2]);
  });

  test("says what a worker cannot make ready, and ends it", async () => {
    // The first is traced here, the second is opened in the worker.
    for (const target of ["hog", "blur1(hog)"]) {
      const opening = openDescriber([parseTarget(target)], { ...options, imageSizePx: 6, grid: 1 });
      await expect(opening, target).rejects.toThrow(/^hog: an image of 6 px has no block/);
    }
  });

  test("refuses other sizes before a worker sees them", async () => {
    const describer = await openDescriber([parseTarget("sift")], { ...options, threads: 1 });
    await expect(describer.describe(images, COUNT + 1)).rejects.toThrow(ShapeError);
    await describer.dispose();
  });
});
