import { z } from "zod";
import { DataError } from "../../data/errors.js";
import { readOptionalJson } from "../report/read-json.js";

/** What is read of `probe.json`. */
const probeSchema = z.looseObject({
  format: z.literal("descry-probe-1"),
  rows: z.array(
    z.looseObject({ target: z.string(), pool: z.enum(["mean", "cls"]), accuracy: z.number().min(0).max(1) }),
  ),
});

/**
 * Accuracies by target, from a file of `descry probe`: those of the mean of the tokens, which every target has.
 *
 * @throws {DataError} no such file, or not one of these.
 */
export async function readProbe(file: string): Promise<ReadonlyMap<string, number>> {
  const hint = "wanted probe.json of descry probe";
  const probe = await readOptionalJson(file, probeSchema, hint);
  if (probe === null) throw new DataError(`${file}: there is no such file`, { hint });
  const accuracies = new Map<string, number>();
  for (const { target, pool, accuracy } of probe.rows) {
    if (pool === "mean") accuracies.set(target, accuracy);
  }
  return accuracies;
}
