/**
 * @file How a step tells what it is doing. The command line draws it; a child process sends it to its parent; tests record it.
 */

/** One thing that takes a while. */
export interface TaskProgress {
  /** `done` of the total are finished; `note` is a few words beside the bar, such as the loss. */
  update(done: number, note?: string): void;
  /** The task is over; `summary` is what remains to be read, such as `1800 rows in 4.2 s`. */
  finish(summary: string): void;
}

/** Where progress goes. */
export interface ProgressSink {
  /**
   * Begin a task.
   *
   * @param label such as `train  sift-irepa`.
   * @param total how many units; 0 when it is not known.
   * @param unit  plural word for the rate, such as `steps`.
   */
  task(label: string, total: number, unit: string): TaskProgress;
  /** A line that belongs to no task. */
  line(text: string): void;
}

/** Tells nobody. */
export const SILENT: ProgressSink = { task: () => ({ update() {}, finish() {} }), line() {} };
