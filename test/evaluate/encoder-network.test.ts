import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { UsageError } from "../../data/errors.js";
import type { PublishedEncoder } from "../../features/encoders/published-encoder.js";
import { CMMD_ENCODER, networkSlug, parseNetworkName } from "../../src/evaluate/network-name.js";
import { openEncoderNetwork } from "../../src/evaluate/networks/encoder-network.js";
import { PATCH, tinyEncoder } from "../features/tiny-encoder.js";

describe("published encoders as feature networks", () => {
  let folder = "";
  const encoder: PublishedEncoder = {
    name: "tiny",
    title: "Tiny",
    dim: 3,
    patchPx: PATCH[0],
    interpolation: "bilinear",
    statistics: { mean: [0, 0, 0], std: [1, 1, 1] },
    ownStatistics: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    output: "patches",
    prefix: 0,
    python: "none",
  };
  const SIDE = 16 * PATCH[0];
  /** The first patch is white, the rest dark blue. */
  const image = new Uint8Array(SIDE * SIDE * 3);
  for (let i = 0; i < SIDE * SIDE; i++) {
    const isFirst = Math.floor(i / SIDE) < PATCH[0] && i % SIDE < PATCH[1];
    image.set(isFirst ? [255, 255, 255] : [0, 0, 51], i * 3);
  }

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "descry-"));
    vi.stubEnv("DESCRY_ENCODERS", path.join(folder, "own"));
    await mkdir(path.join(folder, "own"));
    await writeFile(path.join(folder, "own", "tiny.onnx"), tinyEncoder("n", "side"));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });

  test("the class token where there is one, else the mean over patches; by the weights' own statistics", async () => {
    for (const [prefix, share] of [
      [1, 1],
      [0, 1 / 512],
    ] as const) {
      const network = await openEncoderNetwork({ ...encoder, prefix });
      const { features } = await network.features(image, 1, SIDE);
      const blue = 0.2 + share * 0.8;
      for (const [c, value] of [share, share, blue].entries()) expect(features[c]).toBeCloseTo((value - 0.5) / 0.25, 4);
      expect(network).toMatchObject({
        name: "tiny",
        proxy: true,
        dim: 3,
        gaussianMmd: "gaussian_mmd",
        resize: "64 px, bicubic, half-pixel centres, antialiased; (x/255 - [0.5,0.5,0.5]) / [0.25,0.25,0.25]",
        cite: expect.stringContaining(prefix === 1 ? "Tiny, class token; " : "Tiny, mean over the patches; "),
      });
      await network.dispose();
    }
  });

  test("an export of another width is refused", async () => {
    await expect(openEncoderNetwork({ ...encoder, dim: 384 })).rejects.toThrow(/gives 3 features, wanted 384/);
  });

  test("names: encoders of the targets, CLIP for CMMD, and what they are called in files", () => {
    expect(parseNetworkName("dinov2-vit-l")).toMatchObject({ kind: "encoder", encoder: { dim: 1024, prefix: 1 } });
    expect(parseNetworkName("clip-vit-l-336")).toEqual({ kind: "encoder", encoder: CMMD_ENCODER });
    expect(parseNetworkName("inception-adm")).toEqual({ kind: "inception" });
    expect(() => parseNetworkName("dinov2-vit-x")).toThrow(UsageError);
    expect(() => parseNetworkName("dinov2-vit-x")).toThrow(/did you mean "dinov2-vit-/);
    expect(networkSlug("dinov2-vit-l")).toBe("dinov2-vit-l");
    const slug = networkSlug("onnx:nets/my net.onnx#y?mean=0&std=1");
    expect(slug).toMatch(/^my-net-[0-9a-f]{8}$/);
    expect(networkSlug("onnx:nets/my net.onnx#y?mean=0&std=2")).not.toBe(slug);
  });
});
