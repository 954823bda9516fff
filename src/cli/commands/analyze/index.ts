/** @file The analyses of finished runs, in the order in which `descry analyze --help` lists them. */
import type { CommandGroup } from "../../command.js";
import { ablationCommand } from "./ablation.js";
import { alignmentCommand } from "./alignment.js";
import { clsMixingCommand } from "./cls-mixing.js";
import { convergenceCommand } from "./convergence.js";
import { correlationCommand } from "./correlation.js";

export const analyzeCommands: CommandGroup = {
  name: "analyze",
  summary: "the analyses of the REPA and iREPA papers, on any finished runs",
  commands: [correlationCommand, ablationCommand, convergenceCommand, clsMixingCommand, alignmentCommand],
};
