import tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { initializeSit } from "../../src/models/initialize.js";
import { sit } from "../../src/models/sit.js";
import type { SitConfig } from "../../src/models/sit-sizes.js";
import { openHiddenTokens } from "../../src/sample/hidden-tokens.js";
import { MODEL } from "../train/tiny-run.js";

const config: SitConfig = { ...MODEL, depth: 3 };

test("the tokens after each block are those of the model run eagerly, up to that block", async () => {
  const values = initializeSit(config, (name) => randomStream(1, name, 0));
  // No layer is left at zero, so that every block does something.
  const parameters = Object.fromEntries(
    Object.entries(values).map(([name, { shape, data }]) => [
      name,
      { shape, data: Float32Array.from(randomStream(2, name, 0).normal(data.length), (n, i) => data[i]! + 0.2 * n) },
    ]),
  );
  const x = randomStream(3, "x", 0).normal(2 * 3 * 8 * 8);
  const labels = Int32Array.of(2, 0);
  const network = await openHiddenTokens(config, [1, 3], { batch: 2, threads: 1 });
  const read = await network.read(parameters, { x, t: 0.25, labels });
  await network.dispose();
  await tf.setBackend("cpu");
  for (const [i, alignDepth] of [1, 3].entries()) {
    const tensors = Object.fromEntries(
      Object.entries(parameters).map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]),
    );
    const inputs = { x: tf.tensor(x, [2, 3, 8, 8]), t: tf.tensor([0.25, 0.25]), y: tf.tensor(labels, [2], "int32") };
    const want = sit(tensors, inputs, config, { alignDepth }).hidden!.dataSync();
    expect(read[i]).toHaveLength(want.length);
    // float32 through up to three blocks of width 16.
    for (const [k, value] of want.entries()) expect(Math.abs(read[i]![k]! - value)).toBeLessThan(2e-4);
  }
});
