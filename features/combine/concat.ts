import { UsageError } from "../../data/errors.js";
import { openFeatureComputer } from "../compute-features.js";
import type { Descriptor, FeatureComputer, OpenedDescriptor } from "../descriptor.js";
import type { CombinationFamily } from "./combination.js";

/**
 * Several descriptors side by side in one token.
 *
 * Each part's token is scaled to length 1/√parts first, whatever units the part has (SIFT's tokens are 500 times as long as
 * HOG's): no part drowns another, tokens are of unit length, and the cosine of two of them is the mean of the parts' cosines. A
 * part that is zero stays zero.
 */
function concat(parts: readonly Descriptor[]): OpenedDescriptor {
  const fits = parts.some(({ fit }) => fit !== undefined);
  return {
    name: `concat(${parts.map(({ name }) => name).join(",")})`,
    dim: parts.reduce((sum, { dim }) => sum + dim, 0),
    version: parts.reduce((sum, { version }) => sum + version, 1),
    summary: `side by side, each of equal length: ${parts.map(({ name }) => name).join(", ")}`,
    ...(fits && {
      async fit(...sample) {
        const fitted: Descriptor[] = [];
        for (const part of parts) fitted.push(part.fit === undefined ? part : await part.fit(...sample));
        return concat(fitted);
      },
    }),
    async open(options) {
      const computers: FeatureComputer[] = [];
      const dispose = async () => {
        for (const computer of computers) await computer.dispose();
      };
      try {
        for (const part of parts) computers.push(await openFeatureComputer(part, options));
      } catch (error) {
        await dispose();
        throw error;
      }
      const notes = computers.flatMap(({ note }, p) => (note === undefined ? [] : [`${parts[p]!.name}: ${note}`]));
      return {
        ...(notes.length > 0 && { note: notes.join("; ") }),
        dispose,
        async compute(images, count, rows) {
          const tokens: Float32Array[] = [];
          for (const computer of computers) tokens.push(await computer.compute(images, count, rows));
          return joined(
            tokens,
            parts.map(({ dim }) => dim),
          );
        },
      };
    },
  };
}

/** [N,D] of each part → [N, sum of D], every part scaled to length 1/√parts. */
function joined(parts: readonly Float32Array[], dims: readonly number[]): Float32Array {
  const width = dims.reduce((sum, dim) => sum + dim, 0);
  const rows = parts[0]!.length / dims[0]!;
  const all = new Float32Array(rows * width);
  let offset = 0;
  for (const [p, tokens] of parts.entries()) {
    const dim = dims[p]!;
    for (let row = 0; row < rows; row++) {
      let squares = 0;
      for (let d = 0; d < dim; d++) squares += tokens[row * dim + d]! ** 2;
      const scale = squares === 0 ? 0 : 1 / Math.sqrt(squares * parts.length);
      for (let d = 0; d < dim; d++) all[row * width + offset + d] = tokens[row * dim + d]! * scale;
    }
    offset += dim;
  }
  return all;
}

export const concatFamily: CombinationFamily = {
  name: "concat",
  targets: [
    {
      pattern: "concat(TARGET,TARGET,…)",
      summary: "targets side by side, each token of a part scaled to the same length",
      dim: "sum",
    },
  ],
  combine(number, parts) {
    if (number !== "") throw new UsageError(`concat takes no number, got "${number}"`);
    if (parts.length < 2) {
      throw new UsageError(`concat: wanted two or more targets, got ${parts.length}`, {
        hint: "for example concat(sift,hog)",
      });
    }
    return concat(parts);
  },
};
