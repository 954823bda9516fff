import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { fitDescriptor } from "../../features/fit-descriptor.js";
import { splitTargets } from "../../features/split-targets.js";
import { parseTarget, splitTargetList } from "../../features/targets.js";
import { describePictures, maxDifference, randomPicture } from "./images.js";

const SIZE = 64;
const GRID = [3, 4] as const;
const T = GRID[0] * GRID[1];
const PICTURES = [randomPicture(1, SIZE, SIZE), randomPicture(2, SIZE, SIZE), randomPicture(3, SIZE, SIZE)];

const tokensOf = (target: string, pictures = PICTURES) => describePictures(parseTarget(target), pictures, GRID);

const rowsOf = (tokens: Float32Array, dim: number): number[][] =>
  Array.from({ length: tokens.length / dim }, (_, row) => Array.from(tokens.subarray(row * dim, (row + 1) * dim)));

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const cosine = (a: readonly number[], b: readonly number[]): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

describe("concat", () => {
  test("the cosine of two tokens is the mean of the parts' cosines, and tokens are of unit length", async () => {
    const [sift, hog, both] = [
      rowsOf(await tokensOf("sift"), 128),
      rowsOf(await tokensOf("hog:d64_cb2"), 64),
      rowsOf(await tokensOf("concat(sift,hog:d64_cb2)"), 192),
    ];
    for (let a = 0; a < both.length; a++) {
      expect(dot(both[a]!, both[a]!)).toBeCloseTo(1, 5);
      const b = (a * 7 + 3) % both.length;
      const mean = (cosine(sift[a]!, sift[b]!) + cosine(hog[a]!, hog[b]!)) / 2;
      expect(cosine(both[a]!, both[b]!)).toBeCloseTo(mean, 5);
    }
    // The order of the parts is the order of the channels, and directions within a part are kept.
    expect(cosine(both[5]!.slice(0, 128), sift[5]!)).toBeCloseTo(1, 6);
    expect(cosine(both[5]!.slice(128), hog[5]!)).toBeCloseTo(1, 6);
  });

  test("a part that is zero stays zero", async () => {
    const flat = { height: SIZE, width: SIZE, pixels: new Uint8Array(SIZE * SIZE * 3).fill(90) };
    const [token] = rowsOf(await tokensOf("concat(sift,constant:d4)", [flat]), 132);
    expect(token!.slice(0, 128)).toEqual(new Array(128).fill(0));
    expect(dot(token!, token!)).toBeCloseTo(0.5, 6);
  });
});

describe("blur", () => {
  test("is the weighted mean of all tokens by their distance, the weights summing to 1", async () => {
    const [plain, blurred] = [
      rowsOf(await tokensOf("hog", [PICTURES[0]!]), 128),
      rowsOf(await tokensOf("blur0.8(hog)", [PICTURES[0]!]), 128),
    ];
    for (let t = 0; t < T; t++) {
      const weights = plain.map((_, s) => {
        const [down, across] = [Math.floor(s / GRID[1]) - Math.floor(t / GRID[1]), (s % GRID[1]) - (t % GRID[1])];
        return Math.exp(-(down ** 2 + across ** 2) / (2 * 0.8 ** 2));
      });
      const sum = weights.reduce((a, b) => a + b);
      for (let d = 0; d < 128; d += 17) {
        const mean = dot(
          weights,
          plain.map((token) => token[d]!),
        );
        expect(blurred[t]![d]).toBeCloseTo(mean / sum, 6);
      }
    }
  });

  test("changes nothing when every token is the same, and every image on its own", async () => {
    expect(maxDifference(await tokensOf("blur2(constant:d3)"), await tokensOf("constant:d3"))).toBeLessThan(1e-6);
    const alone = await tokensOf("blur2(hog)", [PICTURES[2]!]);
    expect(maxDifference((await tokensOf("blur2(hog)")).subarray(2 * T * 128), alone)).toBe(0);
  });
});

