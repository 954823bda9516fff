// Trains the tiny arm and says its resident size in bytes after steps 50 and 500. Vite loads the TypeScript. Needs --expose-gc.
import { runnerImport } from "vite";

const load = async (name) => (await runnerImport(new URL(name, import.meta.url).pathname)).module;
const { tinyArm, OPTIONS } = await load("tiny-run.ts");
const { trainArm } = await load("../../src/train/train-arm.ts");
await trainArm(
  tinyArm(process.argv[2], {
    options: { ...OPTIONS, steps: 500, logEvery: 10, checkpointEvery: 100 },
    onStep({ step }) {
      if (step !== 50 && step !== 500) return;
      globalThis.gc();
      console.log(process.memoryUsage.rss());
    },
  }),
);
