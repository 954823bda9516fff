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
import type { Command, CommandGroup } from "./command.js";
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
    return await dispatch(argv, context).finally(stopProgress);
  } catch (error) {
    return reportError(unexpectedFileError(error), context);
  }
}

async function dispatch(argv: readonly string[], context: CliContext): Promise<number> {
  const word = argv.find((one) => !one.startsWith("-"));
  if (word !== undefined) checkCommand(word, argv);
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
  const run = async (command: Command, args: Record<string, unknown>): Promise<void> => {
    exitCode = await command.run(args, context);
  };
  for (const command of COMMANDS) {
    if ("commands" in command) registerGroup(parser, command, run);
    else register(parser, command, run);
  }
  await parser.parseAsync([...argv], {}, (_error: unknown, _args: unknown, output: string) => {
    printed = output;
  });
  if (printed !== "") context.stdout.write(`${printed}\n`);
  return exitCode;
}

type Run = (command: Command, args: Record<string, unknown>) => Promise<void>;

function registerGroup(parser: Argv, { name, summary, commands }: CommandGroup, run: Run): void {
  parser.command(name, summary, (builder) => {
    for (const command of commands) register(builder, command, run);
    return builder
      .demandCommand(1, `${name}: wanted ${commands.map((one) => one.name).join(", ")}`)
      .epilogue(`descry ${name} COMMAND --help shows the options of one, with examples.`);
  });
}

function register(parser: Argv, command: Command, run: Run): void {
  parser.command(
    `${command.name} ${command.arguments}`.trim(),
    command.summary,
    (builder) => {
      for (const [name, options] of Object.entries(command.positionals)) builder.positional(name, options);
      builder.options(command.options);
      for (const [line, what] of command.examples) builder.example(line, what);
      return builder;
    },
    (args) => run(command, args),
  );
}

/** yargs says what it does not know; add what is near. */
function explain(message: string, argv: readonly string[]): UsageError {
  const { group, command, words } = findCommand(argv);
  const unknown = /^Unknown (?:argument|command)s?: (.+)$/.exec(message)?.[1]?.split(", ")[0];
  if (unknown === undefined || command === undefined) {
    const names = (group?.commands ?? COMMANDS).map(({ name }) => name);
    const hint = words === "" ? `commands: ${names.join(", ")}` : `see descry ${words} --help`;
    return new UsageError(message.replace(/\s*\n\s*/g, " "), { hint });
  }
  if (!argv.some((word) => word.startsWith("-") && word.includes(unknown))) {
    const hint = `usage: descry ${`${words} ${command.arguments}`.trim()}`;
    return new UsageError(`${words}: unexpected argument "${unknown}"`, { hint });
  }
  const known = [...Object.keys(command.options), ...GLOBAL_OPTIONS];
  if (known.includes(unknown)) {
    return new UsageError(`--${unknown} stands before the command`, { hint: `descry ${words} … --${unknown}` });
  }
  const near = nearestName(unknown, known);
  return new UsageError(`${words}: unknown option --${unknown}`, {
    hint: `${near === undefined ? "" : `did you mean --${near}? `}options: ${known.map((name) => `--${name}`).join(", ")}`,
  });
}

/** What a command line names: `words` as far as they are known. */
function findCommand(argv: readonly string[]): { group?: CommandGroup; command?: Command; words: string } {
  const [first, second] = argv.filter((word) => !word.startsWith("-"));
  const top = COMMANDS.find(({ name }) => name === first);
  if (top === undefined) return { words: "" };
  if (!("commands" in top)) return { command: top, words: top.name };
  const command = top.commands.find(({ name }) => name === second);
  return command === undefined
    ? { group: top, words: top.name }
    : { group: top, command, words: `${top.name} ${command.name}` };
}

/** @throws {UsageError} the first words are no command. */
function checkCommand(word: string, argv: readonly string[]): void {
  const { group, command, words } = findCommand(argv);
  if (command !== undefined) return;
  const [, second] = argv.filter((one) => !one.startsWith("-"));
  if (group !== undefined && second === undefined) return; // yargs shows what there is, or asks for it
  const names = (group?.commands ?? COMMANDS).map(({ name }) => name);
  const unknown = group === undefined ? word : second!;
  const near = nearestName(unknown, names);
  const hint = `${near === undefined ? "" : `did you mean "${near}"? `}commands: ${names.join(", ")}`;
  throw new UsageError(`${words === "" ? "" : `${words}: `}unknown command "${unknown}"`, { hint });
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
