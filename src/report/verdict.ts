/**
 * @file What the numbers say, in one sentence that claims no more than they do, and what to keep in mind when reading them.
 * Nothing here speaks of significance: a report has one seed or a few.
 */
import { type ComparedArm, type Comparison, compareArms, evaluationNames } from "./compare-arms.js";
import { differingKeys, flattenSettings, showSetting } from "./flatten.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { METRICS } from "./metrics.js";
import { type LabelledArm, type RunGroup, seedOf } from "./run-groups.js";
import { summarizeSeeds } from "./seed-summary.js";

const HEADLINE = METRICS[0]!;

/** One sentence, or two, about a group of runs. */
export function verdictOf(group: RunGroup): string {
  const name = evaluationNames(group.runs[0]!)[0];
  if (name === undefined) {
    const trained = group.arms.filter(({ repetitions }) =>
      repetitions.some(({ metrics }) => metrics.length > 0),
    ).length;
    return `No arm has been evaluated yet (${trained} of ${group.arms.length} have begun to train), so there is nothing to conclude.`;
  }
  return group.runs.length === 1 ? oneSeed(group, name) : manySeeds(group, name);
}

function oneSeed(group: RunGroup, name: string): string {
  const run = group.runs[0]!;
  const comparison = compareArms(run, name);
  const ranked = rank(comparison);
  if (ranked.length === 0) return `No ${HEADLINE.label} has been measured, so there is no ranking.`;
  const [best] = ranked;
  const value = (row: ComparedArm) => formatNumber(headline(row)!.value!);
  const label = (row: ComparedArm) => row.arm.name;
  const control = comparison.control;
  const end = circumstances(best!);
  if (control === null || headline(control)?.value == null) {
    const why = control === null ? "there is no control arm" : "the control has not been measured";
    const said =
      ranked.length === 1
        ? `Only ${label(best!)} can be ranked (${HEADLINE.label} ${value(best!)})`
        : `${label(best!)} has the lowest ${HEADLINE.label} (${value(best!)}) of ${ranked.length} arms`;
    return `${said}; ${why}, so no gain can be stated. ${end}`;
  }
  if (ranked.length === 1) return `Only one arm can be compared so far (${label(best!)}: ${value(best!)}). ${end}`;
  if (best!.isControl) {
    const others = ranked.length - 1;
    const equal = ranked.filter((row) => !row.isControl && headline(row)!.value === headline(best!)!.value);
    if (equal.length > 0) {
      return `No aligned arm beats the control: ${equal.map(label).join(", ")} and the control have the same lowest ${HEADLINE.label}, ${value(control)}. ${end}`;
    }
    return `${others === 1 ? "The aligned arm does not beat" : `None of the ${others} aligned arms beats`} the control: its ${HEADLINE.label} of ${value(control)} is the lowest. ${end}`;
  }
  const gain = headline(best!)!.gain!;
  const share = gain.relative === null ? "" : `, a gain of ${formatPercent(gain.relative).replace("+", "")}`;
  const beats = ranked.filter((row) => (headline(row)!.gain?.absolute ?? 0) > 0).length;
  const field =
    ranked.length === 2
      ? "beats the control"
      : `does best of ${ranked.length} arms (${beats} of ${ranked.length - 1} aligned arms beat the control)`;
  return `${label(best!)} ${field}: ${HEADLINE.label} ${value(best!)} against ${value(control)}${share}. ${end}`;
}

function manySeeds(group: RunGroup, name: string): string {
  const rows = summarizeSeeds(group, name);
  const cellOf = (row: (typeof rows)[number]) => row.cells.find(({ metric }) => metric.key === HEADLINE.key);
  const compared = rows.filter((row) => !row.isControl && cellOf(row)?.gain != null);
  const evaluation = group.runs[0]!.arms.flatMap(({ evaluations }) => evaluations)[0]?.record;
  const proxy = evaluation?.network.proxy === true ? ` ${evaluation.network.name} is a proxy network.` : "";
  const count = group.runs.length;
  if (compared.length === 0) return `${count} seeds, but no arm can be compared with a control.${proxy}`;
  compared.sort((a, b) => cellOf(b)!.gain!.mean - cellOf(a)!.gain!.mean);
  const best = compared[0]!;
  const { gain, relative, wins, value } = cellOf(best)!;
  const spread = gain!.std === null ? "" : ` ± ${formatNumber(gain!.std, 2)}`;
  const share = relative === null ? "" : ` (${formatPercent(relative.mean)})`;
  const said =
    gain!.mean > 0
      ? `${best.name} gains most over the control: ${formatNumber(gain!.mean, 3)}${spread} of ${HEADLINE.label}${share}`
      : `No aligned arm beats the control on average; ${best.name} comes nearest with ${formatNumber(gain!.mean, 3)}${spread} of ${HEADLINE.label}${share}`;
  return `${said}, mean and standard deviation over ${gain!.count} seeds, better in ${wins} of ${value!.count}. A few seeds show a tendency, not significance.${proxy}`;
}

function circumstances(best: ComparedArm): string {
  const { samples, network, step: steps } = best.evaluation!;
  const proxy = network.proxy ? `, ${network.name} as a proxy network` : "";
  return `One seed, ${steps} training steps, ${samples} samples${proxy}: a lead to follow up, not a significant result.`;
}

/** Arms with a headline value that may be compared, best first; the control before an arm that only equals it. */
function rank(comparison: Comparison): ComparedArm[] {
  return comparison.arms
    .filter((row) => row.unlike.length === 0 && headline(row)?.value != null)
    .sort((a, b) => headline(a)!.value! - headline(b)!.value! || Number(b.isControl) - Number(a.isControl));
}

function headline(row: ComparedArm) {
  return row.cells.find(({ metric }) => metric.key === HEADLINE.key);
}

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

/** Whether KID, which has no bias of small counts, puts the same arm first. */
function agreement(comparison: Comparison): string[] {
  const bestBy = (key: string) =>
    comparison.arms.filter(({ cells }) => cells.some(({ metric, isBest }) => metric.key === key && isBest));
  const [byDistance] = bestBy("frechet_distance");
  const [byKernel] = bestBy("kid");
  if (byDistance === undefined || byKernel === undefined) return [];
  const label = (row: ComparedArm) => row.arm.name;
  if (byDistance !== byKernel) {
    return [`KID disagrees with the ${HEADLINE.label}: it puts ${label(byKernel)} first, not ${label(byDistance)}`];
  }
  const kid = byKernel.cells.find(({ metric }) => metric.key === "kid")!;
  if (kid.gain !== null && kid.spread !== null && kid.gain.absolute < kid.spread) {
    return [
      `KID agrees on ${label(byKernel)}, but its gain (${formatNumber(kid.gain.absolute, 3)}) is smaller than the spread of KID over random subsets (${formatNumber(kid.spread, 3)})`,
    ];
  }
  return [`KID agrees with the ${HEADLINE.label} on ${label(byKernel)}`];
}

function floorCaveat({ floor, arms }: Comparison): string[] {
  const value = floor?.[HEADLINE.key];
  if (value != null) {
    const count = arms.find(({ evaluation }) => evaluation !== null)!.evaluation!.samples;
    return [
      `${count} other real images score a ${HEADLINE.label} of ${formatNumber(value)}: no model can be expected to do better`,
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
