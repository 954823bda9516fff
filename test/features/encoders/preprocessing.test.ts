import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { ENCODERS } from "../../../features/encoders/encoder-table.js";
import { inputSide } from "../../../features/encoders/input-side.js";
import { encoderSettings } from "../../../features/encoders/published-family.js";
import { toPlanes } from "../../../features/onnx/preprocessing.js";
import { resizeImages } from "../../../features/resize-images.js";

interface Case {
  readonly encoder: string;
  readonly imagePx: number;
  readonly sidePx: number;
  /** Places in the planes [3,side,side]. */
  readonly at: readonly number[];
  readonly values: readonly number[];
}

/** What PyTorch, torchvision, timm, open_clip and transformers make of the picture; by make_preprocessing.py. */
const { cases } = JSON.parse(readFileSync(path.join(import.meta.dirname, "preprocessing.json"), "utf8")) as {
  cases: Case[];
};

function picture(side: number): Uint8Array {
  const pixels = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      for (let c = 0; c < 3; c++) {
        pixels[(y * side + x) * 3 + c] = (37 * y * y + 91 * x + 13 * x * y + 50 * c + 7 * (x >> 3) * (y >> 2)) % 256;
      }
    }
  }
  return pixels;
}

const targetOf = (name: string) => {
  const [first, option] = name.split(":");
  return { encoder: ENCODERS.find((encoder) => encoder.name === first)!, ownStats: option === "own-stats" };
};

test.each(cases)("$encoder sees an image of $imagePx px as PyTorch makes it", (one) => {
  const { encoder, ownStats } = targetOf(one.encoder);
  const sizePx = inputSide(encoder, one.imagePx);
  expect(sizePx).toBe(one.sidePx);
  const settings = encoderSettings({ encoder, ownStats });
  const { interpolation } = settings;
  const resized = resizeImages(picture(one.imagePx), {
    count: 1,
    sizePx: one.imagePx,
    targetPx: sizePx,
    interpolation,
  });
  const planes = toPlanes(resized, { rows: 1, batch: 1, sizePx }, settings);
  // Six digits on their side, float32 on ours; relative to the range of the values, which is 255 for vgg:own-stats.
  const range = Math.max(1, ...one.values.map(Math.abs));
  for (const [k, at] of one.at.entries()) {
    expect(Math.abs(planes[at]! - one.values[k]!), `at ${at}: ${planes[at]} for ${one.values[k]}`).toBeLessThan(
      1e-5 * range,
    );
  }
});

describe("the numbers cover the table", () => {
  test("every preprocessing of the table is that of a case", () => {
    const ruleOf = (name: string) => {
      const { encoder, ownStats } = targetOf(name);
      const { mean, std, interpolation } = encoderSettings({ encoder, ownStats });
      return JSON.stringify([mean, std, interpolation, encoder.fixedPx ?? encoder.patchPx]);
    };
    const covered = new Set(cases.map(({ encoder }) => ruleOf(encoder)));
    const names = ENCODERS.flatMap(({ name, ownStatistics }) => (ownStatistics ? [name, `${name}:own-stats`] : [name]));
    const covers = (name: string) => covered.has(ruleOf(name));
    expect(names.filter((name) => !covers(name))).toEqual(["siglip-vit-so400m:own-stats"]); // as siglip-vit-b's, at 14 px
  });

  test("an image of another size would be found out", () => {
    const sam = cases.find(({ encoder, imagePx }) => encoder === "sam-vit-b" && imagePx === 256)!;
    const bilinear = resizeImages(picture(256), { count: 1, sizePx: 256, targetPx: 1024, interpolation: "bilinear" });
    const { encoder } = targetOf("sam-vit-b");
    const planes = toPlanes(
      bilinear,
      { rows: 1, batch: 1, sizePx: 1024 },
      encoderSettings({ encoder, ownStats: false }),
    );
    const errors = sam.at.map((at, k) => Math.abs(planes[at]! - sam.values[k]!));
    expect(Math.max(...errors)).toBeGreaterThan(0.01);
  });
});
