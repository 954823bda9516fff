import { readFileSync } from "node:fs";
import type tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import { orientedFrames } from "../../features/kornia-sift.js";
import { parseTarget } from "../../features/targets.js";
import { compileFunction } from "../../src/compile/compile.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";
import { naiveKorniaSift } from "./naive-kornia-sift.js";
import { naiveSift } from "./naive-sift.js";
import { naiveVlfeatSift } from "./naive-vlfeat-sift.js";

const SHAPES = [
  [64, 64, 4, 4],
  [48, 80, 3, 5],
  [50, 70, 3, 4],
] as const;
const cosines = (a: ArrayLike<number>, b: ArrayLike<number>, dim: number): number[] =>
  Array.from({ length: a.length / dim }, (_, t) => {
    let dot = 0;
    for (let i = t * dim; i < (t + 1) * dim; i++) dot += a[i]! * b[i]!;
    return dot; // of unit tokens
  });
const cellScale = ({ height, width }: Picture, rows: number, cols: number) =>
  Math.sqrt((height / rows) * (width / cols));

describe("sift:kornia", () => {
  test("equals a sample-by-sample version, whatever the shape and the batch", async () => {
    for (const [height, width, rows, cols] of SHAPES) {
      const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
      const got = await describePictures(parseTarget("sift:kornia"), pictures, [rows, cols]);
      const want = pictures.flatMap(
        (image) =>
          naiveKorniaSift(image, [rows, cols], { scalePx: cellScale(image, rows, cols), isOriented: false }).tokens,
      );
      expect(maxDifference(got, want)).toBeLessThan(1e-4);
    }
  });

  test("its parameters do what they say", async () => {
    const image = randomPicture(4, 48, 64);
    const got = await describePictures(
      parseTarget("sift:kornia,bins=3,orientations=5,patch=23,size=9.5"),
      [image],
      [3, 4],
    );
    const options = { scalePx: 9.5, bins: 3, orientations: 5, patch: 23, isOriented: false };
    expect(maxDifference(got, naiveKorniaSift(image, [3, 4], options).tokens)).toBeLessThan(1e-4);
  });

  test("the border of a grid may lie anywhere: flat pictures give the documented first orientation, not NaN", async () => {
    const got = await describePictures(parseTarget("sift:kornia"), [picture(32, 32, () => 90)], [2, 2]);
    // Every sample votes a little for the direction to the right.
    expect(Array.from(got).every((v, i) => (i % 128 < 16 ? v > 0.1 : v < 1e-6))).toBe(true);
  });
});

describe("sift:oriented", () => {
  test("equals a sample-by-sample version but for near-ties of orientations", async () => {
    let [close, tokens] = [0, 0];
    for (const [height, width, rows, cols] of SHAPES) {
      const pictures = [5, 6].map((seed) => randomPicture(seed, height, width));
      const got = await describePictures(parseTarget("sift:oriented"), pictures, [rows, cols]);
      const want = pictures.flatMap(
        (image) =>
          naiveKorniaSift(image, [rows, cols], { scalePx: cellScale(image, rows, cols), isOriented: true }).tokens,
      );
      const all = cosines(got, want, 128);
      tokens += all.length;
      close += all.filter((cosine) => cosine > 0.999).length;
    }
    expect(close / tokens).toBeGreaterThan(0.97);
  });

  test("the frames have the scale of the cell, its centre, and the angle of the brightest direction", async () => {
    // Brighter along 30° upwards from the right: rows run downwards.
    const [dx, dy] = [Math.cos(Math.PI / 6), -Math.sin(Math.PI / 6)];
    const image = picture(48, 64, (y, x) => 128 + 1.5 * ((x - 32) * dx + (y - 24) * dy));
    const compiled = await compileFunction(
      ({ images }) => ({ frames: orientedFrames(images as tf.Tensor4D, [3, 4]) }),
      { images: { shape: [1, 48, 64, 3] } },
      { name: "frames" },
    );
    const { frames } = await compiled.run({
      images: { data: Float32Array.from(image.pixels), shape: [1, 48, 64, 3] },
    });
    await compiled.dispose();
    expect(frames!.shape).toEqual([1, 12, 2, 3]);
    const [a, b, x, c, d, y] = frames!.data.slice(5 * 6, 6 * 6) as unknown as number[];
    expect([x, y]).toEqual([24, 24]);
    expect(Math.atan2(b!, a!)).toBeCloseTo(Math.PI / 6, 1);
    expect(Math.hypot(a!, b!)).toBeCloseTo(16, 4);
    expect([c, d]).toEqual([-b!, a]);
  });

  test("a picture turned by 90° has the same tokens at the turned places; upright ones do not", async () => {
    const image = randomPicture(7, 64, 64);
    const turned = picture(64, 64, (y, x, c) => image.pixels[((63 - x) * 64 + y) * 3 + c]!);
    const share = async (target: string): Promise<number> => {
      const a = await describePictures(parseTarget(target), [image], [4, 4]);
      const b = await describePictures(parseTarget(target), [turned], [4, 4]);
      // Cell (row, col) of the turned picture shows cell (3 - col, row).
      const moved = Float32Array.from(a, (_, i) => {
        const [t, d] = [Math.floor(i / 128), i % 128];
        return a[((3 - (t % 4)) * 4 + Math.floor(t / 4)) * 128 + d]!;
      });
      return cosines(moved, b, 128).filter((cosine) => cosine > 0.9).length / 16;
    };
    expect(await share("sift:oriented")).toBeGreaterThan(0.5); // centres are half a pixel off
    expect(await share("sift:kornia")).toBeLessThan(0.2);
  });
});

