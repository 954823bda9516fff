import { Interrupted } from "../run/task-process.js";
import type { CliContext } from "./context.js";

/** Work that is done in this process: whatever it fails with after an interruption is the interruption. @throws {Interrupted} */
export async function interruptible<Result>({ signal }: CliContext, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted === true) throw new Interrupted();
    throw error;
  }
}
