/** @file What the combinations of descriptors have in common: `NAME(TARGET, …)`, with a number behind the name where it needs one. */
import { UsageError } from "../../data/errors.js";
import { openFeatureComputer } from "../compute-features.js";
import type { Descriptor, FeatureComputerOptions, Grid, OpenedDescriptor } from "../descriptor.js";
import { pair } from "../pair.js";

/** A kind of combination: its parts come parsed. */
export interface CombinationFamily {
  /** What the target string starts with, in letters. */
  readonly name: string;
  /** How its target strings look, for listings. */
  readonly targets: readonly { readonly pattern: string; readonly summary: string; readonly dim: string }[];
  /** Names that it takes as `NAME=VALUE` behind its parts. */
  readonly options?: readonly string[];
  /**
   * @param number what stands between the name and the parenthesis, such as the 64 of `pca64(sift)`; empty when nothing does.
   * @param parts  may be loaded or not: of those that are not, `dim` may be NaN.
   * @throws {UsageError} a number, parts or options that it does not take.
   */
  combine(number: string, parts: readonly Descriptor[], options: ReadonlyMap<string, string>): Descriptor;
}

/** The tokens of some images. */
export interface TokenBatch {
  /** [count,T,D] float32, row-major. The function's own: it may change them. */
  readonly tokens: Float32Array;
  /** [count,H,W,3] uint8. Read only. */
  readonly images: Uint8Array;
  readonly count: number;
  readonly grid: Grid;
  readonly options: FeatureComputerOptions;
}

/**
 * The descriptor whose tokens are a function of another's. It has to be fitted when the other one has to be.
 *
 * @param facts its own name, width and summary, and the version of the function; the part's version is added to it, so that the
 *   sum rises when either does.
 * @param map   [count,T,D] → [count,T,facts.dim].
 */
export function mapTokens(
  part: Descriptor,
  facts: Pick<Descriptor, "name" | "dim" | "version" | "summary">,
  map: (batch: TokenBatch) => Float32Array,
): OpenedDescriptor {
  const { fit: fitPart } = part;
  return {
    ...facts,
    version: facts.version + part.version,
    ...(fitPart && { fit: async (...sample) => mapTokens(await fitPart(...sample), facts, map) }),
    async open(options) {
      const computer = await openFeatureComputer(part, options);
      const grid = pair(options.grid);
      return {
        ...(computer.note !== undefined && { note: computer.note }),
        async compute(images, count, rows) {
          return map({ tokens: await computer.compute(images, count, rows), images, count, grid, options });
        },
        dispose: () => computer.dispose(),
      };
    },
  };
}

/** The part of a combination that takes one. @throws {UsageError} none or several. */
export function onePart(example: string, parts: readonly Descriptor[]): Descriptor {
  const [part] = parts;
  if (part === undefined || parts.length > 1) {
    const names = parts.map(({ name }) => name).join(", ");
    throw new UsageError(`wanted one target in the parentheses, got ${parts.length === 0 ? "none" : names}`, {
      hint: `for example ${example}`,
    });
  }
  return part;
}
