/**
 * @file Progress for people: a bar with rate and time left for each task on a terminal, a plain line every few seconds otherwise,
 * nothing when asked to be quiet. Always on the error stream, so that results can be piped.
 */
import { MultiBar, Presets } from "cli-progress";
import { formatDuration } from "../run/format.js";
import type { ProgressSink, TaskProgress } from "../run/progress.js";
import { SILENT } from "../run/progress.js";
import type { CliContext } from "./context.js";

/** Between two plain lines of one task. */
const PLAIN_INTERVAL_MS = 5000;
/** Column where what follows a task's label starts. */
const LABEL_WIDTH = 24;

/** The sink that suits the context's error stream. */
export function openProgress({ stderr }: CliContext, quiet: boolean): ProgressSink {
  if (quiet) return SILENT;
  return stderr.isTTY === true ? barProgress(stderr as unknown as NodeJS.WritableStream) : plainProgress(stderr);
}

/** Finished work and time → `12.3 steps/s`. */
export function formatRate(done: number, seconds: number, unit: string): string {
  const rate = seconds > 0 ? done / seconds : 0;
  return `${rate >= 100 ? rate.toFixed(0) : rate.toPrecision(2)} ${unit}/s`;
}

/** The bars on the terminal, while there are any. */
let bars: MultiBar | undefined;

/** Take the bars from the terminal, also of tasks that will not finish: they would keep the process alive. */
export function stopProgress(): void {
  bars?.stop();
  bars = undefined;
}

function barProgress(stream: NodeJS.WritableStream): ProgressSink {
  let open = 0;
  /** Above the bars. */
  const write = (text: string) => {
    if (bars === undefined) stream.write(`${text}\n`);
    else bars.log(`${text}\n`);
  };
  return {
    task(label, total, unit) {
      const name = label.padEnd(LABEL_WIDTH);
      bars ??= new MultiBar(
        {
          stream,
          format: "{name} {bar} {value}/{total} {unit}  {rate}  {left}  {note}",
          hideCursor: true,
          clearOnComplete: true,
          stopOnComplete: false,
          barsize: 24,
          fps: 8,
        },
        Presets.shades_classic,
      );
      const clock = openClock();
      const bar = bars.create(total, 0, { name, unit, rate: "", left: "", note: "" });
      open++;
      return {
        update(done, note = "") {
          bar.update(done, { ...clock.read(done, total, unit), note });
        },
        finish(summary) {
          write(`${name} ${summary}`);
          bars?.remove(bar); // draws once more, what is written included
          if (--open === 0) stopProgress();
        },
      };
    },
    line: write,
  };
}

function plainProgress(stream: CliContext["stderr"]): ProgressSink {
  return {
    task(label, total, unit): TaskProgress {
      const name = label.padEnd(LABEL_WIDTH);
      const clock = openClock();
      let last = Date.now();
      return {
        update(done, note = "") {
          if (Date.now() - last < PLAIN_INTERVAL_MS) return;
          last = Date.now();
          const { rate, left } = clock.read(done, total, unit);
          const percent = total > 0 ? ` (${Math.floor((100 * done) / total)} %)` : "";
          const words = [`${done}/${total} ${unit}${percent}`, rate, left, note].filter((word) => word !== "");
          stream.write(`${name} ${words.join("  ")}\n`);
        },
        finish(summary) {
          stream.write(`${name} ${summary}\n`);
        },
      };
    },
    line(text) {
      stream.write(`${text}\n`);
    },
  };
}

/** Rate and time left, counted from the first update (a resumed task does not start at 0). */
function openClock() {
  let began: { ms: number; done: number } | undefined;
  return {
    read(done: number, total: number, unit: string): { rate: string; left: string } {
      began ??= { ms: Date.now(), done };
      const seconds = (Date.now() - began.ms) / 1000;
      const fresh = done - began.done;
      if (fresh <= 0 || seconds <= 0) return { rate: "", left: "" };
      const left = total > 0 ? `${formatDuration(((total - done) * seconds) / fresh)} left` : "";
      return { rate: formatRate(fresh, seconds, unit), left };
    },
  };
}
