/** @file What a report says, for programs: the numbers of every arm with their intervals, and the verdict. */
import { evaluationNames } from "./compare-arms.js";
import { drawGroup } from "./draw-group.js";
import { gainOf } from "./gain-interval.js";
import type { Interval } from "./interval.js";
import type { RunRecord } from "./read-run.js";
import { type Recoveries, recoveries } from "./recovery.js";
import { groupRuns, type RunGroup, seedOf } from "./run-groups.js";
import { type Spread, summarizeSeeds } from "./seed-summary.js";
import { formatSweepTable } from "./sweep-table.js";
import { formatTerminalTable } from "./terminal-table.js";
import { verdictOf } from "./verdict.js";

/** One metric of one arm over the seeds. */
export interface MetricSummary extends Partial<Spread> {
  /** Of the gains over the control as shares of its value; null for the control. */
  readonly gain: Spread | null;
  /** Seeds in which it was better than the control. */
  readonly wins: number;
  /** 95 % interval of the gain in units of the metric, positive is better; null: not known. */
  readonly gainInterval: Interval | null;
  /** The same as shares of the control's value. */
  readonly relativeInterval: Interval | null;
  /** Whether the interval leaves out 0; null: not known. */
  readonly isDistinguishable: boolean | null;
}

export interface ArmSummary {
  readonly arm: string;
  readonly metrics: Readonly<Record<string, MetricSummary>>;
}

/** Runs of one experiment that differ in nothing but their seeds. */
export interface GroupSummary {
  readonly label: string;
  readonly seeds: readonly string[];
  readonly verdict: string;
  /** By the first evaluation. */
  readonly arms: readonly ArmSummary[];
  /** Null: no two arms with intervals. */
  readonly recovered: Recoveries | null;
}

/** The arms of a group in numbers. */
export function summarizeArms(group: RunGroup): ArmSummary[] {
  const name = evaluationNames(group.runs[0]!)[0] ?? "evaluation";
  return summarizeSeeds(group, name).map(({ name: arm, cells }) => {
    const metrics = cells.map(({ metric, value, relative, wins }): [string, MetricSummary] => {
      const gain = gainOf(drawGroup(group, name, metric.key), arm);
      return [
        metric.key,
        {
          ...value,
          gain: relative,
          wins,
          gainInterval: gain?.interval ?? null,
          relativeInterval: gain?.relativeInterval ?? null,
          isDistinguishable: gain?.isDistinguishable ?? null,
        },
      ];
    });
    return { arm, metrics: Object.fromEntries(metrics) };
  });
}

/**
 * Sum up some runs as their report does.
 *
 * @param relativeTo arm that recovered gains are shares of; absent: the one with the largest gain.
 * @returns `table` for the terminal, without a line feed at its end.
 */
export function summarizeReport(
  runs: readonly RunRecord[],
  relativeTo?: string,
): { readonly groups: readonly GroupSummary[]; readonly table: string } {
  const groups = groupRuns(runs);
  const tables = groups.map((group) => {
    const table = group.runs.length === 1 ? formatTerminalTable(group) : formatSweepTable(group);
    return groups.length === 1 ? table : `${group.label}\n${table}`;
  });
  return {
    table: tables.join("\n\n"),
    groups: groups.map((group) => {
      const draws = drawGroup(group, evaluationNames(group.runs[0]!)[0]);
      return {
        label: group.label,
        seeds: group.runs.map(seedOf),
        verdict: verdictOf(group),
        arms: summarizeArms(group),
        recovered: draws === null ? null : recoveries(draws, relativeTo),
      };
    }),
  };
}
