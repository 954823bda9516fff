import { targetLabels } from "../rank/target-labels.js";
import { alignTable } from "../report/align-table.js";
import type { ProbeRecord } from "./probe-record.js";

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What probing found as an aligned text, and below what was measured. */
export function formatProbeTable(record: ProbeRecord): string {
  const { rows, source, images, grid, classes, split, chance, weightDecays, interval } = record;
  const names = [...new Set(rows.map(({ target }) => target))];
  const labels = targetLabels(names);
  const table = alignTable(
    ["target", "tokens", "D", "accuracy ↓", "interval", "training", "weight decay"],
    rows.map(({ target, pool, dim, accuracy, low, high, trainAccuracy, weightDecay, isConverged }) => [
      labels[names.indexOf(target)]!,
      pool,
      String(dim),
      percent(accuracy),
      `${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)}`,
      percent(trainAccuracy),
      `${weightDecay}${isConverged ? "" : " *"}`,
    ]),
  );
  return [
    table,
    "",
    `best validation accuracy of a linear classifier over ${weightDecays.length} weight decays, with its interval (${interval})`,
    `chance ${percent(chance)}; ${classes.length} classes, ${split.train} images to learn from, ${split.validation} for validation, of ${images} of ${source} (seed ${split.seed}), ${grid}×${grid} tokens`,
    "tokens: mean, of all patches of an image; cls, the encoder's class token; features standardized, L-BFGS",
    ...(split.unaskedClasses === 0
      ? []
      : [`${split.unaskedClasses} classes have one image, which is learnt from only`]),
    ...(rows.every(({ isConverged }) => isConverged) ? [] : ["* the loss was not minimal after 500 iterations"]),
  ].join("\n");
}
