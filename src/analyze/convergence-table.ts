import { alignTable } from "../report/align-table.js";
import { csvLines } from "../report/csv-lines.js";
import { formatNumber } from "../report/format-number.js";
import { spreadOf } from "../report/seed-summary.js";
import type { ArmConvergence, ConvergenceAnalysis, SeedConvergence } from "./convergence.js";

/** The speed-ups as aligned text: one table a group. Of several seeds mean and range. */
export function formatConvergence({ groups, metric, what, goal }: ConvergenceAnalysis): string {
  const header = ["arm", `last ${metric.label}`, "reached at step", "speed-up"];
  const seeds = Math.max(...groups.flatMap(({ arms }) => arms.map((arm) => arm.seeds.length)));
  return [
    ...groups.flatMap(({ label, arms }) => [
      ...(groups.length > 1 ? [label] : []),
      alignTable(header, arms.map(rowOf)),
      "",
    ]),
    `to reach: ${goal}${seeds > 1 ? " under the same seed; mean and range over seeds" : ""}`,
    "speed-up: steps of the control over steps of the arm, both to where the curve is first as good, straight lines between points",
    `measured by: ${what}`,
  ].join("\n");
}

function rowOf(arm: ArmConvergence): string[] {
  const { label, seeds, isControl } = arm;
  const last = seeds.flatMap(({ points }) => points.at(-1)?.value ?? []);
  if (last.length === 0) return [label, "not measured"];
  const there = seeds.filter(({ reached }) => reached !== null);
  const share = there.length < seeds.length && there.length > 0 ? `, in ${there.length} of ${seeds.length} seeds` : "";
  const steps = there.map(({ reached }) => reached!.step);
  const step = there.length === 0 ? "not reached" : `${bound(there, "≤ ")}${range(steps, (x) => x.toFixed(0))}${share}`;
  const speedUps = seeds.flatMap(({ speedUp }) => speedUp ?? []);
  const ratio = speedUps.length === 0 ? "–" : `${bound(there, "≥ ")}${range(speedUps, (x) => `${x.toFixed(2)}×`)}`;
  return [label, range(last, (x) => formatNumber(x)), step, isControl ? "control" : ratio];
}

const bound = (seeds: readonly SeedConvergence[], sign: string): string =>
  seeds.some(({ reached }) => reached!.isBound) ? sign : "";

function range(values: readonly number[], show: (value: number) => string): string {
  const mean = show(spreadOf(values)!.mean);
  return values.length === 1 ? mean : `${mean} (${show(Math.min(...values))}–${show(Math.max(...values))})`;
}

/** The curves: one row a group, arm, seed and step. */
export function curvesCsv({ groups, metric }: ConvergenceAnalysis): string {
  return csvLines([
    ["group", "arm", "seed", "step", metric.key],
    ...groups.flatMap(({ label, arms }) =>
      arms.flatMap((arm) =>
        arm.seeds.flatMap(({ seed, points }) =>
          points.map(({ step, value }) => [label, arm.label, seed, step, value] as const),
        ),
      ),
    ),
  ]);
}

/** The speed-ups: one row a group, arm and seed; empty where not reached. */
export function speedUpCsv({ groups, metric }: ConvergenceAnalysis): string {
  return csvLines([
    ["group", "arm", "seed", "metric", "goal", "reached_step", "is_upper_bound", "speed_up"],
    ...groups.flatMap(({ label, arms }) =>
      arms.flatMap((arm) =>
        arm.seeds.map(({ seed, goal, reached, speedUp }) => [
          label,
          arm.label,
          seed,
          metric.key,
          goal,
          reached?.step ?? null,
          reached === null ? null : String(reached.isBound),
          speedUp,
        ]),
      ),
    ),
  ]);
}
