import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import { csvLines } from "../report/csv-lines.js";
import type { ProbeRecord } from "./probe-record.js";

/**
 * Write `probe.csv`, and `probe.json` with all conditions.
 *
 * @param folder made if absent.
 * @returns the files.
 */
export async function writeProbe(record: ProbeRecord, folder: string): Promise<string[]> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make", folder);
  }
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
  const contents = [
    ["probe.csv", csv],
    ["probe.json", `${JSON.stringify(record, null, 2)}\n`],
  ] as const;
  for (const [name, content] of contents) await writeFileAtomic(path.join(folder, name), content);
  return contents.map(([name]) => path.join(folder, name));
}
