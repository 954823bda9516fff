import { UsageError } from "../data/errors.js";
import { nearestName } from "../data/nearest.js";
import type { Descriptor } from "./descriptor.js";
import { hog, parseHogOptions } from "./hog.js";
import { sift } from "./sift.js";

interface Family {
  readonly pattern: string;
  readonly summary: string;
  readonly dim: string;
  /** The descriptor of `NAME` (options undefined) or `NAME:OPTIONS`. */
  make(options: string | undefined): Descriptor;
}

/** A new descriptor is one file and one entry here. */
const FAMILIES: Readonly<Record<string, Family>> = {
  sift: {
    pattern: "sift",
    summary: sift.summary,
    dim: String(sift.dim),
    make(options) {
      if (options !== undefined) throw new UsageError(`sift has no options, got "${options}"`);
      return sift;
    },
  },
  hog: {
    pattern: "hog[:gN_dN_ppcN_cbN]",
    summary: `${hog().summary} (pixels a cell ppc, cells a block cb, channels d)`,
    dim: String(hog().dim),
    make: (options) => hog(options === undefined ? {} : parseHogOptions(options)),
  },
};

/**
 * The descriptor that a target string names.
 *
 * @throws {UsageError} an unknown name, with the nearest known one, or options that the descriptor does not have.
 */
export function parseTarget(target: string): Descriptor {
  const colon = target.indexOf(":");
  const name = colon === -1 ? target : target.slice(0, colon);
  const family = Object.hasOwn(FAMILIES, name) ? FAMILIES[name] : undefined;
  if (family === undefined) {
    const near = nearestName(name, Object.keys(FAMILIES));
    const known = Object.values(FAMILIES).map(({ pattern }) => pattern);
    throw new UsageError(
      `unknown target "${target}"; there are: ${known.join(", ")}`,
      near === undefined ? {} : { hint: `did you mean ${near}?` },
    );
  }
  return family.make(colon === -1 ? undefined : target.slice(colon + 1));
}

/** All that a model can be aligned to, for people. */
export function listTargets(): { pattern: string; summary: string; dim: string }[] {
  return Object.values(FAMILIES).map(({ pattern, summary, dim }) => ({ pattern, summary, dim }));
}
