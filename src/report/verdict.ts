/**
 * @file What the numbers say, in one paragraph that claims no more than their intervals hold. An arm is better or worse than the
 * control where the interval of its gain leaves out 0, and not distinguishable from it where it does not.
 */
import { compareArms, evaluationNames, firstEvaluation } from "./compare-arms.js";
import { drawGroup, type GroupDraws } from "./draw-group.js";
import { formatNumber, formatPercent, formatSigned } from "./format-number.js";
import { type GainInterval, gainInterval } from "./gain-interval.js";
import { METRICS } from "./metrics.js";
import type { RunGroup } from "./run-groups.js";
import { type SeedCell, summarizeSeeds } from "./seed-summary.js";

const HEADLINE = METRICS[0]!;

/** One paragraph about a group of runs, by its first evaluation. */
export function verdictOf(group: RunGroup): string {
  const name = evaluationNames(group.runs[0]!)[0];
  if (name === undefined) {
    const trained = group.arms.filter(({ repetitions }) =>
      repetitions.some(({ metrics }) => metrics.length > 0),
    ).length;
    return `No arm has been evaluated yet (${trained} of ${group.arms.length} have begun to train), so there is nothing to conclude.`;
  }
  const measured = measuredArms(group, name);
  if (measured.length === 0) return `No ${HEADLINE.label} has been measured, so there is no ranking.`;
  const draws = drawGroup(group, name);
  const isCompared = measured.length > 1 && measured.some(({ isControl }) => isControl);
  const said = draws === null ? withoutIntervals(group, measured) : withIntervals(draws);
  const covered = draws !== null ? COVERED[draws.seeds === 1 ? "one" : "several"] : isCompared ? UNKNOWN : "";
  return [said, covered, circumstances(group, name)].filter((part) => part !== "").join(" ");
}

/** What the intervals are of. */
const COVERED = {
  one: "The intervals are of other samples from the same weights; what another training seed would do they do not say.",
  several: "The intervals are of other training seeds and other samples.",
};
const UNKNOWN =
  "How far this may be off is not known, so it is no finding: the evaluation kept no influences of its samples (descry evaluate RUN --again does).";

interface MeasuredArm {
  readonly name: string;
  readonly isControl: boolean;
  readonly cell: SeedCell;
  /** Mean over seeds. */
  readonly value: number;
}

/** Arms with a headline value that may be compared, best first; the control before an arm that only equals it. */
function measuredArms(group: RunGroup, name: string): MeasuredArm[] {
  const comparisons = group.runs.map((run) => compareArms(run, name));
  return summarizeSeeds(group, name)
    .flatMap(({ name: arm, isControl, cells }, a): MeasuredArm[] => {
      const cell = cells.find(({ metric }) => metric.key === HEADLINE.key);
      const isAlike = comparisons.every(({ arms }) => arms[a]!.unlike.length === 0);
      return cell?.value == null || !isAlike ? [] : [{ name: arm, isControl, cell, value: cell.value.mean }];
    })
    .sort((a, b) => a.value - b.value || Number(b.isControl) - Number(a.isControl));
}

/** A ranking, of which nobody knows how far it may be off. */
function withoutIntervals(group: RunGroup, arms: readonly MeasuredArm[]): string {
  const [best] = arms as [MeasuredArm, ...MeasuredArm[]];
  const { metric } = best.cell; // by the name that it has with this network
  const control = arms.find(({ isControl }) => isControl);
  const value = (arm: MeasuredArm) => formatNumber(arm.value);
  if (control === undefined) {
    const why = group.arms.some(({ isControl }) => isControl)
      ? "the control has not been measured"
      : "there is no control arm";
    const said =
      arms.length === 1
        ? `Only ${best.name} can be ranked (${metric.label} ${value(best)})`
        : `${best.name} has the lowest ${metric.label} (${value(best)}) of ${arms.length} arms`;
    return `${said}; ${why}, so no gain can be stated.`;
  }
  if (arms.length === 1) return `Only one arm can be compared so far (${best.name}: ${value(best)}).`;
  const others = arms.length - 1;
  if (best.isControl) {
    const equal = arms.filter((arm) => !arm.isControl && arm.value === best.value).map(({ name }) => name);
    if (equal.length > 0) {
      return `${list(equal)} and the control have the same lowest ${metric.label}, ${value(control)}.`;
    }
    return `${others === 1 ? "The aligned arm has no lower" : `None of the ${others} aligned arms has a lower`} ${metric.label} than the control (${value(control)}).`;
  }
  const { relative, wins, gain } = best.cell;
  const share = relative === null ? "" : `, a difference of ${plainPercent(relative.mean)}`;
  const seeds = group.runs.length === 1 ? "" : `, lower in ${wins} of ${gain!.count} seeds`;
  return `${best.name} has the lowest ${metric.label} of ${arms.length} arms: ${value(best)} against ${value(control)} of the control${share}${seeds}.`;
}

