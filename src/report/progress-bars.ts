import { formatCount, formatSeconds } from "./format-number.js";
import { type Html, html } from "./html.js";
import type { ArmRecord } from "./read-run.js";
import type { RunGroup } from "./run-groups.js";

/** Steps that the time left is judged by. */
const LAST_STEPS = 50;

/** How far the arms are, for a page that is being watched. */
export function progressBars(groups: readonly RunGroup[]): Html {
  const rows = groups.flatMap((group) =>
    group.arms.flatMap(({ label, repetitions }) =>
      repetitions.map((arm, r) => {
        const { steps } = group.runs[r]!.experiment.train;
        const done = arm.metrics.at(-1)?.step ?? 0;
        const name = repetitions.length > 1 ? `${label}, seed ${r + 1}` : label;
        return html`<li><span class="name">${name}</span><progress max="${steps}" value="${done}" aria-label="Training of ${name}"></progress><span>${stateOf(arm, done, steps)}</span></li>`;
      }),
    ),
  );
  return html`<ul class="progress" aria-label="How far the arms are">${rows}</ul>`;
}

function stateOf(arm: ArmRecord, done: number, steps: number): string {
  if (done === 0) return "waiting";
  if (done < steps) {
    const seconds = arm.metrics.slice(-LAST_STEPS).map((line) => line.seconds);
    const mean = seconds.reduce((sum, one) => sum + one, 0) / seconds.length;
    return `step ${formatCount(done)} of ${formatCount(steps)}, ${formatSeconds((steps - done) * mean)} left`;
  }
  if (arm.evaluations.length > 0) return "evaluated";
  return arm.samples === null ? "trained" : "sampled";
}
