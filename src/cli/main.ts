/**
 * @file The command line: parses, runs one command, and turns errors into exit codes.
 *
 * Exit codes: 0 done · 1 a bug of descry (stack trace) · 2 something the user can mend (one line) · 130 interrupted.
 */
import yargs, { type Argv } from "yargs";
import { unexpectedFileError } from "../../data/atomic.js";
import { DescryError, UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";
import { packageVersion } from "../run/machine.js";
import { Interrupted } from "../run/task-process.js";
import type { Command } from "./command.js";
import { COMMANDS } from "./commands/index.js";
import type { CliContext } from "./context.js";
import { stopProgress } from "./progress.js";

const GLOBAL_OPTIONS = ["help", "version"];

/**
 * Run a command line.
 *
 * @param argv without `node` and the program's name.
 * @returns the exit code; never ends the process itself.
 */
export async function main(argv: readonly string[], context: CliContext): Promise<number> {
  try {
    return await dispatch(argv, context);
  } catch (error) {
    stopProgress();
    return reportError(unexpectedFileError(error), context);
  } finally {
    stopProgress();
  }
}

async function dispatch(argv: readonly string[], context: CliContext): Promise<number> {
  const word = argv.find((one) => !one.startsWith("-"));
  if (word !== undefined && !COMMANDS.some(({ name }) => name === word)) throw unknownCommand(word);
  let exitCode = 0;
  let printed = "";
  const parser = yargs([...argv])
    .scriptName("descry")
    .usage("$0 <command>\n\nFeature targets, diffusion transformers aligned to them, and a report that compares them.")
    .locale("en")
    .parserConfiguration({ "camel-case-expansion": false, "parse-positional-numbers": false, "parse-numbers": false })
    .version(packageVersion("descry"))
    .wrap(null)
    .strict()
    .demandCommand(1, "no command given")
    .exitProcess(false)
    .showHelpOnFail(false)
    .epilogue("descry COMMAND --help shows the options of a command, with examples.")
    .fail((message, error) => {
      // YError: what yargs itself does not like; any other error comes from a command.
      throw error === undefined || error.name === "YError" ? explain(error?.message ?? message, argv) : error;
    });
  for (const command of COMMANDS) {
    register(parser, command, async (args) => {
      exitCode = await command.run(args, context);
    });
  }
  await parser.parseAsync([...argv], {}, (_error: unknown, _args: unknown, output: string) => {
    printed = output;
  });
  if (printed !== "") context.stdout.write(`${printed}\n`);
  return exitCode;
}

function register(parser: Argv, command: Command, run: (args: Record<string, unknown>) => Promise<void>): void {
  parser.command(
    `${command.name} ${command.arguments}`.trim(),
    command.summary,
    (builder) => {
      for (const [name, options] of Object.entries(command.positionals)) builder.positional(name, options);
      builder.options(command.options);
      for (const [line, what] of command.examples) builder.example(line, what);
      return builder;
    },
    run,
  );
}

/** yargs says what it does not know; add what is near. */
function explain(message: string, argv: readonly string[]): UsageError {
  const names = COMMANDS.map((command) => command.name);
  const command = COMMANDS.find((one) => one.name === argv.find((word) => !word.startsWith("-")));
  const unknown = /^Unknown (?:argument|command)s?: (.+)$/.exec(message)?.[1]?.split(", ")[0];
  if (unknown === undefined || command === undefined) {
    const hint = command === undefined ? `commands: ${names.join(", ")}` : `see descry ${command.name} --help`;
    return new UsageError(message.replace(/\s*\n\s*/g, " "), { hint });
  }
  if (!argv.some((word) => word.startsWith("-") && word.includes(unknown))) {
    return new UsageError(`${command.name}: unexpected argument "${unknown}"`, { hint: usageOf(command) });
  }
  const known = [...Object.keys(command.options), ...GLOBAL_OPTIONS];
  if (known.includes(unknown)) {
    return new UsageError(`--${unknown} stands before the command`, { hint: `descry ${command.name} … --${unknown}` });
  }
  const near = nearestName(unknown, known);
  return new UsageError(`${command.name}: unknown option --${unknown}`, {
    hint: `${near === undefined ? "" : `did you mean --${near}? `}options: ${known.map((name) => `--${name}`).join(", ")}`,
  });
}

function unknownCommand(word: string): UsageError {
  const names = COMMANDS.map(({ name }) => name);
  const near = nearestName(word, names);
  const hint = `${near === undefined ? "" : `did you mean "${near}"? `}commands: ${names.join(", ")}`;
  return new UsageError(`unknown command "${word}"`, { hint });
}

function usageOf(command: Command): string {
  return `usage: descry ${`${command.name} ${command.arguments}`.trim()}`;
}

/** Print an error the way its kind wants it. */
function reportError(error: unknown, { stderr, env }: CliContext): number {
  if (error instanceof Interrupted) {
    stderr.write(`descry: ${error.message}\n`);
    return 130;
  }
  const tag = (error as { tag?: unknown } | null)?.tag;
  if (error instanceof DescryError || (error instanceof Error && typeof tag === "string")) {
    stderr.write(`descry: ${error.message.replace(/\s*\n\s*/g, " ")}\n`);
    if (env.DESCRY_DEBUG !== undefined && env.DESCRY_DEBUG !== "") stderr.write(`${describeStack(error)}\n`);
    return 2;
  }
  stderr.write(`descry: this is a bug, please report it with the lines below\n${describeStack(error)}\n`);
  return 1;
}

function describeStack(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${describeStack(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