describe("shuffle", () => {
  test("keeps the tokens of an image and loses their places, in another order for each image", async () => {
    const plain = rowsOf(await tokensOf("sift"), 128).map(String);
    const shuffled = rowsOf(await tokensOf("shuffle(sift)"), 128).map(String);
    const orders = PICTURES.map((_, i) => {
      const [before, after] = [plain, shuffled].map((rows) => rows.slice(i * T, (i + 1) * T));
      expect([...after!].sort()).toEqual([...before!].sort());
      expect(after).not.toEqual(before);
      return after!.map((token) => before!.indexOf(token));
    });
    expect(orders[0]).not.toEqual(orders[1]);
    expect(orders[1]).not.toEqual(orders[2]);
  });

  test("the order follows from the image and the seed, not from what is computed beside it", async () => {
    const all = await tokensOf("shuffle(sift)");
    const last = await tokensOf("shuffle(sift)", [PICTURES[2]!]);
    expect(maxDifference(all.subarray(2 * T * 128), last)).toBe(0);
    expect(maxDifference(all, await tokensOf("shuffle1(sift)"))).toBeGreaterThan(0);
  });
});

describe("controls", () => {
  test("constant is the same token everywhere", async () => {
    const tokens = await tokensOf("constant:d5");
    expect(tokens.length).toBe(PICTURES.length * T * 5);
    expect(new Set(tokens)).toEqual(new Set([1]));
  });

  test("noise is standard normal, without structure, the same for the same image and another for another", async () => {
    const tokens = await tokensOf("noise");
    const count = tokens.length;
    const mean = tokens.reduce((a, b) => a + b) / count;
    const variance = tokens.reduce((a, b) => a + (b - mean) ** 2, 0) / count;
    // Five standard errors of the mean and of the variance.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    const again = await tokensOf("noise", [PICTURES[1]!]);
    expect(maxDifference(tokens.subarray(T * 128, 2 * T * 128), again)).toBe(0);
    const rows = rowsOf(tokens, 128);
    for (let a = 0; a < rows.length; a++) {
      for (let b = 0; b < a; b++) expect(Math.abs(cosine(rows[a]!, rows[b]!))).toBeLessThan(0.5);
    }
  });
});

/** Random pictures as a data set. */
function pictureSource(length: number): ImageSource {
  return {
    name: "pictures",
    classes: ["all"],
    length,
    fingerprint: "pictures",
    skipped: [],
    id: (index) => `picture ${index}`,
    label: () => 0,
    load: async (index, sizePx) => randomPicture(index, sizePx, sizePx).pixels,
    close: async () => {},
  };
}

describe("pca", () => {
  const source = pictureSource(7);
  const computing = { imageSizePx: SIZE, grid: GRID, batch: 2 };
  const all = Array.from({ length: 7 }, (_, i) => randomPicture(i, SIZE, SIZE));
  const fitted = async (target: string) => fitDescriptor(parseTarget(target), source, computing);

  test("tokens are the scores of the singular value decomposition of all tokens of the data set", async () => {
    const tokens = rowsOf(await tokensOf("hog:d64_cb2", all), 64);
    const svd = new SingularValueDecomposition(new Matrix(tokens).center("column"), { autoTranspose: true });
    const scores = rowsOf(await describePictures(await fitted("pca5(hog:d64_cb2)"), all, GRID), 5);
    for (let k = 0; k < 5; k++) {
      const want = svd.leftSingularVectors.getColumn(k).map((value) => value * svd.diagonal[k]!);
      const got = scores.map((token) => token[k]!);
      const sign = Math.sign(dot(want, got));
      for (const [t, value] of want.entries()) expect(got[t]).toBeCloseTo(sign * value, 5);
    }
  });

  test("all components keep every distance", async () => {
    const plain = rowsOf(await tokensOf("hog:d16_cb1"), 16);
    const turned = rowsOf(await describePictures(await fitted("pca16(hog:d16_cb1)"), PICTURES, GRID), 16);
    const distance = (rows: number[][], a: number, b: number) =>
      Math.sqrt(rows[a]!.reduce((sum, x, d) => sum + (x - rows[b]![d]!) ** 2, 0));
    for (let a = 1; a < plain.length; a++) {
      expect(distance(turned, a, a - 1)).toBeCloseTo(distance(plain, a, a - 1), 5);
    }
  });

  test("fits what is inside of other combinations, and is refused unfitted", async () => {
    const nested = await fitted("blur1(concat(pca3(sift),pca2(pca8(hog)),noise:d2))");
    expect(nested.fit).toBeUndefined();
    expect((await describePictures(nested, PICTURES, GRID)).length).toBe(PICTURES.length * T * 7);
    await expect(tokensOf("pca3(sift)")).rejects.toThrow(/pca3\(sift\) has to be fitted/);
    expect(await fitted("shuffle(sift)")).toMatchObject({ name: "shuffle(sift)" });
  });

  test("is fitted to images of the whole data set, evenly spaced", async () => {
    const loaded: number[] = [];
    const many: ImageSource = {
      ...pictureSource(640),
      load: async (index, sizePx) => {
        loaded.push(index);
        return new Uint8Array(sizePx ** 2 * 3).fill(index % 256);
      },
    };
    await fitDescriptor(parseTarget("pca2(hog)"), many, computing);
    expect(loaded).toEqual(Array.from({ length: 64 }, (_, i) => 5 + 10 * i));
  });
});

