/** @file What to keep in mind when reading the numbers of a report. */
import { type ComparedArm, type Comparison, compareArms, evaluationNames } from "./compare-arms.js";
import { differingKeys, flattenSettings, showSetting } from "./flatten.js";
import { formatNumber } from "./format-number.js";
import { METRICS } from "./metrics.js";
import { type LabelledArm, type RunGroup, seedOf } from "./run-groups.js";

const HEADLINE = METRICS[0]!;

/** What to keep in mind: of the metric, the network, the counts, and of arms that differ in several settings at once. */
export function caveatsOf(group: RunGroup): string[] {
  const caveats: string[] = importedArms(group);
  const run = group.runs[0]!;
  for (const name of evaluationNames(run)) {
    const comparison = compareArms(run, name);
    caveats.push(...comparison.arms.flatMap(({ evaluation }) => evaluation?.notes ?? []).map(capitalize));
    if (group.runs.length === 1) caveats.push(...agreement(comparison), ...floorCaveat(comparison));
    for (const row of comparison.arms.filter(({ unlike }) => unlike.length > 0)) {
      caveats.push(
        `The arm ${row.arm.name} was not measured like the control (${row.unlike.join(", ")} differ): no gain is given for it`,
      );
    }
  }
  const open = group.arms.filter(({ repetitions }) => repetitions.some(({ evaluations }) => evaluations.length === 0));
  if (open.length > 0) caveats.push(`Not evaluated: ${open.map((arm) => arm.name).join(", ")}`);
  caveats.push(...severalKnobs(group.arms));
  return [...new Set(caveats)];
}

/** Arms whose weights were not trained by this run, and where they are from. */
function importedArms({ runs, arms }: RunGroup): string[] {
  return arms.flatMap(({ name, repetitions }) =>
    repetitions.flatMap(({ imported }, i) => {
      if (imported === null) return [];
      const { step, file, sha256 } = imported;
      const seed = runs.length > 1 ? ` of seed ${seedOf(runs[i]!)}` : "";
      return [
        `The arm ${name}${seed} was trained elsewhere: its weights, of step ${step}, were imported from ${file} (SHA-256 ${sha256})`,
      ];
    }),
  );
}

/** What the metric of the verdict is called with an arm's network. */
function nameOf({ cells }: ComparedArm): string {
  return cells.find(({ metric }) => metric.key === HEADLINE.key)?.metric.label ?? HEADLINE.label;
}

/** Whether KID, which has no bias of small counts, puts the same arm first. */
function agreement(comparison: Comparison): string[] {
  const bestBy = (key: string) =>
    comparison.arms.filter(({ cells }) => cells.some(({ metric, isBest }) => metric.key === key && isBest));
  const [byDistance] = bestBy("frechet_distance");
  const [byKernel] = bestBy("kid");
  if (byDistance === undefined || byKernel === undefined) return [];
  const label = (row: ComparedArm) => row.arm.name;
  const distance = nameOf(byDistance);
  if (byDistance !== byKernel) {
    return [`KID disagrees with the ${distance}: it puts ${label(byKernel)} first, not ${label(byDistance)}`];
  }
  const kid = byKernel.cells.find(({ metric }) => metric.key === "kid")!;
  if (kid.gain !== null && kid.spread !== null && kid.gain.absolute < kid.spread) {
    return [
      `KID agrees on ${label(byKernel)}, but its gain (${formatNumber(kid.gain.absolute, 3)}) is smaller than the spread of KID over random subsets (${formatNumber(kid.spread, 3)})`,
    ];
  }
  return [`KID agrees with the ${distance} on ${label(byKernel)}`];
}

function floorCaveat({ floor, arms }: Comparison): string[] {
  const value = floor?.[HEADLINE.key];
  if (value != null) {
    const measured = arms.find(({ evaluation }) => evaluation !== null)!;
    const count = measured.evaluation!.samples;
    return [
      `${count} other real images score a ${nameOf(measured)} of ${formatNumber(value)}: no model can be expected to do better`,
    ];
  }
  const why = arms.map(({ evaluation }) => evaluation?.not_measured["floor"]).find((reason) => reason !== undefined);
  return why === undefined ? [] : [`The score of real images in the place of samples was not measured: ${why}`];
}

/** Arms of one target that differ in more than one setting: their difference cannot be put down to one of them. */
function severalKnobs(arms: readonly LabelledArm[]): string[] {
  const aligned = arms.filter(({ repetitions }) => repetitions[0]!.align !== null);
  const said: string[] = [];
  for (const [i, one] of aligned.entries()) {
    for (const other of aligned.slice(i + 1)) {
      const settings = [one, other].map(({ repetitions }) => flattenSettings(repetitions[0]!.align));
      if (settings[0]!.get("target") !== settings[1]!.get("target")) continue;
      const keys = differingKeys(settings);
      if (keys.length < 2) continue;
      const change = keys.map(
        (key) => `${key} ${showSetting(settings[0]!.get(key))} → ${showSetting(settings[1]!.get(key))}`,
      );
      said.push(
        `The arms ${one.name} and ${other.name} differ in ${keys.length} settings at once (${change.join(", ")}): what lies between them cannot be put down to one of these`,
      );
    }
  }
  return said;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