function withIntervals(draws: GroupDraws): string {
  const { metric } = draws;
  const gains = draws.arms
    .map((arm) => ({ arm, name: arm.name, gain: gainInterval(draws, arm) }))
    .sort((a, b) => b.gain.absolute - a.gain.absolute);
  const better = gains.filter(({ gain }) => gain.isDistinguishable && gain.absolute > 0);
  const worse = gains.filter(({ gain }) => gain.isDistinguishable && gain.absolute < 0);
  const open = gains.filter(({ gain }) => !gain.isDistinguishable);
  const listed = (arms: typeof gains) => list(arms.map(({ name, gain }) => `${name} (${shortGain(gain)})`));
  const said: string[] = [];
  const [lead] = better;
  if (lead === undefined) {
    const nearest = gains[0]!;
    const none = gains.length === 1 ? "The aligned arm is not" : `None of the ${gains.length} aligned arms is`;
    const came = gains.length === 1 ? "its gain is" : `${nearest.name} comes nearest with a gain of`;
    said.push(
      `${none} distinguishably better than the control, whose ${metric.label} is ${formatNumber(draws.control.mean)}: ${came} ${longGain(nearest.gain)}.`,
    );
    const rest = open.filter((one) => one !== nearest);
    if (rest.length > 0) said.push(`Not distinguishable from the control either: ${listed(rest)}.`);
  } else {
    said.push(
      `${lead.name} gains ${lead === gains[0] ? "most over" : "over"} the control: a ${metric.label} of ${formatNumber(lead.arm.mean)} against ${formatNumber(draws.control.mean)}, a gain of ${longGain(lead.gain)}.`,
    );
    if (better.length > 1) said.push(`Also better than the control: ${listed(better.slice(1))}.`);
    const equal = gains.filter(({ arm }) => arm !== lead.arm && !gainInterval(draws, lead.arm, arm).isDistinguishable);
    if (equal.length > 0) said.push(`Not distinguishable from ${lead.name}: ${list(equal.map(({ name }) => name))}.`);
    if (open.length > 0) said.push(`Not distinguishable from the control: ${listed(open)}.`);
  }
  if (worse.length > 0) said.push(`Worse than the control: ${listed(worse)}.`);
  return said.join(" ");
}

/** What the numbers are of. */
function circumstances(group: RunGroup, name: string): string {
  const { step, samples, network } = firstEvaluation(group, name)!;
  const seeds = group.runs.length === 1 ? "one seed" : `means over ${group.runs.length} seeds`;
  const proxy = network.proxy ? `, ${network.name} as a proxy network` : "";
  return `${step} training steps, ${samples} samples, ${seeds}${proxy}.`;
}

/** `+15.0 %`, or in units of the metric where the control may be 0. */
function shortGain({ absolute, relative, relativeInterval }: GainInterval): string {
  return relativeInterval === null ? formatSigned(absolute) : formatPercent(relative!);
}

/** `15.0 % (95 % interval 9.1 % to 20.8 %)` */
function longGain({ absolute, interval, relative, relativeInterval }: GainInterval): string {
  const [value, { low, high }, format] =
    relativeInterval === null
      ? [absolute, interval, (one: number) => formatNumber(one, 3)]
      : [relative!, relativeInterval, plainPercent];
  return `${format(value)} (95 % interval ${format(low)} to ${format(high)})`;
}

function plainPercent(share: number): string {
  return formatPercent(share).replace("+", "");
}

/** `a, b and c` */
function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