describe("target strings of combinations", () => {
  test.each([
    ["concat(sift, hog:cb4_d128)", "concat(sift,hog)", 256],
    ["pca64( concat(sift,hog) )", "pca64(concat(sift,hog))", 64],
    ["blur2.0(hog:ppc4_d144)", "blur2(hog:d144_ppc4)", 144],
    ["blur0.50(noise:d4)", "blur0.5(noise:d4)", 4],
    ["shuffle0(sift)", "shuffle(sift)", 128],
    ["shuffle07(constant:d128)", "shuffle7(constant)", 128],
    ["concat(pca2(sift),shuffle(hog),constant:d1)", "concat(pca2(sift),shuffle(hog),constant:d1)", 131],
  ])("%s is %s", (target, name, dim) => {
    expect(parseTarget(target)).toMatchObject({ name, dim });
    expect(parseTarget(name).name).toBe(name);
  });

  test("a combination's version rises with its parts'", () => {
    expect(parseTarget("blur2(hog)").version).toBeGreaterThan(parseTarget("hog").version);
    expect(parseTarget("concat(sift,hog)").version).toBeGreaterThan(parseTarget("sift").version);
  });

  test.each([
    ["shufle(sift)", /did you mean "shuffle\(…\)"/],
    ["bluur2(hog)", /did you mean "blur2\(…\)"/],
    ["concat(sift,hgo)", /unknown target "hgo".*did you mean "hog"/],
    ["concat(sift)", /wanted two or more targets, got 1/],
    ["concat2(sift,hog)", /concat takes no number/],
    ["concat(sift,,hog)", /an empty place/],
    ["blur(hog)", /wanted σ in tokens.*blur2\(hog\)/],
    ["blur0(hog)", /above 0/],
    ["blur2(sift,hog)", /wanted one target in the parentheses, got sift, hog/],
    ["blur2()", /wanted one target in the parentheses, got none/],
    ["pca(sift)", /1 to 128, got "" — for example pca64\(sift\)/],
    ["pca129(sift)", /1 to 128, got "129"/],
    ["shuffle-1(sift)", /whole number as seed/],
    ["pca64(sift", /a "\)" is missing/],
    ["pca64(sift))", /a "\)" too many/],
    ["pca64(sift)x", /ends with "\)"/],
    ["pca64(sift),hog", /wanted one target/],
    ["pca64", /unknown target "pca64".*did you mean "pcaN\(TARGET\)"/],
    ["concat", /did you mean "concat\(TARGET/],
    ["noise:64", /want dD/],
    ["constant:d0", /1\.\.4096/],
  ])("%s is refused in one line that helps", (target, message) => {
    const parse = () => parseTarget(target);
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(message);
  });

  test("lists are split at the commas outside parentheses", () => {
    expect(splitTargetList(" sift, concat(sift,pca2(hog)) ,noise")).toEqual([
      "sift",
      "concat(sift,pca2(hog))",
      "noise",
    ]);
  });

  test("options joined by commas stay with their target", () => {
    const split = (list: string) => splitTargets(list, ["sift", "hog", "blur"]);
    expect(split("sift:vlfeat, flat,hog")).toEqual(["sift:vlfeat,flat", "hog"]);
    expect(split("hog:a,b=2,blur0.5(sift:c,d),sift")).toEqual(["hog:a,b=2", "blur0.5(sift:c,d)", "sift"]);
    // Without options before it, and behind a combination, it is a target that nobody knows.
    expect(split("sift,flat")).toEqual(["sift", "flat"]);
    expect(split("blur2(sift:c),flat")).toEqual(["blur2(sift:c)", "flat"]);
  });
});
