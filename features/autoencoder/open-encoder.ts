import { ShapeError } from "../../data/errors.js";
import type { SessionOptions } from "../../src/compile/session.js";
import { type ImageNetwork, openImageNetwork } from "../onnx/open-image-network.js";
import type { AutoencoderSettings } from "./autoencoder-name.js";
import { cachedChannels, toMoments } from "./moments.js";
import { imagesAtOnce } from "./pixels-at-once.js";

/** The encoder of an autoencoder, ready for one image size. Calls must not overlap. */
export interface LatentEncoder {
  /** [C or 2C, h, w] of one image: means, and where the encoder gives them, standard deviations behind them. */
  readonly shape: readonly [channels: number, heightPx: number, widthPx: number];
  /** SHA-256 (hex) of its file. */
  readonly sha256: string;
  /**
   * @param images [count,H,W,3] RGB, uint8. Read only.
   * @returns      [count, ...shape], the caller's. Not checked for numbers that are not finite.
   */
  encode(images: Uint8Array, count: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/**
 * Open an encoder and see that it gives what its name says.
 *
 * @param sizePx side of the images, a multiple of the downsampling.
 * @throws {DataError} a file that cannot be read. @throws {UsageError} a tensor or a size that the model has not.
 * @throws {ShapeError} other channels or another size than its name says, or other latents each time.
 */
export async function openLatentEncoder(
  settings: AutoencoderSettings,
  sizePx: number,
  options: SessionOptions = {},
): Promise<LatentEncoder> {
  const { encoder, pixels, latents, channels, downsampling } = settings;
  const what = `autoencoder "${settings.name}"`;
  // pixel/127.5 − 1 is (pixel/255 − 1/2) / (1/2).
  const half = pixels === "-1..1" ? 0.5 : 0;
  const [mean, std] = [half, half === 0 ? 1 : half].map((value) => [value, value, value] as const);
  const spec = { file: encoder.file, outputs: [encoder.output], sizePx, mean: mean!, std: std! };
  const network = await openImageNetwork(spec, what, options);
  const side = sizePx / downsampling;
  const shape = [cachedChannels(latents, channels), side, side] as const;
  try {
    await checkEncoder(network, settings, shape, what);
  } catch (error) {
    await network.dispose();
    throw error;
  }
  const size = shape[0] * side * side;
  const most = Math.min(network.batch, imagesAtOnce(sizePx));
  const bytes = sizePx * sizePx * 3;
  return {
    shape,
    sha256: network.sha256,
    async encode(images, count) {
      if (images.length !== count * bytes) {
        throw new ShapeError(
          `${what}: want ${count} images of ${sizePx}×${sizePx}×3 bytes, got ${images.length} bytes`,
        );
      }
      const result = new Float32Array(count * size);
      for (let start = 0; start < count; start += most) {
        const rows = Math.min(most, count - start);
        const part = images.subarray(start * bytes, (start + rows) * bytes);
        const { data } = (await network.run(new Float32Array(part), rows))[encoder.output]!;
        result.set(data, start * size);
      }
      toMoments(result, count, latents);
      return result;
    },
    dispose: () => network.dispose(),
  };
}

/** One gray image, twice: the shape is the one wanted, and the latents are the same. */
async function checkEncoder(
  network: ImageNetwork,
  { encoder, channels, downsampling, latents }: AutoencoderSettings,
  [width, side]: readonly [number, number, number],
  what: string,
): Promise<void> {
  const gray = new Float32Array(network.sizePx ** 2 * 3).fill(128);
  const { data, shape } = (await network.run(gray, 1))[encoder.output]!;
  const tensor = `${what}: tensor "${encoder.output}"`;
  if (shape.length !== 4) {
    throw new ShapeError(`${tensor} is [${shape.join(", ")}], want a map [n, ${width}, ${side}, ${side}]`);
  }
  const [, gotWidth, ...gotSides] = shape as [number, number, number, number];
  if (gotWidth !== width) {
    const wanted = `${width} (latents=${latents} of channels=${channels})`;
    const fits = latents === "mean" && gotWidth === 2 * channels ? "latents=mean+logvar" : `channels=${gotWidth}`;
    const hint = latents !== "mean" && gotWidth === channels ? "latents=mean" : fits;
    throw new ShapeError(`${tensor} has ${gotWidth} channels, want ${wanted}`, { hint: `perhaps ${hint}` });
  }
  if (gotSides.some((got) => got !== side)) {
    throw new ShapeError(
      `${tensor} is ${gotSides.join("×")} for images of ${network.sizePx} px, want ${side}×${side} (downsampling=${downsampling})`,
      { hint: `perhaps downsampling=${network.sizePx / gotSides[0]!}` },
    );
  }
  const again = (await network.run(gray, 1))[encoder.output]!.data;
  if (again.some((value, i) => value !== data[i] && !Number.isNaN(value))) {
    throw new ShapeError(`${tensor} differs between two runs on one image: the model draws random numbers`, {
      hint: "name the tensor with the moments, before the draw, and say latents=mean+logvar",
    });
  }
}
