/**
 * @file Owns the native sessions of the eager backend, in a thread of its own: ONNX Runtime answers later, TensorFlow.js's
 * `dataSync` wants to know now, so the asking thread sleeps until the answer lies in its port.
 */
import { parentPort, workerData } from "node:worker_threads";
import * as ort from "onnxruntime-node";

/** Graphs of a node or two: nothing to optimize, nothing to share among threads. Denormals as in src/compile/session.ts. */
const OPTIONS = {
  executionProviders: ["cpu"],
  graphOptimizationLevel: "disabled",
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 4,
  extra: { session: { set_denormal_as_zero: "1" } },
};

const sessions = new Map();

async function answer({ id, model, feeds }) {
  if (!sessions.has(id)) sessions.set(id, await ort.InferenceSession.create(model, OPTIONS));
  const session = sessions.get(id);
  const given = Object.fromEntries(
    feeds
      .filter(({ name }) => session.inputNames.includes(name))
      .map(({ name, dtype, data, shape }) => [name, new ort.Tensor(dtype, data, shape)]),
  );
  const results = await session.run(given);
  return Object.fromEntries(session.outputNames.map((name) => [name, results[name].data]));
}

parentPort.on("message", async (request) => {
  const { port, signal } = workerData;
  try {
    port.postMessage({ results: await answer(request) });
  } catch (error) {
    port.postMessage({ error: error.message });
  }
  Atomics.store(signal, 0, 1);
  Atomics.notify(signal, 0);
});
