/** @file What all steps have in common. */
import type { StorePart } from "../../../data/row-plan.js";
import type { ProgressSink } from "../progress.js";
import type { Run } from "../run-folder.js";
import { findArm } from "../run-folder.js";
import type { ArmConfig, Experiment } from "../schema.js";

/** How a step is done. */
export interface StepOptions {
  readonly progress: ProgressSink;
  readonly signal?: AbortSignal;
  /** Only these arms; all when left out. */
  readonly arms?: readonly string[] | undefined;
  /** Do it again although its output is there. @default false */
  readonly again?: boolean;
  /** Only this part of the features; the others are made by other processes. Absent: all, in this process alone. */
  readonly part?: StorePart;
}

/** What became of one piece of a step. */
export interface StepOutcome {
  /** Arm or target. */
  readonly name: string;
  /** `part`: this part of it is done, others are not. */
  readonly state: "done" | "skipped" | "part";
}

/** The arms that a step works on. @throws {UsageError} an unknown name. */
export function selectArms(run: Run, { arms }: Pick<StepOptions, "arms">): readonly ArmConfig[] {
  const { experiment } = run.record;
  return arms === undefined ? experiment.arms : arms.map((name) => findArm(experiment, name));
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

/** What the features step caches, in order: the images, in latent space the latents, and every target. */
export const partsOf = ({ latents, arms }: Experiment): string[] => [
  "images",
  ...(latents === null ? [] : ["latents"]),
  ...targetsOf(arms),
];

/** Distinct targets of some arms, in order. */
export function targetsOf(arms: readonly ArmConfig[]): string[] {
  return [...new Set(arms.flatMap(({ align }) => (align === null ? [] : [align.target])))];
}
