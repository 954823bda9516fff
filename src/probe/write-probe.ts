import { csvLines } from "../report/csv-lines.js";
import { writeResult } from "../report/write-result.js";
import type { ProbeRecord } from "./probe-record.js";

/**
 * Write `probe.csv`, and `probe.json` with all conditions.
 *
 * @param folder made if absent.
 * @returns the files.
 */
export function writeProbe(record: ProbeRecord, folder: string): Promise<string[]> {
  const header = [
    "target",
    "pool",
    "dim",
    "accuracy",
    "low",
    "high",
    "train_accuracy",
    "weight_decay",
    "chance",
    "source",
  ];
  const csv = csvLines([
    header,
    ...record.rows.map(({ target, pool, dim, accuracy, low, high, trainAccuracy, weightDecay }) => [
      target,
      pool,
      dim,
      accuracy,
      low,
      high,
      trainAccuracy,
      weightDecay,
      record.chance,
      record.source,
    ]),
  ]);
  return writeResult(folder, { "probe.csv": csv, "probe.json": `${JSON.stringify(record, null, 2)}\n` }, {});
}