describe("sift:vlfeat", () => {
  test("equals VLFeat's own library, whose angles and square roots are approximate", async () => {
    const numbers = JSON.parse(readFileSync(new URL("vlfeat-numbers.json", import.meta.url), "utf8"));
    const image = picture(64, 64, (y, x) =>
      Math.floor(128 + 70 * Math.sin(x / 5 + y / 9) + 50 * Math.cos((x * y) / 150)),
    );
    for (const [target, want] of [
      ["sift:vlfeat", numbers.gaussian],
      ["sift:vlfeat,flat", numbers.flat],
    ] as const) {
      const all = await describePictures(parseTarget(target), [image], [4, 4]);
      // VLFeat has no frames that reach beyond the image: the four cells in the middle.
      const inner = [5, 6, 9, 10].flatMap((token) => [...all.subarray(token * 128, (token + 1) * 128)]);
      expect(want.length).toBe(inner.length);
      expect(maxDifference(Float32Array.from(inner), want), target).toBeLessThan(0.01);
      for (const cosine of cosines(inner, want, 128)) expect(cosine, target).toBeGreaterThan(0.9998);
    }
  });

  test.each([
    ["sift:vlfeat", { isFlat: false }],
    ["sift:vlfeat,flat", { isFlat: true }],
    [
      "sift:vlfeat,bin=6,bins=2,orientations=6,window=1",
      { isFlat: false, binPx: 6, bins: 2, orientations: 6, window: 1 },
    ],
  ])("%s equals a pixel-by-pixel version", async (target, options) => {
    for (const [height, width, rows, cols] of [
      [64, 64, 4, 4],
      [48, 80, 3, 5],
    ] as const) {
      const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
      const got = await describePictures(parseTarget(target), pictures, [rows, cols]);
      const want = pictures.flatMap((image) => naiveVlfeatSift(image, [rows, cols], { binPx: 8, ...options }));
      expect(maxDifference(got, want)).toBeLessThan(1e-4);
    }
  });

  test("the flat window is near the Gaussian one, and not equal", async () => {
    const image = randomPicture(3, 64, 64);
    const a = await describePictures(parseTarget("sift:vlfeat"), [image], [4, 4]);
    const b = await describePictures(parseTarget("sift:vlfeat,flat"), [image], [4, 4]);
    const all = cosines(a, b, 128);
    expect(Math.min(...all)).toBeGreaterThan(0.8);
    expect(Math.max(...all)).toBeLessThan(0.9999);
  });
});

