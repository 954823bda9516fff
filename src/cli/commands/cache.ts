import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { type Arguments, type Command, flag, positional, textOption, wholeOption } from "../command.js";
import type { CliContext } from "../context.js";
import { OUTPUT_OPTIONS, printResult, showPath } from "../experiment-options.js";
import { openProgress } from "../progress.js";

const ACTIONS = ["list", "verify", "prune", "export"] as const;

/** `descry cache ACTION`: what is cached, whether it is whole, and what may go. */
export const cacheCommand: Command = {
  name: "cache",
  arguments: "<action> [caches..]",
  summary: "list, verify, prune or export cached features and images",
  positionals: {
    action: { type: "string", describe: ACTIONS.join(", ") },
    caches: { type: "string", describe: "which: beginnings of keys, or folders (default of list and verify: all)" },
  },
  options: {
    cache: { type: "string", requiresArg: true, describe: "folder of the caches (default .descry/cache)" },
    out: { type: "string", requiresArg: true, describe: "export: folder for the safetensors" },
    dtype: {
      type: "string",
      requiresArg: true,
      choices: ["F16", "F32"],
      describe: "export: number format (default: as cached; of bytes F16)",
    },
    "older-than": { type: "string", requiresArg: true, describe: "prune: only what was not used for so many days" },
    incomplete: { type: "boolean", describe: "prune: only what is not finished" },
    temporary: { type: "boolean", describe: "prune: only what killed processes have left, not the caches" },
    yes: { type: "boolean", describe: "prune: remove it; without, only say what would go" },
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 cache list", "target, data set, rows, size, format, complete or resumable, last used"],
    ["$0 cache verify", "read every byte; which shard is damaged, and what to do"],
    ["$0 cache verify 82bac270", "one of them, by the beginning of its key"],
    ["$0 cache prune --older-than 30", "what would go; with --yes it does"],
    ["$0 cache prune --incomplete --temporary --yes", "what killed runs have left in caches that are not finished"],
    ["$0 cache export 82bac270 --out features/", "plain safetensors, for Python or a target features:features/"],
  ],
  async run(args, context) {
    const word = positional(args, "action");
    const action = ACTIONS.find((name) => name === word);
    if (action === undefined) throw new UsageError(`cache: wanted ${ACTIONS.join(", ")}, got "${word}"`);
    refuseForeignOptions(args, action);
    const { cacheFolderOf } = await import("../../run/run-folder.js");
    const given = textOption(args, "cache");
    const cacheFolder = given === undefined ? cacheFolderOf(context.cwd) : path.resolve(context.cwd, given);
    return ACTION[action](args, context, cacheFolder);
  },
};

type Action = (args: Arguments, context: CliContext, cacheFolder: string) => Promise<number>;

