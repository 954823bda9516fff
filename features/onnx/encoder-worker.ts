/** @file The program of an encoder's thread (started by `encoder-thread.ts`): opens the encoder that it is given, and encodes batches. */
import { parentPort, workerData } from "node:worker_threads";
import { unexpectedFileError } from "../../data/atomic.js";
import { packThrown, type Thrown } from "../../data/thrown.js";
import { type EncoderBatch, type EncoderFacts, type EncoderJob, openImageEncoder } from "./image-encoder.js";

/** Parent → thread. */
export type EncoderRequest = { readonly kind: "encode"; readonly batch: EncoderBatch } | { readonly kind: "close" };

/** Thread → parent: one for the opening, and one for each batch. */
export type EncoderReply =
  | { readonly kind: "opened"; readonly facts: EncoderFacts }
  | { readonly kind: "encoded"; readonly features: Float32Array<ArrayBuffer> }
  | ({ readonly kind: "error" } & Thrown);

const port = parentPort!;
const reply = (message: EncoderReply): void =>
  port.postMessage(message, message.kind === "encoded" ? [message.features.buffer] : []);
const fail = (error: unknown): void => reply({ kind: "error", ...packThrown(unexpectedFileError(error)) });

try {
  const encoder = await openImageEncoder(workerData as EncoderJob);
  port.on("message", (request: EncoderRequest) => {
    if (request.kind === "close") {
      void encoder.dispose().finally(() => port.close());
      return;
    }
    encoder
      .encode(request.batch)
      .then((features) => reply({ kind: "encoded", features: features as Float32Array<ArrayBuffer> }), fail);
  });
  reply({ kind: "opened", facts: encoder.facts });
} catch (error) {
  fail(error);
  port.close();
}
