/** @file What `arms/ARM/convergence.json` holds: the numbers of an arm along its training. */
import { z } from "zod";
import type { Evaluation } from "./records.js";
import type { CurvePoint } from "./smooth.js";

export const convergenceSchema = z.looseObject({
  format: z.literal("descry-convergence-1"),
  arm: z.string(),
  /** Images on each side, at every step. */
  samples: z.int().min(1),
  reference: z.int().min(1).nullable(),
  weights: z.string(),
  sampler: z.record(z.string(), z.unknown()),
  network: z.looseObject({ name: z.string(), sha256: z.string(), proxy: z.boolean() }),
  protocol: z.record(z.string(), z.unknown()),
  /** By rising steps; the last one is the end of the training. */
  points: z.array(z.object({ step: z.int().min(1), metrics: z.record(z.string(), z.number().nullable()) })).min(1),
});
export type ConvergenceRecord = z.output<typeof convergenceSchema>;

/** The record of some evaluations of one arm, by rising steps. They are of one protocol. */
export function convergenceOf(evaluations: readonly Evaluation[]): ConvergenceRecord {
  const { arm, samples, reference, weights, sampler, network, protocol } = evaluations[0]!;
  const points = evaluations.map(({ step, metrics }) => ({ step, metrics }));
  return { format: "descry-convergence-1", arm, samples, reference, weights, sampler, network, protocol, points };
}

/** The points of some records, each with the network that it was measured by. */
export const pointsOf = (records: readonly ConvergenceRecord[]) =>
  records.flatMap(({ points, network }) => points.map((point) => ({ ...point, network })));

/** A metric over the steps where it was measured; empty without a record. */
export function curveOf(record: ConvergenceRecord | null, key: string): CurvePoint[] {
  return (record?.points ?? []).flatMap(({ step, metrics }) => {
    const value = metrics[key] ?? null;
    return value === null ? [] : [{ step, value }];
  });
}
