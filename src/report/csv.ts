import { compareArms, evaluationNames } from "./compare-arms.js";
import { csvLines } from "./csv-lines.js";
import { metricsIn } from "./metrics.js";
import type { RunRecord } from "./read-run.js";

const CONDITIONS = [
  "network",
  "proxy",
  "samples",
  "reference",
  "sampler",
  "sampler_steps",
  "guidance",
  "weights",
  "step",
] as const;

/**
 * The numbers of some runs as CSV (RFC 4180, lines end in CR LF): one row an arm and evaluation, all digits, gains beside the
 * metrics, the conditions in columns of their own. What was not measured is empty.
 */
export function toCsv(runs: readonly RunRecord[]): string {
  const evaluations = runs.flatMap(({ arms }) => arms.flatMap((arm) => arm.evaluations.map(({ record }) => record)));
  const metrics = metricsIn(evaluations);
  const header = [
    "run",
    "seed",
    "arm",
    "target",
    "evaluation",
    ...metrics.flatMap(({ key, spreadKey }) => [
      key,
      ...(spreadKey === null ? [] : [spreadKey]),
      `${key}_gain`,
      `${key}_gain_percent`,
    ]),
    ...CONDITIONS,
  ];
  const rows = runs.flatMap((run) => {
    const names = evaluationNames(run);
    return (names.length === 0 ? ["evaluation"] : names).flatMap((name) =>
      compareArms(run, name).arms.map(({ arm, evaluation, cells }) => [
        `${run.experiment.name}-${run.hash}`,
        run.experiment.seed,
        arm.name,
        arm.align?.target ?? null,
        evaluation === null ? null : name,
        ...metrics.flatMap(({ key, spreadKey }) => {
          const cell = cells.find(({ metric }) => metric.key === key);
          const relative = cell?.gain?.relative ?? null;
          return [
            cell?.value ?? null,
            ...(spreadKey === null ? [] : [cell?.spread ?? null]),
            cell?.gain?.absolute ?? null,
            relative === null ? null : relative * 100,
          ];
        }),
        ...(evaluation === null
          ? CONDITIONS.map(() => null)
          : [
              evaluation.network.name,
              String(evaluation.network.proxy),
              evaluation.samples,
              evaluation.reference,
              evaluation.sampler.name,
              evaluation.sampler.steps,
              evaluation.sampler.guidance,
              evaluation.weights,
              evaluation.step,
            ]),
      ]),
    );
  });
  return csvLines([header, ...rows]);
}
