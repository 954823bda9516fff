/**
 * @file Options of a target string: what stands behind the colon of `family:option,option=value,…`.
 *
 * Options are joined by commas, in any order. One without a value is a switch or names a variant; the others are `name=value`. Those
 * that are not given take their defaults, and those that are given with their default are left out of the canonical name.
 */
import { UsageError } from "../data/errors.js";
import { nearestName } from "../data/nearest.js";

/** What an option takes. */
export type OptionKind =
  | { readonly kind: "switch" }
  | { readonly kind: "number"; readonly min: number; readonly max: number; readonly isWhole: boolean }
  | { readonly kind: "choice"; readonly of: readonly string[] };

/** The values of the options that were given; a switch is true. */
export type OptionValues = Readonly<Record<string, number | string | true>>;

/**
 * @param family what stands before the options; with a colon in it, a variant, whose options follow a comma.
 * @param text   what stands behind it; undefined: no options.
 * @throws {UsageError} an option that is unknown, given twice, without a value, or with one that it does not take.
 */
export function parseOptions(
  family: string,
  text: string | undefined,
  kinds: Readonly<Record<string, OptionKind>>,
): OptionValues {
  const values: Record<string, number | string | true> = {};
  const start = `${family}${family.includes(":") ? "," : ":"}`;
  for (const part of text === undefined ? [] : text.split(",").map((piece) => piece.trim())) {
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    const given = equals < 0 ? undefined : part.slice(equals + 1);
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    const refuse = (what: string, hint: string): never => {
      throw new UsageError(`target "${start}${text}": ${what}`, { hint });
    };
    if (kind === undefined) {
      const known = Object.keys(kinds);
      const nearest = nearestName(name, known);
      const listed = Object.entries(kinds).map(([option, of]) => usage(option, of));
      return refuse(
        `unknown option "${part}"; known: ${listed.join(", ")}`,
        nearest === undefined
          ? `for example "${start}${known[0]}"`
          : `did you mean "${start}${nearest}${given === undefined ? "" : `=${given}`}"?`,
      );
    }
    if (Object.hasOwn(values, name)) refuse(`"${name}" is given twice`, "once is enough");
    const value = readValue(kind, given);
    if (value === undefined)
      refuse(`want ${usage(name, kind)}, got "${part}"`, `for example "${start}${example(name, kind)}"`);
    else values[name] = value;
  }
  return values;
}

function readValue(kind: OptionKind, given: string | undefined): number | string | true | undefined {
  switch (kind.kind) {
    case "switch":
      return given === undefined ? true : undefined;
    case "choice":
      return given !== undefined && kind.of.includes(given) ? given : undefined;
    case "number": {
      const value = given === undefined || given.trim() === "" ? Number.NaN : Number(given);
      const isTaken = value >= kind.min && value <= kind.max && (!kind.isWhole || Number.isInteger(value));
      // No negative zero: names are made of values.
      return isTaken ? value + 0 : undefined;
    }
  }
}

function usage(name: string, kind: OptionKind): string {
  switch (kind.kind) {
    case "switch":
      return name;
    case "choice":
      return `${name}=${kind.of.join("|")}`;
    case "number":
      return `${name}=${kind.min}..${kind.max}`;
  }
}

function example(name: string, kind: OptionKind): string {
  switch (kind.kind) {
    case "switch":
      return name;
    case "choice":
      return `${name}=${kind.of[0]}`;
    case "number":
      return `${name}=${kind.isWhole ? Math.max(kind.min, Math.min(kind.max, 4)) : kind.max}`;
  }
}

/** The canonical name: the options that are not at their defaults, in the order given; a switch that is on has the value true. */
export function targetName(
  family: string,
  options: readonly (readonly [
    name: string,
    value: number | string | boolean | undefined,
    byDefault?: number | string,
  ])[],
): string {
  const set = options.flatMap(([name, value, byDefault]) => {
    if (value === undefined || value === false || value === byDefault) return [];
    return value === true ? [name] : [`${name}=${value}`];
  });
  return set.length === 0 ? family : `${family}:${set.join(",")}`;
}
