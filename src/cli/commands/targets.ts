import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { type Arguments, type Command, flag, listOption, textOption, wholeOption } from "../command.js";
import type { CliContext } from "../context.js";
import { OUTPUT_OPTIONS, printResult, showPath } from "../experiment-options.js";
import { openProgress } from "../progress.js";

/** The published encoders among the targets, as a line of their own. */
const ENCODERS_LINE = "dinov2-vit-b, pe-vit-g, …";

const DESCRIBE_OPTIONS = ["image", "grid", "tokens", "out"] as const;

/** `descry targets`: what a model can be aligned to. */
export const targetsCommand: Command = {
  name: "targets",
  arguments: "",
  summary: "list what a model can be aligned to, or draw what one of them sees",
  positionals: {},
  options: {
    describe: { type: "string", requiresArg: true, describe: "draw this target on a picture, as PNG files" },
    encoders: { type: "boolean", describe: "list the published encoders, and which of them are here" },
    image: {
      type: "string",
      requiresArg: true,
      describe: "picture to describe (default: a photograph that comes with the packages)",
    },
    grid: { type: "string", requiresArg: true, describe: "tokens a side (default 16); 16 pixels a token" },
    tokens: {
      type: "string",
      requiresArg: true,
      describe:
        'tokens of the similarity maps as ROW,COLUMN, from 0, such as "8,8 10,0" (default: those of iREPA\'s figure)',
    },
    out: { type: "string", requiresArg: true, describe: "folder of the pictures (default: described)" },
    json: OUTPUT_OPTIONS.json,
  },
  examples: [
    ["$0 targets", "names, widths and one line about each"],
    ["$0 targets --json", "the same for programs"],
    ["$0 targets --encoders", "DINOv2, PE, SigLIP, …: their input, and where each would come from"],
    ["$0 targets --describe sift --image cat.jpg", "glyphs, principal components and similarity maps"],
  ],
  async run(args, context) {
    const target = textOption(args, "describe");
    if (target !== undefined) return describe(args, target, context);
    const stray = DESCRIBE_OPTIONS.find((name) => args[name] !== undefined);
    if (stray !== undefined) {
      throw new UsageError(`--${stray} goes with --describe`, { hint: "for example descry targets --describe sift" });
    }
    if (flag(args, "encoders")) return listEncoders(args, context);
    const { listTargets } = await import("../../../features/targets.js");
    const { ENCODERS } = await import("../../../features/encoders/encoder-table.js");
    const summary = `${ENCODERS.length} published encoders with their own preprocessing: descry targets --encoders`;
    const targets = [...listTargets(), { pattern: ENCODERS_LINE, summary, dim: "theirs" }];
    const wide = Math.max(...targets.map(({ pattern }) => pattern.length));
    const dims = Math.max(...targets.map(({ dim }) => dim.length));
    const lines = targets.map(
      ({ pattern, dim, summary }) => `${pattern.padEnd(wide)}  ${dim.padStart(dims)} channels  ${summary}`,
    );
    printResult(args, context, targets, lines.join("\n"));
    return 0;
  },
};

/** One line an encoder: its width, what it sees, what is dropped, and where it would come from. */
async function listEncoders(args: Arguments, context: CliContext): Promise<number> {
  const { surveyEncoders } = await import("../../../features/encoders/survey-encoders.js");
  const { folder, cacheFolder, encoders } = surveyEncoders();
  const columns = encoders.map(({ name, dim, title, input, place, from }) => [
    name,
    String(dim),
    title,
    input,
    from === null ? place : `${place}: ${from}`,
  ]);
  const widths = [0, 1, 2, 3].map((at) => Math.max(...columns.map((cells) => cells[at]!.length)));
  const lines = columns.map((cells) =>
    cells
      .map((cell, at) => (at === 1 ? cell.padStart(widths[1]!) : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  const notes = [
    `own exports: ${folder}/NAME.onnx (DESCRY_ENCODERS names another folder); they win over the hub's`,
    `hub: downloaded at the first use into ${cacheFolder}`,
    "to be exported: using one tells the command",
  ];
  printResult(args, context, { folder, cacheFolder, encoders }, [...lines, "", ...notes].join("\n"));
  return 0;
}

async function describe(args: Arguments, target: string, context: CliContext): Promise<number> {
  const { parseTarget } = await import("../../../features/targets.js");
  const parsed = parseTarget(target);
  const { name } = parsed;
  const grid = wholeOption(args, "grid", 2) ?? 16;
  const { describeTarget, paperTokens } = await import("../../report/describe-target.js");
  const given = listOption(args, "tokens").flatMap(readTokens);
  const image = textOption(args, "image");
  const { openPicture } = await import("../../../data/formats/picture.js");
  const source = await openPicture(image === undefined ? undefined : path.resolve(context.cwd, image));
  const { loadDescriptor } = await import("../../../features/load-descriptor.js");
  const { downloadProgress } = await import("../../run/download-progress.js");
  await loadDescriptor(parsed, { source }, downloadProgress(openProgress(context, false)));
  const description = await describeTarget({
    target: name,
    source,
    grid,
    tokens: given.length > 0 ? given : paperTokens(grid),
    outFolder: path.resolve(context.cwd, textOption(args, "out") ?? "described"),
  });
  const { dim, summary, picture, explained, similarityRange, files } = description;
  const lines = [
    `${name}: ${summary} (${dim} channels)`,
    `${picture}, ${grid}×${grid} tokens; the colours show ${(100 * explained).toFixed(0)} % of the variance; similarity from ${similarityRange.map((value) => value.toFixed(2)).join(" to ")}`,
    ...files.map(({ file, shows }) => `${showPath(file, context)}  ${shows}`),
  ];
  printResult(args, context, description, lines.join("\n"));
  return 0;
}

/** `"8,8 10,0"` → [[8,8],[10,0]]. */
function readTokens(text: string): [number, number][] {
  return text
    .trim()
    .split(/[\s;]+/)
    .map((pair) => {
      const [, row, column] = /^(\d+),(\d+)$/.exec(pair) ?? [];
      if (row === undefined || column === undefined) {
        throw new UsageError(`--tokens: wanted ROW,COLUMN, got ${JSON.stringify(pair)}`, {
          hint: 'for example "8,8 10,0"',
        });
      }
      return [Number(row), Number(column)];
    });
}
