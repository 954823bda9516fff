/** @file The program of a thread that describes images (started by `describe-workers.ts`, never by hand). */
import { parentPort, workerData } from "node:worker_threads";
import { packThrown } from "../data/thrown.js";
import type { WorkerAnswer, WorkerRequest, WorkerSetup } from "./describe-protocol.js";
import type { FeatureComputer } from "./descriptor.js";
import { openProgramModel } from "./program-model.js";

const { targets, computing, sample } = workerData as WorkerSetup;
const port = parentPort!;
const say = (answer: WorkerAnswer): void => port.postMessage(answer);

async function openAll(): Promise<FeatureComputer[]> {
  const computers: FeatureComputer[] = [];
  for (const target of targets) {
    computers.push(
      typeof target === "string" ? await openNamed(target) : await openProgramModel(target, computing.threads ?? 0),
    );
  }
  return computers;
}

/** Loads TensorFlow.js, all descriptors and their libraries: programs are ready without. */
async function openNamed(target: string): Promise<FeatureComputer> {
  const { parseTarget } = await import("./targets.js");
  const { loadDescriptor } = await import("./load-descriptor.js");
  const { fitToSample } = await import("./fit-descriptor.js");
  const { openFeatureComputer } = await import("./compute-features.js");
  const descriptor = await fitToSample(await loadDescriptor(parseTarget(target)), sample, computing);
  return openFeatureComputer(descriptor, computing);
}

async function describe(computers: readonly FeatureComputer[], request: NonNullable<WorkerRequest>): Promise<void> {
  const { images, count, rows, tokens } = request;
  try {
    for (const [i, computer] of computers.entries()) tokens[i]!.set(await computer.compute(images, count, rows));
    say({ kind: "described" });
  } catch (error) {
    say({ kind: "failed", ...packThrown(error) });
  }
}

try {
  const computers = await openAll();
  // One after the other: a computer's calls must not overlap.
  let last = Promise.resolve();
  port.on("message", (request: WorkerRequest) => {
    last = last.then(async () => {
      if (request !== undefined) return describe(computers, request);
      for (const computer of computers) await computer.dispose();
      port.close();
    });
  });
  say({ kind: "ready", notes: computers.map(({ note }) => note) });
} catch (error) {
  say({ kind: "failed", ...packThrown(error) });
  port.close();
}
