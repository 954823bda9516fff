/**
 * @file An encoder in a thread of its own. ONNX Runtime holds up the thread that it is called from until a batch is done; so the next
 * batch is read and decoded meanwhile. The program of the thread: `encoder-worker.ts`.
 */
import { SHARE_ENV, Worker } from "node:worker_threads";
import { builtFile } from "../../data/built-file.js";
import { DescryError } from "../../data/errors.js";
import { unpackThrown } from "../../data/thrown.js";
import type { EncoderReply, EncoderRequest } from "./encoder-worker.js";
import type { EncoderBatch, EncoderJob, ImageEncoder } from "./image-encoder.js";

/**
 * Open an encoder in a new thread. Calls of `encode` must not overlap.
 *
 * @throws as `openImageEncoder`. @throws {DescryError} `ProcessError`: the thread ended before it had answered.
 */
export async function openEncoderThread(job: EncoderJob): Promise<ImageEncoder> {
  // The environment is shared because ONNX Runtime's telemetry is switched off there.
  const script = builtFile("features/onnx/encoder-worker.js");
  const worker = new Worker(script, { workerData: job, env: SHARE_ENV, execArgv: [] });
  const opened = await answer(worker);
  if (opened.kind !== "opened") throw new Error(`the encoder's thread began with "${opened.kind}"`);
  return {
    facts: opened.facts,
    async encode(batch) {
      // The thread takes the pixels for good, so it gets its own.
      const images = batch.images.slice();
      const request: EncoderRequest = { kind: "encode", batch: { ...batch, images } satisfies EncoderBatch };
      const reply = await answer(worker, () => worker.postMessage(request, [images.buffer]));
      if (reply.kind !== "encoded") throw new Error(`the encoder's thread answered with "${reply.kind}"`);
      return reply.features;
    },
    async dispose() {
      if (hasEnded(worker)) return;
      const ended = new Promise((resolve) => worker.once("exit", resolve));
      worker.ref();
      worker.postMessage({ kind: "close" } satisfies EncoderRequest);
      await ended;
    },
  };
}

/** It says nothing any more, not even that it ends. */
const hasEnded = ({ threadId }: Worker): boolean => threadId < 0;

/** The next thing that the thread says. @throws {DescryError} `ProcessError`: it ends, or has ended. */
function answer(worker: Worker, ask?: () => void): Promise<Exclude<EncoderReply, { kind: "error" }>> {
  if (hasEnded(worker)) return Promise.reject(new DescryError("ProcessError", "the encoder's thread has ended"));
  return new Promise((resolve, reject) => {
    const done = () => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      worker.unref(); // an encoder that nobody has disposed of keeps no process alive
    };
    const onMessage = (reply: EncoderReply) => {
      done();
      if (reply.kind === "error") reject(unpackThrown(reply));
      else resolve(reply);
    };
    const onError = (error: Error) => {
      done();
      reject(error);
    };
    const onExit = (code: number) => {
      done();
      reject(new DescryError("ProcessError", `the encoder's thread ended with code ${code}`));
    };
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.ref();
    ask?.();
  });
}
