/** @file All commands, in the order in which `descry --help` lists them. */
import type { Command, CommandGroup } from "../command.js";
import { analyzeCommands } from "./analyze/index.js";
import { benchCommand } from "./bench.js";
import { cacheCommand } from "./cache.js";
import { configCommand } from "./config.js";
import { doctorCommand } from "./doctor.js";
import { evaluateCommand } from "./evaluate.js";
import { exportCommand } from "./export.js";
import { featuresCommand } from "./features.js";
import { importCommand } from "./import.js";
import { parityCommand } from "./parity.js";
import { probeCommand } from "./probe.js";
import { rankCommand } from "./rank.js";
import { referenceCommand } from "./reference.js";
import { reportCommand } from "./report.js";
import { runCommand } from "./run.js";
import { sampleCommand } from "./sample.js";
import { sweepCommand } from "./sweep.js";
import { targetsCommand } from "./targets.js";
import { trainCommand } from "./train.js";
import { watchCommand } from "./watch.js";
import { workerCommand } from "./worker.js";

export const COMMANDS: readonly (Command | CommandGroup)[] = [
  runCommand,
  sweepCommand,
  featuresCommand,
  trainCommand,
  sampleCommand,
  evaluateCommand,
  reportCommand,
  watchCommand,
  analyzeCommands,
  exportCommand,
  importCommand,
  targetsCommand,
  rankCommand,
  probeCommand,
  referenceCommand,
  cacheCommand,
  workerCommand,
  configCommand,
  doctorCommand,
  parityCommand,
  benchCommand,
];
