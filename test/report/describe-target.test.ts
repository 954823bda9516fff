import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { ShapeError, UsageError } from "../../data/errors.js";
import { openPicture } from "../../data/formats/picture.js";
import type { OrientationHistograms } from "../../features/descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { describeTarget, paperTokens } from "../../src/report/describe-target.js";
import { glyphPicture } from "../../src/report/glyph-picture.js";
import { describePictures, picture } from "../features/images.js";

const folder = (): string => path.join(mkdtempSync(path.join(tmpdir(), "descry-describe-")), "new");

/** Where the light of a picture of one token is, from the centre of one of its cells, and how it spreads. */
async function lightOf(png: Uint8Array, [centreX, centreY]: readonly [number, number]) {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  let [sum, x, y, xy] = [0, 0, 0, 0];
  for (let i = 0; i < info.width * info.height; i++) {
    const light = data[i * 3]!;
    const [dx, dy] = [(i % info.width) + 0.5 - centreX, Math.floor(i / info.width) + 0.5 - centreY];
    [sum, x, y, xy] = [sum + light, x + light * dx, y + light * dy, xy + light * dx * dy];
  }
  return { x: x / sum, y: y / sum, xy: xy / sum };
}

const SIGNED: OrientationHistograms = { cells: 2, orientations: 8, isSigned: true, firstDeg: 0, isClockwise: false };

describe("glyphs", () => {
  // One token of 2×2 cells, 64×64 pixels: cell (1, 0) has its centre at x = 16, y = 48.
  const glyph = (bin: number, layout: OrientationHistograms) => {
    const tokens = new Float32Array(4 * layout.orientations);
    tokens[2 * layout.orientations + bin] = 5;
    return glyphPicture(tokens, new Uint8Array(16 * 16 * 3), 1, layout);
  };

  test.each([
    ["right", 0, 1, 0],
    ["up", 2, 0, -1],
    ["down and to the left", 5, -1, 1],
  ])("a signed bin points to where it gets brighter: %s", async (_, bin, toX, toY) => {
    const { x, y } = await lightOf(await glyph(bin, SIGNED), [16, 48]);
    for (const [got, want] of [
      [x, toX],
      [y, toY],
    ]) {
      if (want === 0) expect(Math.abs(got!)).toBeLessThan(0.5);
      else expect(got! * want!).toBeGreaterThan(3);
    }
  });

  test("an unsigned bin lies along the edge, through the centre of its cell", async () => {
    const layout = { ...SIGNED, orientations: 4, isSigned: false, isClockwise: true };
    // The gradient of bin 1 goes to the lower right, so the edge goes to the upper right.
    const { x, y, xy } = await lightOf(await glyph(1, layout), [16, 48]);
    expect(Math.abs(x)).toBeLessThan(0.5);
    expect(Math.abs(y)).toBeLessThan(0.5);
    expect(xy).toBeLessThan(-10);
  });

  test.each(["sift", "sift:vlfeat", "hog", "hog:d36_ppc8_cb2"])(
    "%s has its bins where its layout says",
    async (target) => {
      const descriptor = parseTarget(target);
      const { cells, orientations, isSigned, firstDeg, isClockwise } = descriptor.histograms!;
      expect(cells ** 2 * orientations).toBe(descriptor.dim);
      const turn = isSigned ? 360 : 180;
      for (const angleDeg of [20, 65, 110, 155, 200, 290]) {
        const [dx, dy] = [Math.cos((angleDeg * Math.PI) / 180), Math.sin((angleDeg * Math.PI) / 180)];
        // Gets brighter at that angle, clockwise from the right as seen in the picture.
        const ramp = picture(64, 64, (y, x) => 128 + 2 * (dx * (x - 32) + dy * (y - 32)));
        const tokens = await describePictures(descriptor, [ramp], [2, 2]);
        const sums = Array.from({ length: orientations }, (_, bin) =>
          tokens.reduce((sum, value, i) => sum + (i % orientations === bin ? value : 0), 0),
        );
        const bin = sums.indexOf(Math.max(...sums));
        const middle = (isClockwise ? 1 : -1) * (firstDeg + (bin * turn) / orientations);
        const apart = (((angleDeg - middle) % turn) + turn) % turn;
        // Soft or hard, the fullest bin is the nearest one; gray levels are rounded, by a degree or two.
        expect(Math.min(apart, turn - apart)).toBeLessThanOrEqual(turn / orientations / 2 + 2);
      }
    },
  );

  test("tokens of another layout are refused", async () => {
    await expect(glyphPicture(new Float32Array(7), new Uint8Array(16 * 16 * 3), 1, SIGNED)).rejects.toThrow(ShapeError);
  });
});

describe("describing a target", () => {
  test("draws the picture, glyphs, components and one map a token, in the sizes that are said", async () => {
    const source = await openPicture();
    const outFolder = folder();
    const tokens = [
      [0, 3],
      [2, 1],
    ] as const;
    const { files, explained, similarityRange } = await describeTarget({
      target: "hog",
      source,
      grid: 4,
      tokens,
      outFolder,
    });
    const names = files.map(({ file }) => path.relative(outFolder, file));
    expect(names).toEqual([
      "hog-image.png",
      "hog-glyphs.png",
      "hog-pca.png",
      "hog-similarity-0-3.png",
      "hog-similarity-2-1.png",
    ]);
    for (const { file } of files) {
      const { width, height } = await sharp(file).metadata();
      const side = file.endsWith("glyphs.png") ? 256 : 64;
      expect([width, height]).toEqual([side, side]);
    }
    expect(explained).toBeGreaterThan(0);
    expect(similarityRange[1]).toBeCloseTo(1, 6);
  });

  test("targets without histograms have no glyphs; what has to be fitted is fitted to the picture", async () => {
    const outFolder = folder();
    const source = await openPicture();
    const options = { source, grid: 4, tokens: [], outFolder };
    const { target, dim, files } = await describeTarget({ ...options, target: "pca4(concat(sift,hog))" });
    expect([target, dim]).toEqual(["pca4(concat(sift,hog))", 4]);
    expect(files.map(({ file }) => path.basename(file))).toEqual([
      "pca4-concat-sift-hog-image.png",
      "pca4-concat-sift-hog-pca.png",
    ]);
  });

  test("a token outside of the grid is refused, and nothing is written", async () => {
    const outFolder = folder();
    const described = describeTarget({
      target: "hog",
      source: await openPicture(),
      grid: 4,
      tokens: [[4, 0]],
      outFolder,
    });
    await expect(described).rejects.toThrow(UsageError);
    await expect(described).rejects.toThrow("there is no token 4,0: a grid of 4 has rows and columns 0 to 3");
    expect(existsSync(outFolder)).toBe(false);
  });

  test("the paper's tokens on 16×16, and the same places on 8×8", () => {
    expect(paperTokens(16)).toEqual([
      [8, 8],
      [10, 0],
      [4, 3],
      [11, 10],
    ]);
    expect(paperTokens(8)).toEqual([
      [4, 4],
      [5, 0],
      [2, 1],
      [5, 5],
    ]);
  });
});