describe("the parameters of sift", () => {
  test("bins, orientations, size, clipping and angle equal the pixel-by-pixel version's", async () => {
    const image = randomPicture(8, 48, 64);
    for (const [target, turnDeg, options] of [
      ["sift:bins=2,orientations=12,size=10,clip=0.3", 0, { bins: 2, orientations: 12, sizePx: 10, clip: 0.3 }],
      ["sift:bins=3,orientations=5", 0, { bins: 3, orientations: 5 }],
      ["sift:orientations=2,size=8", 0, { orientations: 2, sizePx: 8 }],
      ["sift:angle=30,bins=2,size=8", 330, { bins: 2, sizePx: 8 }],
      ["sift:angle=90", 270, {}],
    ] as const) {
      const got = await describePictures(parseTarget(target), [image], [3, 4]);
      const want = naiveSift(image, [3, 4], turnDeg, options);
      const off = Array.from(got, (v, i) => Math.abs(v - want[i]!));
      expect(off.reduce((a, b) => a + b) / off.length, target).toBeLessThan(0.1);
      expect(Math.max(...off), target).toBeLessThanOrEqual(2);
    }
  });

  test("norms: bytes are 512 times the unit ones, rounded; none is the votes; root has squares that sum to 1", async () => {
    const image = randomPicture(9, 48, 48);
    const of = (target: string) => describePictures(parseTarget(target), [image], [3, 3]);
    const bytes = await of("sift");
    const unit = await of("sift:norm=unit");
    expect(
      maxDifference(
        bytes,
        unit.map((v) => Math.min(255, 512 * v)),
      ),
    ).toBeLessThanOrEqual(0.5001);
    const votes = await of("sift:norm=none,clip=1");
    const first = Array.from(votes.subarray(0, 128));
    const length = Math.hypot(...first);
    const clipped = first.map((v) => Math.min(v, 0.2 * length));
    const scale = Math.hypot(...clipped);
    expect(
      maxDifference(
        unit.subarray(0, 128),
        clipped.map((v) => v / scale),
      ),
    ).toBeLessThan(1e-5);
    for (const target of ["sift", "sift:kornia", "sift:vlfeat,flat"]) {
      const plain = (await of(target)).subarray(0, 128);
      const root = (await of(target.includes(":") ? `${target},root` : `${target}:root`)).subarray(0, 128);
      const sum = plain.reduce((a, b) => a + b);
      expect(
        maxDifference(
          root,
          plain.map((v) => Math.sqrt(v / sum)),
        ),
      ).toBeLessThan(1e-4);
    }
  });

  test("canonical names: defaults are left out, the order does not count, angles are one of a turn", () => {
    for (const [target, name] of [
      ["sift:bins=4,orientations=8", "sift"],
      ["sift:angle=-1", "sift:opencv"],
      ["sift:opencv", "sift:opencv"],
      ["sift:angle=359", "sift:opencv"],
      ["sift:angle=360", "sift"],
      ["sift:root,angle=-1", "sift:opencv,root"],
      ["sift:kornia,oriented", "sift:oriented"],
      ["sift:clip=0.3,bins=2", "sift:bins=2,clip=0.3"],
      ["sift:kornia,norm=unit", "sift:kornia"],
      ["sift:vlfeat,norm=bytes,flat,bin=4.0", "sift:vlfeat,flat,bin=4,norm=bytes"],
    ] as const) {
      expect(parseTarget(target).name, target).toBe(name);
      expect(parseTarget(name).name, target).toBe(name);
    }
    expect(parseTarget("sift:bins=2,orientations=12").dim).toBe(48);
  });

  test.each([
    ["sift:bin=4", /"bin" is no option of OpenCV's convention/],
    ["sift:orientation=4", /did you mean "sift:orientations=4"/],
    ["sift:kronia", /did you mean "sift:kornia"/],
    ["sift:bins", /want bins=1\.\.16, got "bins"/],
    ["sift:bins=2.5", /want bins=1\.\.16, got "bins=2.5"/],
    ["sift:clip=", /want clip=0\.01\.\.1/],
    ["sift:norm=l2", /want norm=bytes\|unit\|none/],
    ["sift:root=1", /want root, got "root=1"/],
    ["sift:root,root", /"root" is given twice/],
    ["sift:vlfeat,kornia", /"kornia" is no option of VLFeat's/],
    ["sift:kornia,patch=10,bins=7", /7 bins do not fit a patch of 10 samples/],
    ["sift:", /unknown option ""/],
  ])("%s is refused in one line that helps", (target, message) => {
    expect(() => parseTarget(target)).toThrow(UsageError);
    expect(() => parseTarget(target)).toThrow(message);
  });
});
