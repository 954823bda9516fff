/** @file An encoder's session and all that is done around it, from pixels to the tokens of a grid; runs in the encoder's own thread. */
import type { HostTensor, NativeDevice } from "../../src/compile/session.js";
import type { Grid } from "../descriptor.js";
import { resampleTokens } from "../resample-tokens.js";
import { resizeImages } from "../resize-images.js";
import { gridTokens, type TokenLayout, tokenLayout } from "../token-layout.js";
import type { EncoderSettings } from "./encoder-settings.js";
import { openImageNetwork } from "./open-image-network.js";

/** What an encoder is to do: plain JSON. */
export interface EncoderJob {
  /** Of the target, for messages. */
  readonly name: string;
  readonly settings: EncoderSettings;
  /** Share of the class token in every token; absent: it is not mixed in. */
  readonly alpha?: number;
  readonly device: NativeDevice;
  /** Threads of one operator; 0: all that the process may use. */
  readonly threads: number;
}

/** What only the file tells. */
export interface EncoderFacts {
  readonly layout: TokenLayout;
  /** Side of the images that the encoder sees. */
  readonly sizePx: number;
  /** Most images at once. */
  readonly batch: number;
  /** SHA-256 (hex) of the file and those with its weights. */
  readonly sha256: string;
}

/** Images and the tokens that are wanted of them. */
export interface EncoderBatch {
  /** [count,side,side,3] uint8 RGB. */
  readonly images: Uint8Array;
  readonly count: number;
  readonly sidePx: number;
  readonly grid: Grid;
}

export interface ImageEncoder {
  readonly facts: EncoderFacts;
  /** @returns [count,rows·cols,D] of the grid, new. */
  encode(batch: EncoderBatch): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/**
 * Open an encoder, and show it a gray image to see what comes out.
 *
 * @throws as {@link openImageNetwork}. @throws {ShapeError} an output that is no tokens or map, or does not fill the grid.
 */
export async function openImageEncoder({ name, settings, alpha, device, threads }: EncoderJob): Promise<ImageEncoder> {
  const { output, interpolation, dropTokens: dropped, grid: own } = settings;
  const what = `target "${name}"`;
  const network = await openImageNetwork({ ...settings, outputs: [output] }, what, { device, threads });
  const { sizePx, batch, sha256 } = network;
  const outputOf = async (images: Float32Array, rows: number) => (await network.run(images, rows))[output]!;
  try {
    const { shape } = await outputOf(new Float32Array(sizePx * sizePx * 3).fill(128), 1);
    const expected = { dropped, ...(own === undefined ? {} : { grid: own }) };
    const layout = tokenLayout(shape.slice(1), expected, `${what}: tensor "${output}"`);
    const { dim } = layout;
    return {
      facts: { layout, sizePx, batch, sha256 },
      async encode({ images, count, sidePx, grid }) {
        const size = grid[0] * grid[1] * dim;
        const features = new Float32Array(count * size);
        for (let start = 0; start < count; start += batch) {
          const rows = Math.min(batch, count - start);
          const part = images.subarray(start * sidePx * sidePx * 3, (start + rows) * sidePx * sidePx * 3);
          const resized = resizeImages(part, { count: rows, sizePx: sidePx, targetPx: sizePx, interpolation });
          const { data } = await outputOf(resized, rows);
          const tokens = resampleTokens(gridTokens(data, rows, layout), rows, dim, layout.grid, grid);
          if (alpha !== undefined) mixClassToken(tokens, data, rows, dim, alpha);
          features.set(tokens, start * size);
        }
        return features;
      },
      dispose: () => network.dispose(),
    };
  } catch (error) {
    await network.dispose();
    throw error;
  }
}

/** In place. The weights of the resampling sum to 1, so that it does not matter whether that comes before or after. */
function mixClassToken(tokens: Float32Array, output: HostTensor["data"], rows: number, dim: number, alpha: number) {
  const [each, eachOutput] = [tokens.length / rows, output.length / rows];
  for (let i = 0; i < tokens.length; i++) {
    const classToken = output[Math.floor(i / each) * eachOutput + (i % dim)]!;
    tokens[i] = alpha * classToken + (1 - alpha) * tokens[i]!;
  }
}
