import { type FileHandle, open } from "node:fs/promises";
import { fileError } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";

/** One line of `metrics.jsonl`. */
export interface StepMetrics {
  /** 1-based. */
  readonly step: number;
  /** Denoising loss plus weighted alignment loss. */
  readonly loss: number;
  readonly denoising_loss: number;
  /** Not weighted, in [−1,1]; absent in a control. */
  readonly alignment_loss?: number;
  /** Global norm of the gradient before clipping; absent where it overflowed float16 and the update was skipped. */
  readonly grad_norm?: number;
  /** With mixed precision: what the loss was multiplied with for the backward pass. */
  readonly loss_scale?: number;
  /** Wall-clock time of the step, waiting for its batch included; the mean of all steps whose metrics came home together. */
  readonly seconds: number;
}

/** An open log. */
export interface MetricsLog {
  append(line: StepMetrics): Promise<void>;
  /** Flushes to disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a JSON-lines log for appending, after cutting off what a killed run wrote beyond the checkpoint it goes on from: the
 * first line of a later step, a torn last line, and everything after.
 *
 * @param keepSteps  lines of steps up to this one are kept; 0: none.
 * @throws {DataError} the file cannot be written, or a line that is not the last is no metrics.
 */
export async function openMetricsLog(path: string, keepSteps: number): Promise<MetricsLog> {
  const guard = async <Result>(action: Promise<Result>): Promise<Result> => {
    try {
      return await action;
    } catch (error) {
      throw fileError(error, "cannot write", path);
    }
  };
  const handle = await guard(open(path, "a+"));
  try {
    await guard(cutAfter(handle, keepSteps, path));
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    append: (line) => guard(handle.appendFile(`${JSON.stringify(line)}\n`)),
    sync: () => guard(handle.sync()),
    close: () => guard(handle.close()),
  };
}

async function cutAfter(handle: FileHandle, keepSteps: number, path: string): Promise<void> {
  const bytes = await handle.readFile();
  let keptBytes = 0;
  for (let line = 1; keptBytes < bytes.length && keepSteps > 0; line++) {
    const end = bytes.indexOf("\n", keptBytes);
    if (end === -1) break;
    const step = stepOf(bytes.toString("utf8", keptBytes, end));
    if (step === undefined) {
      // A line torn by a crash is followed by nothing.
      if (end + 1 === bytes.length) break;
      throw new DataError(`${path}:${line}: not a line of metrics`, { hint: "mend or remove the line, then resume" });
    }
    if (step > keepSteps) break;
    keptBytes = end + 1;
  }
  if (keptBytes < bytes.length) await handle.truncate(keptBytes);
}

function stepOf(line: string): number | undefined {
  try {
    const step: unknown = (JSON.parse(line) as { step?: unknown } | null)?.step;
    return typeof step === "number" ? step : undefined;
  } catch {
    return undefined;
  }
}
