import os from "node:os";
import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import type { ContestSetup } from "../../bench/contest-options.js";
import type { CacheResult } from "../../bench/measure-cache.js";
import type { EngineResult } from "../../bench/measure-engine.js";
import type { Contest, ContestResult } from "../../bench/run-contest.js";
import type { Spread } from "../../bench/statistics.js";
import { type Command, flag, positional, textOption, wholeOption } from "../command.js";
import { OUTPUT_OPTIONS, printResult } from "../experiment-options.js";
import { openProgress } from "../progress.js";

const SUITES = ["train", "sample", "features", "engine", "cache"] as const;
const GIGABYTE = 1e9;

/** `descry bench SUITE`: our speed beside its peers, on this machine. */
export const benchCommand: Command = {
  name: "bench",
  arguments: "<suite>",
  summary: "measure training, sampling, features, the engine or the cache beside peers, on this machine",
  positionals: { suite: { type: "string", describe: SUITES.join(", ") } },
  options: {
    turns: { type: "string", requiresArg: true, describe: "measurements of each case (default: 7)" },
    only: { type: "string", requiresArg: true, describe: "only cases whose name contains this" },
    threads: { type: "string", requiresArg: true, describe: "threads of each process (default: all cores)" },
    device: { type: "string", requiresArg: true, describe: "of ours (default: cpu); PyTorch then uses cuda" },
    rows: { type: "string", requiresArg: true, describe: "cache: images in the store that is made (default: 8192)" },
    python: { type: "string", requiresArg: true, describe: "a Python that has the peers' packages (default: python3)" },
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 bench train", "whole training steps, turn by turn with PyTorch if it is there"],
    ["$0 bench train --only S/2 --python ~/venv/bin/python", "one case, with this Python's torch"],
    ['$0 bench train --device cuda --only "B/2, batch 64"', "on a graphics card, in float32 and with mixed precision"],
    ["$0 bench features", "milliseconds an image of 256×256, beside OpenCV, VLFeat, scikit-image and Kornia"],
    ["$0 bench engine", "tracing and opening of the training steps of SiT"],
    [
      "$0 bench cache --rows 8192",
      "random batches of 256 images from a cache on this disk, beside dd; takes 3 GB of it",
    ],
  ],
  async run(args, context) {
    const suite = SUITES.find((name) => name === positional(args, "suite"));
    if (suite === undefined) {
      throw new UsageError(`unknown suite "${positional(args, "suite")}"; known: ${SUITES.join(", ")}`);
    }
    const { machineFacts, readVersions } = await import("../../run/machine.js");
    const { DEVICES } = await import("../../compile/compile.js");
    const turns = wholeOption(args, "turns", 1) ?? 7;
    const only = textOption(args, "only") ?? "";
    const wanted = textOption(args, "device") ?? "cpu";
    const device = DEVICES.find((name) => name === wanted);
    if (device === undefined) throw new UsageError(`--device: wanted one of ${DEVICES.join(", ")}, got "${wanted}"`);
    const threads = wholeOption(args, "threads", 1) ?? os.availableParallelism();
    const machine = machineFacts();
    const facts = `${machine.cpu}, ${machine.cores} cores, ${threads} threads, ${machine.os}, load ${os.loadavg()[0]!.toFixed(2)}`;
    const metadata = {
      date: new Date().toISOString(),
      suite,
      turns,
      threads,
      device,
      machine,
      versions: readVersions(),
    };
    const progress = openProgress(context, flag(args, "quiet"));

    const lines: string[] = [facts];
    const results: (ContestResult | EngineResult | CacheResult)[] = [];
    if (suite === "engine") {
      const { measureEngine } = await import("../../bench/measure-engine.js");
      for (const size of (["S/2", "B/2", "XL/2"] as const).filter((name) => name.includes(only))) {
        const result = await measureEngine(size, Math.min(turns, 3));
        results.push(result);
        lines.push(`${result.name}: ${spread(result.seconds, "s")}, ${result.nodes} nodes`);
      }
    } else if (suite === "cache") {
      const { CACHE_CASES, measureCache } = await import("../../bench/measure-cache.js");
      const rows = wholeOption(args, "rows", 256) ?? 8192;
      for (const name of CACHE_CASES.filter((one) => one.includes(only))) {
        const result = await measureCache(name, { folder: context.cwd, rows, turns });
        results.push(result);
        lines.push(cacheLine(result));
      }
    } else {
      const { runContest } = await import("../../bench/run-contest.js");
      const given = textOption(args, "python") ?? "python3";
      const python = given.includes(path.sep) ? path.resolve(context.cwd, given) : given;
      for (const contest of (await contestsOf(suite, { threads, device, python })).filter((one) =>
        one.name.includes(only),
      )) {
        const task = progress.task(`bench ${contest.name}`, turns, "turns");
        const result = await runContest(contest, { turns, onTurn: (done) => task.update(done) });
        task.finish(spread(result.ms, "ms"));
        results.push(result);
        lines.push(...contestLines(result));
      }
    }
    if (results.length === 0) throw new UsageError(`no case of "${suite}" on ${device} is called "${only}"`);
    printResult(args, context, { metadata, results }, lines.join("\n"));
    return 0;
  },
};

function cacheLine({ name, storeBytes, again, fresh, disk, dd, memoryBytes }: CacheResult): string {
  const rate = ({ median, quartiles: [low, high] }: Spread): string =>
    `${(median / GIGABYTE).toFixed(2)} GB/s (${(low / GIGABYTE).toFixed(2)}–${(high / GIGABYTE).toFixed(2)})`;
  const cold = disk === undefined || dd === undefined ? "" : `, from disk ${rate(disk)}, dd ${rate(dd)}`;
  const [first, last] = memoryBytes.map((bytes) => (bytes / 1e6).toFixed(0));
  return `${name}, ${(storeBytes / GIGABYTE).toFixed(2)} GB: from the page cache ${rate(again)}, into new memory ${rate(fresh)}${cold}; resident memory ${first} → ${last} MB`;
}

async function contestsOf(suite: "train" | "sample" | "features", setup: ContestSetup): Promise<Contest[]> {
  if (suite === "features") return (await import("../../bench/descriptor-contests.js")).descriptorContests(setup);
  const { BENCH_CASES } = await import("../../bench/model-cases.js");
  const { modelContest } = await import("../../bench/model-contests.js");
  const isCard = setup.device !== "cpu" && setup.device !== "tfjs-cpu";
  const cases = BENCH_CASES.filter(({ work, isForCards }) => work === suite && (isCard || isForCards !== true));
  return cases.map((work) => modelContest(work, setup));
}

const spread = ({ median, quartiles: [low, high] }: Spread, unit: string): string => {
  const digits = median < 10 ? 2 : 0;
  return `${median.toFixed(digits)} ${unit} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
};

const memory = (bytes: number | undefined): string =>
  bytes === undefined ? "" : `, peak ${(bytes / GIGABYTE).toFixed(2)} GB`;

/** Medians with quartiles; the ratio is the peer's time over ours. */
function contestLines({ name, ms, peakBytes, peers, absent }: ContestResult): string[] {
  return [
    `${name}: ${spread(ms, "ms")}${memory(peakBytes)}`,
    ...peers.map(
      (peer) =>
        `  ${peer.name} ${peer.version}: ${spread(peer.ms, "ms")}${memory(peer.peakBytes)}; theirs ÷ ours ${spread(peer.ratio, "×").replace(" ×", "×")}`,
    ),
    ...absent.map((peer) => `  ${peer.name}: not measured (${peer.why})`),
  ];
}