const ACTION: Readonly<Record<(typeof ACTIONS)[number], Action>> = {
  async list(args, context, cacheFolder) {
    if (wordsOf(args).length > 0) throw new UsageError("cache list takes no names: it lists all");
    const { listCaches } = await import("../cache/list-caches.js");
    const { caches, table } = await listCaches(cacheFolder);
    printResult(args, context, { cacheFolder, caches }, table);
    return 0;
  },

  async verify(args, context, cacheFolder) {
    const { verifyCache } = await import("../cache/verify-cache.js");
    const progress = openProgress(context, flag(args, "quiet"));
    const caches = [];
    for (const found of await chosen(args, context, cacheFolder)) caches.push(await verifyCache(found, progress));
    const lines = caches.flatMap(({ name, state, faults }) => {
      if (faults.length > 0) return faults;
      return `${name}: ${state === "complete" ? "whole" : state}`;
    });
    printResult(args, context, { caches }, lines.join("\n"));
    return caches.some(({ faults }) => faults.length > 0) ? 2 : 0;
  },

  async prune(args, context, cacheFolder) {
    const olderThanDays = wholeOption(args, "older-than", 0);
    const [incomplete, temporary] = [flag(args, "incomplete"), flag(args, "temporary")];
    if (wordsOf(args).length === 0 && olderThanDays === undefined && !incomplete && !temporary) {
      throw new UsageError("cache prune: wanted a key, --older-than DAYS, --incomplete or --temporary", {
        hint: "descry cache list shows what there is",
      });
    }
    const { pruneCaches } = await import("../cache/prune-caches.js");
    const { formatBytes } = await import("../../run/format.js");
    const isDry = !flag(args, "yes");
    const choice = { incomplete, temporary, ...(olderThanDays === undefined ? {} : { olderThanDays }) };
    const pruned = await pruneCaches(await chosen(args, context, cacheFolder), choice, isDry);
    const gone = pruned.filter(({ outcome }) => outcome !== "kept").reduce((sum, { bytes }) => sum + bytes, 0);
    const lines = pruned.map(({ name, bytes, outcome, why }) =>
      [`${outcome}: ${name}, ${formatBytes(bytes)}`, why].filter((text) => text !== undefined).join(": "),
    );
    const total = isDry ? `${formatBytes(gone)} would go; --yes removes them` : `${formatBytes(gone)} removed`;
    printResult(
      args,
      context,
      { isDry, pruned },
      [...lines, pruned.length === 0 ? "nothing to prune" : total].join("\n"),
    );
    return pruned.some(({ outcome }) => outcome === "kept") ? 2 : 0;
  },

  async export(args, context, cacheFolder) {
    const out = textOption(args, "out");
    const words = wordsOf(args);
    if (out === undefined || words.length !== 1) {
      throw new UsageError("cache export: wanted one cache and --out DIR", {
        hint: "descry cache list shows the keys",
      });
    }
    const { exportRowStore } = await import("../../../data/export-row-store.js");
    const [found] = await chosen(args, context, cacheFolder);
    const { folder, name, plan, state } = found!;
    if (plan === undefined || state !== "complete") {
      throw new UsageError(`${name} is not finished`, { hint: "run the command that makes it again" });
    }
    const place = path.resolve(context.cwd, out);
    // With random crops the variants follow each other: there is no name for them among the tensors.
    const { flips, variants } = plan.meta;
    const upright = flips === true && variants === undefined ? plan.rows / 2 : plan.rows;
    const task = openProgress(context, flag(args, "quiet")).task(`export    ${name}`, upright, "rows");
    const dtype = (["F16", "F32"] as const).find((one) => one === args.dtype);
    const onRows = (done: number) => task.update(done);
    const files = await exportRowStore(folder, place, { ...(dtype === undefined ? {} : { dtype }), upright, onRows });
    task.finish(`${upright} rows in ${files.length} files`);
    printResult(args, context, { folder: place, files, rows: upright }, showPath(place, context));
    return 0;
  },
};

/** What an action takes besides the folder and how to print. */
const OPTIONS_OF: Readonly<Record<(typeof ACTIONS)[number], readonly string[]>> = {
  list: [],
  verify: [],
  prune: ["older-than", "incomplete", "temporary", "yes"],
  export: ["out", "dtype"],
};

function refuseForeignOptions(args: Arguments, action: (typeof ACTIONS)[number]): void {
  const foreign = Object.values(OPTIONS_OF)
    .flat()
    .find((name) => args[name] !== undefined && !OPTIONS_OF[action].includes(name));
  if (foreign !== undefined) throw new UsageError(`--${foreign} is not for cache ${action}`);
}

function wordsOf(args: Arguments): string[] {
  const words = args["caches"];
  return words === undefined ? [] : (Array.isArray(words) ? words : [words]).map(String);
}

/** The caches that are named, or all. */
async function chosen(args: Arguments, { cwd }: CliContext, cacheFolder: string) {
  const { findStore } = await import("../cache/find-store.js");
  const { listRowFolders } = await import("../../../data/row-folders.js");
  const words = wordsOf(args);
  if (words.length === 0) return listRowFolders(cacheFolder);
  return Promise.all(words.map((word) => findStore(word, cacheFolder, cwd)));
}
