import { basename } from "node:path";
import { NumericError, ShapeError, UsageError } from "../../data/errors.js";
import { writePixels } from "../../data/write-pixels.js";
import { type ModelPort, type OpenedModel, openModel, type SessionOptions } from "../../src/compile/session.js";
import { readModel } from "../onnx/read-model.js";
import type { AutoencoderSettings } from "./autoencoder-name.js";
import { imagesAtOnce } from "./pixels-at-once.js";

/** The decoder of an autoencoder, ready for one image size. Calls must not overlap. */
export interface LatentDecoder {
  /** Side of the images. */
  readonly sizePx: number;
  /** SHA-256 (hex) of its file. */
  readonly sha256: string;
  /**
   * Decode in batches of bounded memory; values are cut down to whole numbers of 0…255, as for every sample.
   *
   * @param latents [count,C,h,w] as the encoder gives them, not scaled. Read only.
   * @param out     gets [count,H,W,3] RGB, uint8; the caller's.
   * @param nameOf  what latent i of these is called in an error.
   * @throws {NumericError} a picture that is not finite.
   */
  decode(latents: Float32Array, count: number, out: Uint8Array, nameOf?: (i: number) => string): Promise<void>;
  dispose(): Promise<void>;
}

/**
 * Open a decoder and see that it gives images of the size that the encoder took.
 *
 * @param sizePx side of the images, a multiple of the downsampling.
 * @throws {DataError} a file that cannot be read. @throws {UsageError} a tensor that the model has not, or several to choose from.
 * @throws {ShapeError} a model that takes other latents or gives other images.
 */
export async function openLatentDecoder(
  settings: AutoencoderSettings,
  sizePx: number,
  options: SessionOptions = {},
): Promise<LatentDecoder> {
  const { decoder, channels, downsampling, pixels } = settings;
  const what = `autoencoder "${settings.name}"`;
  const side = sizePx / downsampling;
  const { model: source, sha256 } = await readModel(
    decoder.file,
    decoder.output === undefined ? [] : [decoder.output],
    what,
  );
  const model = await openModel(source, options);
  const latentSize = channels * side * side;
  const imageSize = 3 * sizePx * sizePx;
  try {
    const output = decoder.output ?? onlyOutput(model, decoder.file, what);
    const { input, most, isFixed } = inputOf(model, [channels, side], decoder.file, what);
    const batch = isFixed ? most : Math.min(most, imagesAtOnce(sizePx));
    const run = async (latents: Float32Array, rows: number): Promise<Float32Array> => {
      // A model with a fixed batch gets a full one.
      const given = isFixed ? batch : rows;
      const data = new Float32Array(given * latentSize);
      data.set(latents);
      const results = await model.run({ [input]: { data, shape: [given, channels, side, side] } }, [output]);
      const { data: images, shape } = results[output]!;
      if (shape.join() !== [given, 3, sizePx, sizePx].join()) {
        throw new ShapeError(
          `${what}: tensor "${output}" of ${basename(decoder.file)} is [${shape.join(", ")}], want ${given} image(s) [3, ${sizePx}, ${sizePx}], as the encoder takes them`,
        );
      }
      return images as Float32Array;
    };
    await run(new Float32Array(latentSize), 1);
    return {
      sizePx,
      sha256,
      async decode(latents, count, out, nameOf = (i) => `latent ${i}`) {
        if (latents.length !== count * latentSize || out.length !== count * imageSize) {
          throw new ShapeError(
            `${what}: ${latents.length} values are not ${count} latents [${channels}, ${side}, ${side}]`,
          );
        }
        for (let start = 0; start < count; start += batch) {
          const rows = Math.min(batch, count - start);
          const images = await run(latents.subarray(start * latentSize, (start + rows) * latentSize), rows);
          for (let i = 0; i < rows; i++) {
            const image = images.subarray(i * imageSize, (i + 1) * imageSize);
            if (!image.every(Number.isFinite)) {
              throw new NumericError(`${what}: ${nameOf(start + i)} decodes to values that are not finite`);
            }
            writePixels(image, 3, out.subarray((start + i) * imageSize, (start + i + 1) * imageSize), pixels);
          }
        }
      },
      dispose: () => model.dispose(),
    };
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

function onlyOutput({ outputs }: OpenedModel, file: string, what: string): string {
  const [first, ...others] = outputs.map(({ name }) => name);
  if (first !== undefined && others.length === 0) return first;
  throw new UsageError(`${what}: ${basename(file)} has the outputs ${[first, ...others].join(", ")}`, {
    hint: `say which are the pixels, such as image=${first}`,
  });
}

/** The one input, and the most latents of one run. */
function inputOf({ inputs }: OpenedModel, [channels, side]: readonly [number, number], file: string, what: string) {
  const [port, ...others] = inputs;
  const fits = (axis: number, size: number): boolean => isFree(port!, axis) || port!.shape[axis] === size;
  if (
    port === undefined ||
    others.length > 0 ||
    port.shape.length !== 4 ||
    ![channels, side, side].every((size, i) => fits(i + 1, size))
  ) {
    const got = inputs.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(" and ");
    throw new ShapeError(
      `${what}: ${basename(file)} should take one input [n, ${channels}, ${side}, ${side}], it takes ${got}`,
    );
  }
  const isFixed = !isFree(port, 0);
  return { input: port.name, isFixed, most: isFixed ? (port.shape[0] as number) : Number.POSITIVE_INFINITY };
}

const isFree = ({ shape }: ModelPort, axis: number): boolean => {
  const side = shape[axis];
  return typeof side !== "number" || side <= 0;
};
