/** @file What all steps have in common. */
import type { ProgressSink } from "../progress.js";
import type { Run } from "../run-folder.js";
import { findArm } from "../run-folder.js";
import type { ArmConfig } from "../schema.js";

/** How a step is done. */
export interface StepOptions {
  readonly progress: ProgressSink;
  readonly signal?: AbortSignal;
  /** Only these arms; all when left out. */
  readonly arms?: readonly string[];
  /** Do it again although its output is there. @default false */
  readonly again?: boolean;
}

/** What became of one piece of a step. */
export interface StepOutcome {
  /** Arm or target. */
  readonly name: string;
  readonly state: "done" | "skipped";
}

/** The arms that a step works on. @throws {UsageError} an unknown name. */
export function selectArms(run: Run, options: StepOptions): readonly ArmConfig[] {
  const { experiment } = run.record;
  return options.arms === undefined ? experiment.arms : options.arms.map((name) => findArm(experiment, name));
}

/** The label of a task: the step, then what it works on. */
export function taskLabel(step: string, name: string): string {
  return `${step.padEnd(9)} ${name}`;
}

/** Say that a piece is there already. */
export function tellSkipped(progress: ProgressSink, step: string, name: string, why: string): StepOutcome {
  progress.task(taskLabel(step, name), 1, "").finish(`${why}, skipped`);
  return { name, state: "skipped" };
}

/** Distinct targets of some arms, in order. */
export function targetsOf(arms: readonly ArmConfig[]): string[] {
  return [...new Set(arms.flatMap(({ align }) => (align === null ? [] : [align.target])))];
}
