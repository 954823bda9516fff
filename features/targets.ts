/** @file The registry of alignment targets: a descriptor is one file of this folder and one line here. */
import { DescryError, UsageError } from "../data/errors.js";
import { nearestName } from "../data/nearest.js";
import { akazeFamily } from "./akaze.js";
import { briskFamily } from "./brisk.js";
import { blurFamily } from "./combine/blur.js";
import type { CombinationFamily } from "./combine/combination.js";
import { concatFamily } from "./combine/concat.js";
import { mixFamily } from "./combine/mix.js";
import { pcaFamily } from "./combine/pca.js";
import { pyramidFamily } from "./combine/pyramid.js";
import { shuffleFamily } from "./combine/shuffle.js";
import { constantFamily, noiseFamily } from "./controls.js";
import { daisyFamily } from "./daisy.js";
import { dctFamily } from "./dct.js";
import type { Descriptor, DescriptorFamily } from "./descriptor.js";
import { publishedFamilies } from "./encoders/published-family.js";
import { gaborFamily } from "./gabor.js";
import { haarFamily } from "./haar.js";
import { hogFamily } from "./hog.js";
import { kazeFamily } from "./kaze.js";
import { lbpFamily } from "./lbp.js";
import { combineLoaded } from "./load-descriptor.js";
import { momentsFamily } from "./moments.js";
import { encoderFamily } from "./onnx/encoder.js";
import { opponentFamily } from "./opponent.js";
import { orbFamily } from "./orb.js";
import { pixelsFamily } from "./pixels.js";
import { selfsimFamily } from "./selfsim.js";
import { siftFamily } from "./sift.js";
import { splitTargets } from "./split-targets.js";
import { storedFamily } from "./stored/stored-features.js";

const FAMILIES: readonly DescriptorFamily[] = [
  siftFamily,
  hogFamily,
  daisyFamily,
  lbpFamily,
  gaborFamily,
  momentsFamily,
  opponentFamily,
  dctFamily,
  haarFamily,
  selfsimFamily,
  pixelsFamily,
  orbFamily,
  briskFamily,
  akazeFamily,
  kazeFamily,
  constantFamily,
  noiseFamily,
  encoderFamily,
  storedFamily,
];

const ALL_FAMILIES = [...FAMILIES, ...publishedFamilies];

/** Made of other targets: `NAME(TARGET,…)`. */
const COMBINATIONS: readonly CombinationFamily[] = [
  concatFamily,
  pyramidFamily,
  pcaFamily,
  blurFamily,
  mixFamily,
  shuffleFamily,
];

/**
 * The descriptor that a target string names, such as `sift`, `hog:d144_ppc4` or `pca64(concat(sift,hog))`.
 *
 * @throws {UsageError} an unknown name (with the nearest known one), unknown options, or parentheses that do not match.
 */
export function parseTarget(target: string): Descriptor {
  // What stands behind a colon is the family's own, parentheses too.
  const [, head, rest] = /^([^:(),]*)\((.*)$/s.exec(target) ?? [];
  return head === undefined ? parseFamily(target) : parseCombination(target, head, rest!);
}

/**
 * The descriptors of several target strings.
 *
 * @param what who asks, for messages.
 * @throws {UsageError} none, one twice, or as {@link parseTarget}.
 */
export function parseTargets(targets: readonly string[], what: string): Descriptor[] {
  if (targets.length === 0) throw new UsageError(`${what}: wanted at least one target`);
  const descriptors = targets.map(parseTarget);
  const names = descriptors.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError(`${what}: the target ${twice} is given twice`);
  return descriptors;
}

/** The target strings of a list separated by commas. @throws {UsageError} parentheses that do not match, or an empty place. */
export function splitTargetList(list: string): string[] {
  return splitTargets(
    list,
    [...ALL_FAMILIES, ...COMBINATIONS].map(({ name }) => name),
  );
}

/** `pca64(sift)`: head `pca64`, rest `sift)`. */
function parseCombination(target: string, head: string, rest: string): Descriptor {
  const [, name, number] = /^([A-Za-z]*)(.*)$/s.exec(head)!;
  const family = COMBINATIONS.find((candidate) => candidate.name === name);
  if (family === undefined) {
    const known = COMBINATIONS.map((candidate) => candidate.name);
    const nearest = nearestName(name!, known);
    throw new UsageError(`target "${target}": "${head}" takes no targets; known: ${known.join(", ")}`, {
      hint: nearest === undefined ? "descry targets lists them" : `did you mean "${nearest}${number}(…)"?`,
    });
  }
  const [whole, ...more] = splitTargetList(target);
  if (more.length > 0 || !whole!.endsWith(")")) {
    throw new UsageError(`target "${target}": wanted one target that ends with ")"`, { hint: `${head}(…)` });
  }
  const { list, options } = takeOptions(rest.trimEnd().slice(0, -1), family.options ?? []);
  const parts = list.trim() === "" ? [] : splitTargetList(list).map(parseTarget);
  try {
    return combineLoaded(parts, (loaded) => family.combine(number!, loaded, options));
  } catch (error) {
    if (error instanceof DescryError) throw new UsageError(`target "${target}": ${error.message}`, { cause: error });
    throw error;
  }
}

/** What a combination takes as `NAME=VALUE` at the end of its list, and the targets before that. */
function takeOptions(text: string, names: readonly string[]): { list: string; options: Map<string, string> } {
  const options = new Map<string, string>();
  let list = text;
  for (;;) {
    const [, before, name, value] = /^(.*),\s*([a-z]+)=([^,()]*)$/s.exec(list) ?? [];
    if (name === undefined || !names.includes(name)) return { list, options };
    if (options.has(name)) throw new UsageError(`"${text}": "${name}" is given twice`);
    options.set(name, value!.trim());
    list = before!;
  }
}

function parseFamily(target: string): Descriptor {
  const colon = target.indexOf(":");
  const name = colon < 0 ? target : target.slice(0, colon);
  const family = ALL_FAMILIES.find((candidate) => candidate.name === name);
  if (family !== undefined) return family.parse(colon < 0 ? undefined : target.slice(colon + 1));
  const known = FAMILIES.map((candidate) => candidate.name);
  const combinations = COMBINATIONS.map((candidate) => candidate.name);
  const encoders = publishedFamilies.map((candidate) => candidate.name);
  const nearest = nearestName(name.replace(/\d+$/, ""), [...known, ...combinations, ...encoders]);
  const combination = COMBINATIONS.find((candidate) => candidate.name === nearest);
  throw new UsageError(
    `unknown target "${target}"; known: ${known.join(", ")}, ${combinations.join("(…), ")}(…) and ${encoders.length} encoders (descry targets --encoders)`,
    {
      hint:
        nearest === undefined
          ? "descry targets lists them"
          : `did you mean "${combination === undefined ? nearest : combination.targets[0]!.pattern}"?`,
    },
  );
}

/** What a model can be aligned to: how its target string looks, what it is, and how many channels it has. */
export function listTargets(): { pattern: string; summary: string; dim: string }[] {
  return [...FAMILIES, ...COMBINATIONS].flatMap(({ targets }) => targets.map((target) => ({ ...target })));
}
