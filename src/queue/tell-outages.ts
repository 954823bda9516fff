import type { ProgressSink } from "../run/progress.js";
import type { QueueAddress } from "./queue-address.js";

interface ErrorEmitter {
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** Between two lines about the same outage: BullMQ tries again by itself, with an error each time. */
const TELL_MS = 30_000;
let told = 0;

/** Say in a line that Redis does not answer any more. */
export function tellOutages(part: ErrorEmitter, { shown }: QueueAddress, progress: ProgressSink): void {
  part.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === undefined) {
      progress.line(`queue: ${error.message.split("\n")[0]}`);
      return;
    }
    if (Date.now() - told < TELL_MS) return;
    told = Date.now();
    progress.line(`${shown}: no answer (${error.code}), trying again`);
  });
}
