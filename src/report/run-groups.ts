/**
 * @file Which runs belong together, and what each arm is called in a report of several: runs that differ in nothing but their
 * seeds are repetitions of one experiment and are averaged; all others stand beside each other.
 */
import path from "node:path";
import type { ArmRecord, RunRecord } from "./read-run.js";

/** Repetitions of one experiment with different seeds; mostly one. */
export interface RunGroup {
  /** Unique in the report. */
  readonly label: string;
  readonly runs: readonly RunRecord[];
  readonly arms: readonly LabelledArm[];
}

/** An arm, with its repetitions in the order of the group's runs. */
export interface LabelledArm {
  readonly name: string;
  /** Unique in the report: the name, with the group's label where groups share names. */
  readonly label: string;
  readonly isControl: boolean;
  /** Place in the report's order of arms that are no controls; controls share the ink colour. */
  readonly colour: number | null;
  readonly repetitions: readonly ArmRecord[];
}

/** Sections of the experiment that change how a run is done and never what comes out. */
const NEUTRAL = new Set([
  "train.threads",
  "train.device",
  "train.logEvery",
  "train.checkpointEvery",
  "train.tensorboard",
  "sample.film",
  "name",
  "seed",
  "sample.seed",
]);

/** Group the runs of a report. A second run with the same seeds starts a group of its own: it repeats no seed. */
export function groupRuns(runs: readonly RunRecord[]): RunGroup[] {
  const groups: { key: string; seeds: Set<string>; runs: RunRecord[] }[] = [];
  for (const run of runs) {
    const key = JSON.stringify(withoutNeutral(run.experiment));
    const seed = seedOf(run);
    const home = groups.find((group) => group.key === key && !group.seeds.has(seed));
    if (home === undefined) groups.push({ key, seeds: new Set([seed]), runs: [run] });
    else {
      home.seeds.add(seed);
      home.runs.push(run);
    }
  }
  const labels = uniqueLabels(groups.map((group) => group.runs[0]!));
  const names = groups.flatMap((group) => group.runs[0]!.arms.map((arm) => arm.name));
  const isShared = (name: string) => names.indexOf(name) !== names.lastIndexOf(name);
  let next = 0;
  return groups.map((group, g) => {
    const control = group.runs[0]!.arms.findIndex(({ align }) => align === null);
    const arms = group.runs[0]!.arms.map((arm, i): LabelledArm => {
      const label = isShared(arm.name) ? `${arm.name} (${labels[g]})` : arm.name;
      const isControl = i === control;
      const repetitions = group.runs.map((run) => run.arms[i]!);
      return { name: arm.name, label, isControl, colour: isControl ? null : next++, repetitions };
    });
    return { label: labels[g]!, runs: group.runs, arms };
  });
}

/** The groups of one run each that a group is made of, with the names and colours that it has there. */
export function eachSeed({ label, runs, arms }: RunGroup): RunGroup[] {
  return runs.map((run, s) => ({
    label,
    runs: [run],
    arms: arms.map((arm) => ({ ...arm, repetitions: [arm.repetitions[s]!] })),
  }));
}

/** The seeds of a run in words. */
export function seedOf({ experiment }: RunRecord): string {
  const sampling = experiment.sample["seed"];
  return sampling === undefined || sampling === experiment.seed || sampling === 0
    ? String(experiment.seed)
    : `${experiment.seed} (sampling ${String(sampling)})`;
}

/** `name`, with its hash where two runs share it, with a number where two share even that. */
function uniqueLabels(runs: readonly RunRecord[]): string[] {
  const tries = [
    (run: RunRecord) => run.experiment.name,
    (run: RunRecord) => `${run.experiment.name}-${run.hash}`,
    (run: RunRecord) => path.basename(run.folder),
  ];
  for (const label of tries) {
    const labels = runs.map(label);
    if (new Set(labels).size === labels.length) return labels;
  }
  return runs.map((run, i) => `${run.experiment.name}-${run.hash} #${i + 1}`);
}

/** Settings without what changes no result and without the seeds, in one order of keys: equal ones are repetitions. */
export function withoutNeutral(value: unknown, at = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutNeutral(item, `${at}[]`));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, item]) => [key, item, at === "" ? key : `${at}.${key}`] as const)
    .filter(([, , where]) => !NEUTRAL.has(where))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item, where]) => [key, withoutNeutral(item, where)]));
}
