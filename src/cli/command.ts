/**
 * @file The shape of a command, and typed reading of its arguments. yargs parses, but gets no defaults and no coercions: an
 * option that is absent stays absent, and what is given is checked here.
 */
import type { Options, PositionalOptions } from "yargs";
import { UsageError } from "../../data/errors.js";
import type { CliContext } from "./context.js";

/** Parsed arguments, by name. */
export type Arguments = Readonly<Record<string, unknown>>;

/** One command of the command line. */
export interface Command {
  /** As typed. */
  readonly name: string;
  /** Positional arguments in yargs notation: `<file>`, `[run]`; empty for none. */
  readonly arguments: string;
  /** One line for `descry --help`. */
  readonly summary: string;
  readonly positionals: Readonly<Record<string, PositionalOptions>>;
  readonly options: Readonly<Record<string, Options>>;
  /** Command line → what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** @returns the exit code. */
  run(args: Arguments, context: CliContext): Promise<number>;
}

/** Commands under one word: `descry analyze correlation`. */
export interface CommandGroup {
  readonly name: string;
  /** One line for `descry --help`. */
  readonly summary: string;
  readonly commands: readonly Command[];
}

/** An option that takes one text, or undefined. @throws {UsageError} given twice or empty. */
export function textOption(args: Arguments, name: string): string | undefined {
  const value = args[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value)) throw new UsageError(`--${name} is given ${value.length} times: wanted once`);
  const text = String(value);
  if (text === "") throw new UsageError(`--${name} is empty`);
  return text;
}

/** An option that may be given several times; values may also be separated by commas when `commas` is set. */
export function listOption(args: Arguments, name: string): string[] {
  const value = args[name];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

/** A whole number of at least `min`, or undefined. @throws {UsageError} anything else. */
export function wholeOption(args: Arguments, name: string, min: number): number | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
    throw new UsageError(`--${name}: wanted a whole number of at least ${min}, got ${JSON.stringify(text)}`);
  }
  return value;
}

/**
 * A number, or undefined.
 *
 * @param wanted for the message. @param fits further conditions.
 * @throws {UsageError} anything else.
 */
export function numberOption(
  args: Arguments,
  name: string,
  wanted = "a number",
  fits: (value: number) => boolean = () => true,
): number | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && fits(value)) return value;
  throw new UsageError(`--${name}: wanted ${wanted}, got ${JSON.stringify(text)}`);
}

/** A number from 0 to 1, or undefined. @throws {UsageError} anything else. */
export const shareOption = (args: Arguments, name: string): number | undefined =>
  numberOption(args, name, "a number between 0 and 1", (value) => value >= 0 && value <= 1);

/** A switch: false when absent. */
export function flag(args: Arguments, name: string): boolean {
  return args[name] === true;
}

/** A positional argument that yargs has required. */
export function positional(args: Arguments, name: string): string {
  return String(args[name]);
}
