import { UsageError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import type { Descriptor, OpenedDescriptor } from "../descriptor.js";
import { imageDigest, splitImages } from "../split-images.js";
import { type CombinationFamily, mapTokens, onePart } from "./combination.js";

/**
 * A control: a descriptor's own tokens in a random order, another one for every image. What an image holds is still there, what is
 * where is not.
 *
 * The order is drawn from the seed and the image's bytes: the same in every run, whatever is computed beside it. So two shuffles
 * of one seed use the same order for the same image, and a mirror image has an order of its own.
 */
function shuffle(seed: number, part: Descriptor): OpenedDescriptor {
  const name = `shuffle${seed === 0 ? "" : seed}(${part.name})`;
  const facts = { name, dim: part.dim, version: 1, summary: `control: the tokens of ${part.name} in a random order` };
  return mapTokens(part, facts, ({ tokens, images, count, grid, options }) => {
    const T = grid[0] * grid[1];
    const shuffled = new Float32Array(tokens.length);
    for (const [i, image] of splitImages(images, count, options, name).entries()) {
      const order = randomStream(seed, `features/shuffle/${imageDigest(image)}`, 0).permutation(T);
      for (const [to, from] of order.entries()) {
        const start = (i * T + from) * part.dim;
        shuffled.set(tokens.subarray(start, start + part.dim), (i * T + to) * part.dim);
      }
    }
    return shuffled;
  });
}

export const shuffleFamily: CombinationFamily = {
  name: "shuffle",
  targets: [
    {
      pattern: "shuffle(TARGET), shuffleN(TARGET)",
      summary: "control: a target's own tokens in a random order of each image, seed N",
      dim: "same",
    },
  ],
  combine(number, parts) {
    const seed = number === "" ? 0 : Number(number);
    if (!/^\d*$/.test(number) || !Number.isSafeInteger(seed)) {
      throw new UsageError(`shuffle: wanted a whole number as seed behind the name, or nothing, got "${number}"`, {
        hint: "for example shuffle(sift)",
      });
    }
    return shuffle(seed, onePart("shuffle(sift)", parts));
  },
};
