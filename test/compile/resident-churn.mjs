// Says resident sizes in bytes: after 30 and 80 sessions compiled, run and disposed of, and after 200 and 2,200 steps of one.
// Vite loads the TypeScript. Needs --expose-gc.
import tf from "@tensorflow/tfjs";
import { runnerImport } from "vite";

const { compileStep } = (await runnerImport(new URL("../../src/compile/compile-step.ts", import.meta.url).pathname))
  .module;

const shape = [128, 128];
const batch = { shape: [32, 128] };

/** A linear layer and its momentum: state that loops update in place, and state that the graph computes (`mixed`). */
const step = ({ w, momentum, mixed }, { x, y }) => {
  const { value, grad } = tf.valueAndGrad((w) => tf.mean(tf.squaredDifference(tf.matMul(x, w), y)))(w);
  const moved = tf.add(tf.mul(momentum, 0.9), grad);
  const next = { w: tf.sub(w, tf.mul(moved, 0.01)), momentum: moved, mixed: tf.softmax(tf.matMul(mixed, mixed)) };
  return { state: next, outputs: { loss: value } };
};

const compile = () =>
  compileStep(
    step,
    { state: { w: { shape }, momentum: { shape }, mixed: { shape } }, inputs: { x: batch, y: batch } },
    { name: "churn" },
  );

const inputs = {
  x: { data: new Float32Array(32 * 128).fill(0.1), shape: batch.shape },
  y: { data: new Float32Array(32 * 128).fill(1), shape: batch.shape },
};

const sayResidentSize = async () => {
  // Native memory goes with its owner's finalizer, a turn after the collection.
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  console.log(process.memoryUsage.rss());
};

for (let count = 1; count <= 80; count++) {
  const compiled = await compile();
  for (let i = 0; i < 5; i++) await compiled.run(inputs);
  await compiled.readState();
  await compiled.dispose();
  if (count === 30 || count === 80) await sayResidentSize();
}

const compiled = await compile();
for (let count = 1; count <= 2200; count++) {
  await compiled.run(inputs);
  if (count === 200 || count === 2200) await sayResidentSize();
}
await compiled.dispose();
