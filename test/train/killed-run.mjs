// Trains the tiny arm into the folder given, slowly, saying each step; the test kills it. Vite loads the TypeScript.
import { writeSync } from "node:fs";
import { runnerImport } from "vite";

const load = async (name) => (await runnerImport(new URL(name, import.meta.url).pathname)).module;
const { tinyArm } = await load("tiny-run.ts");
const { trainArm } = await load("../../src/train/train-arm.ts");
const pause = new Int32Array(new SharedArrayBuffer(4));
await trainArm(
  tinyArm(process.argv[2], {
    onStep({ step }) {
      writeSync(1, `step ${step}\n`);
      // From step 5 on wait for the end.
      Atomics.wait(pause, 0, 0, step >= 5 ? 60_000 : 1);
    },
  }),
);
