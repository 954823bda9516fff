/** @file Options of a target string that all have defaults: one table for reading them, for their defaults and for the name. */
import { UsageError } from "../data/errors.js";
import { type OptionKind, parseOptions, targetName } from "./target-options.js";

/** A switch, off by default, or a number with a range and a default. */
export type TableOption =
  | { readonly kind: "switch" }
  | (Extract<OptionKind, { kind: "number" }> & { readonly byDefault: number });

export type OptionTable = Readonly<Record<string, TableOption>>;

/** Numbers for options with a range, booleans for switches. */
export type TableValues<Table extends OptionTable> = {
  readonly [Key in keyof Table]: Table[Key]["kind"] extends "switch" ? boolean : number;
};

export const OFF = { kind: "switch" } as const;

export const wholeNumber = (byDefault: number, min: number, max: number) =>
  ({ kind: "number", byDefault, min, max, isWhole: true }) as const;

/**
 * @param family what stands before the colon of the target string.
 * @param text   what stands behind it; undefined: no options.
 * @returns      the values, and the canonical target string: options in the order of the table, without those at their defaults.
 * @throws {UsageError} options that are not in the table or values that they do not take.
 */
export function readOptions<Table extends OptionTable>(
  family: string,
  text: string | undefined,
  table: Table,
): { values: TableValues<Table>; name: string } {
  if (text !== undefined && Object.keys(table).length === 0) {
    throw new UsageError(`target "${family}:${text}": ${family} has no options`, { hint: `write "${family}"` });
  }
  const given = parseOptions(family, text, table);
  const values = Object.fromEntries(
    Object.entries(table).map(([key, option]) => [
      key,
      given[key] ?? (option.kind === "switch" ? false : option.byDefault),
    ]),
  ) as TableValues<Table>;
  const named = Object.entries(table).map(
    ([key, option]) => [key, values[key]!, option.kind === "switch" ? undefined : option.byDefault] as const,
  );
  return { values, name: targetName(family, named) };
}
