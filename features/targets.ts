/** @file The registry of alignment targets: a descriptor is one file of this folder and one line here. */
import { UsageError } from "../data/errors.js";
import { nearestName } from "../data/nearest.js";
import type { Descriptor, DescriptorFamily } from "./descriptor.js";
import { hogFamily } from "./hog.js";
import { siftFamily } from "./sift.js";

const FAMILIES: readonly DescriptorFamily[] = [siftFamily, hogFamily];

/**
 * The descriptor that a target string names, such as `sift` or `hog:d144_ppc4`.
 *
 * @throws {UsageError} an unknown name (with the nearest known one) or unknown options.
 */
export function parseTarget(target: string): Descriptor {
  const colon = target.indexOf(":");
  const name = colon < 0 ? target : target.slice(0, colon);
  const family = FAMILIES.find((candidate) => candidate.name === name);
  if (family !== undefined) return family.parse(colon < 0 ? undefined : target.slice(colon + 1));
  const known = FAMILIES.map((candidate) => candidate.name);
  const nearest = nearestName(name, known);
  throw new UsageError(`unknown target "${target}"; known: ${known.join(", ")}`, {
    hint: nearest === undefined ? "descry targets lists them" : `did you mean "${nearest}"?`,
  });
}

/** What a model can be aligned to: how its target string looks, what it is, and how many channels it has. */
export function listTargets(): { pattern: string; summary: string; dim: string }[] {
  return FAMILIES.flatMap(({ targets }) => targets.map((target) => ({ ...target })));
}
