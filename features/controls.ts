/** @file Controls: targets that know nothing of what an image shows. Owns the target strings `constant[:dD]` and `noise[:dD]`. */
import { UsageError } from "../data/errors.js";
import { randomStream } from "../data/random.js";
import type { DescriptorFamily, OpenedDescriptor } from "./descriptor.js";
import { pair } from "./pair.js";
import { imageDigest, splitImages } from "./split-images.js";

/** As wide as SIFT and HOG, so that a projector on a control has as many parameters as on those. */
const DEFAULT_DIM = 128;
const MAX_DIM = 4096;

/** A descriptor that fills the tokens of one image at a time, [T,D]. */
function control(
  name: string,
  dim: number,
  summary: string,
  fill: (tokens: Float32Array, image: Uint8Array) => void,
): OpenedDescriptor {
  const fullName = dim === DEFAULT_DIM ? name : `${name}:d${dim}`;
  return {
    name: fullName,
    dim,
    version: 1,
    summary,
    async open(options) {
      const [rows, cols] = pair(options.grid);
      const size = rows * cols * dim;
      return {
        async compute(images, count) {
          const tokens = new Float32Array(count * size);
          for (const [i, image] of splitImages(images, count, options, fullName).entries()) {
            fill(tokens.subarray(i * size, (i + 1) * size), image);
          }
          return tokens;
        },
        dispose: async () => {},
      };
    },
  };
}

function controlFamily(name: string, summary: string, fill: (tokens: Float32Array, image: Uint8Array) => void) {
  const family: DescriptorFamily = {
    name,
    targets: [{ pattern: `${name}, ${name}:dD`, summary, dim: `${DEFAULT_DIM}, D` }],
    parse(options) {
      const digits = options === undefined ? `${DEFAULT_DIM}` : /^d(\d+)$/.exec(options)?.[1];
      const dim = Number(digits);
      if (!(dim >= 1 && dim <= MAX_DIM)) {
        throw new UsageError(`target "${name}:${options}": want dD with a width D of 1..${MAX_DIM}`, {
          hint: `for example "${name}:d64"`,
        });
      }
      return control(name, dim, summary, fill);
    },
  };
  return family;
}

/** Every token of every image is the same: ones. Nothing can be learnt from it but the constant itself. */
export const constantFamily = controlFamily("constant", "control: the same token everywhere", (tokens) => {
  tokens.fill(1);
});

/** Independent standard normal numbers, drawn from the image's bytes: an image always gets the same ones. */
export const noiseFamily = controlFamily(
  "noise",
  "control: normal noise, always the same for the same image",
  (tokens, image) => {
    tokens.set(randomStream(0, `features/noise/${imageDigest(image)}`, 0).normal(tokens.length));
  },
);
