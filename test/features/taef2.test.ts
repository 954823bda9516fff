import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openLatentDecoder } from "../../features/autoencoder/open-decoder.js";
import { openLatentEncoder } from "../../features/autoencoder/open-encoder.js";
import { parseAutoencoder } from "../../features/autoencoder/parse-autoencoder.js";
import { randomPicture } from "./images.js";

const models = fileURLToPath(new URL("../../../shared/models/", import.meta.url));
const encoder = `${models}taef2_encoder.onnx`;
const S = 64;

/** No two rows, columns or channels alike. */
const image = Uint8Array.from(
  Array.from({ length: S * S }, (_, i) => {
    const [y, x] = [Math.floor(i / S), i % S];
    return [(3 * x + 5 * y) % 256, (x * y) % 256, Math.trunc(128 + 90 * Math.sin(x / 9) * Math.cos(y / 7))];
  }).flat(),
);

// onnxruntime 1.30.0 in Python 3.11 on the same image as float32 / 255, channels first: latent[0, :, 3, 5], the means of its
// channels, and of np.clip(255 * decoded, 0, 255).astype(np.uint8) row 20, columns 30 to 33, the mean, and the mean squared error.
// biome-ignore format: four lines of numbers
const LATENT = [
  0.794, -0.0584, 0.9881, 0.1474, -0.4786, 0.5597, -0.8636, -0.1155, -0.1856, 0.4719, 0.9747, -1.8762, -0.7957, 0.9639, 0.3807, 1.4675,
  -1.8475, 0.7902, 0.6724, 0.7457, 0.9005, -0.1418, 1.0249, 0.8055, 1.1638, 2.0268, -0.8848, -1.0012, -1.2171, -0.772, 0.0926, 0.0885,
];
// biome-ignore format: four lines of numbers
const CHANNEL_MEANS = [
  0.2503, -0.5003, 0.2064, 0.2292, -0.5623, 0.278, 0.0144, -0.2778, 0.083, 0.5936, 0.3248, -0.0829, -0.3689, 0.6734, -0.2938, 0.7507,
  -1.3873, 0.6506, 0.2678, 0.8973, 0.3802, 0.0864, 0.2327, 0.0547, 0.0061, 0.1712, -0.3813, -0.6072, -0.2081, -0.9584, 0.3047, -0.395,
];
const PIXELS = [220, 86, 104, 221, 85, 99, 228, 116, 128, 215, 128, 131];

describe.skipIf(!existsSync(encoder))("TAEF2, a real autoencoder (needs the shared models)", () => {
  const settings = existsSync(encoder)
    ? parseAutoencoder(
        `onnx:${encoder}#latent?decoder=${models}taef2_decoder.onnx&latents=mean&pixels=0..1&channels=32`,
      )
    : (undefined as never);

  test("latents and pictures are those of ONNX Runtime in Python", async () => {
    const encode = await openLatentEncoder(settings, S);
    const latent = await encode.encode(image, 1);
    expect(encode.shape).toEqual([32, 8, 8]);
    for (let c = 0; c < 32; c++) {
      const channel = latent.subarray(c * 64, (c + 1) * 64);
      expect(channel[3 * 8 + 5]).toBeCloseTo(LATENT[c]!, 3);
      expect(channel.reduce((sum, value) => sum + value, 0) / 64).toBeCloseTo(CHANNEL_MEANS[c]!, 3);
    }
    const decode = await openLatentDecoder(settings, S);
    const decoded = new Uint8Array(image.length);
    await decode.decode(latent, 1, decoded);
    for (const [i, value] of PIXELS.entries()) {
      expect(Math.abs(decoded[(20 * S + 30) * 3 + i]! - value)).toBeLessThanOrEqual(1);
    }
    expect(decoded.reduce((sum, value) => sum + value, 0) / decoded.length).toBeCloseTo(123.144, 1);
    const mse = decoded.reduce((sum, value, i) => sum + (value - image[i]!) ** 2, 0) / decoded.length;
    expect(mse).toBeGreaterThan(1615);
    expect(mse).toBeLessThan(1625);
    await Promise.all([encode.dispose(), decode.dispose()]);
  });

  test("a batch gives what its images give one by one", async () => {
    const encode = await openLatentEncoder(settings, S);
    const images = [image, randomPicture(1, S, S).pixels, randomPicture(2, S, S).pixels];
    const all = await encode.encode(Buffer.concat(images), 3);
    for (const [i, one] of images.entries()) {
      const alone = await encode.encode(one, 1);
      const difference = alone.map((value, at) => Math.abs(value - all[i * alone.length + at]!));
      expect(Math.max(...difference)).toBeLessThan(1e-4);
    }
    await encode.dispose();
  });
});
