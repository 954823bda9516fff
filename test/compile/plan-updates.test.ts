import tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import type { Signature, Tensors } from "../../src/compile/compile.js";
import { compileStep, type StepResult } from "../../src/compile/compile-step.js";
import { randomValues } from "./against-tfjs.js";

type Step = (state: Tensors, inputs: Tensors) => StepResult;

/** Run compiled and eagerly from the same values; state and outputs must agree after every step. */
async function expectSameSteps(step: Step, state: Signature, inputs: Signature, steps = 3): Promise<number> {
  const native = await compileStep(step, { state, inputs }, { name: "native" });
  const eager = await compileStep(step, { state, inputs }, { name: "eager", device: "tfjs-cpu" });
  const start = randomValues(state);
  native.setState(start);
  eager.setState(start);
  for (let i = 0; i < steps; i++) {
    const values = randomValues(inputs, undefined, i);
    const results = [await native.run(values), await eager.run(values)] as const;
    const states = [await native.readState(), await eager.readState()] as const;
    for (const [actual, expected] of [results, states]) {
      for (const [name, { data }] of Object.entries(expected)) {
        for (const [j, want] of data.entries()) {
          const got = actual[name]!.data[j]!;
          expect(Math.abs(got - want), `step ${i}, ${name}[${j}]: ${got}, ${want}`).toBeLessThan(
            2e-6 * Math.max(1, Math.abs(want)),
          );
        }
      }
    }
  }
  await native.dispose();
  await eager.dispose();
  return native.nodes;
}

const vector = { shape: [7] };
const matrix = { shape: [3, 5] };

test("an optimizer with moments, clipping and a moving average; odd sizes, several parameters", async () => {
  const names = ["w", "b"];
  const step: Step = (state, { x, rate }) => {
    const loss = (w: tf.Tensor, b: tf.Tensor) =>
      tf.mean(tf.square(tf.sub(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), b)));
    const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => state[name]!));
    const norm = tf.sqrt(tf.addN(grads.map((g) => tf.sum(tf.square(g)))));
    const clip = tf.minimum(1, tf.div(0.5, tf.add(norm, 1e-6)));
    const next: Tensors = {};
    for (const [i, name] of names.entries()) {
      const g = tf.mul(grads[i]!, clip);
      const m = tf.add(tf.mul(state[`${name}/m`]!, 0.9), tf.mul(g, 0.1));
      const v = tf.add(tf.mul(tf.abs(state[`${name}/v`]!), 0.99), tf.mul(tf.square(g), 0.01));
      const p = tf.sub(state[name]!, tf.mul(tf.div(m, tf.add(tf.sqrt(v), 1e-3)), rate!));
      Object.assign(next, { [name]: p, [`${name}/m`]: m, [`${name}/v`]: v });
      next[`${name}/ema`] = tf.add(tf.mul(state[`${name}/ema`]!, 0.5), tf.mul(p, 0.5));
    }
    return { state: next, outputs: { loss: value, norm } };
  };
  const state = Object.fromEntries(
    names.flatMap((name) =>
      ["", "/m", "/v", "/ema"].map((slot) => [name + slot, name === "w" ? matrix : { shape: [5] }]),
    ),
  );
  const nodes = await expectSameSteps(step, state, { x: { shape: [4, 3] }, rate: { shape: [] } });
  // Forward, backward and norm; 2 × 15 operators of the update are not in the graph.
  expect(nodes).toBeLessThan(35);
});

test("values that are also put out, or that another part of the graph reads", async () => {
  const step: Step = ({ a, b, c }, { x }) => {
    const next = tf.add(tf.mul(a!, 0.5), x!);
    return {
      state: { a: next, b: tf.add(b!, tf.sum(next)), c: tf.sub(c!, tf.mul(x!, x!)) },
      outputs: { next, twice: tf.mul(tf.mul(x!, x!), 2) },
    };
  };
  await expectSameSteps(step, { a: vector, b: vector, c: vector }, { x: vector });
});

test("state that is read by the update of other state", async () => {
  // a and b share a loop; d is computed by the graph, so what reads it stays there too.
  const step: Step = ({ a, b, c, d }, { x }) => ({
    state: {
      a: tf.add(a!, b!),
      b: tf.sub(a!, b!),
      c: tf.add(c!, d!),
      d: tf.reshape(tf.matMul(tf.reshape(d!, [7, 1]), tf.reshape(tf.sum(x!), [1, 1])), [7]),
    },
    outputs: {},
  });
  await expectSameSteps(step, { a: vector, b: vector, c: vector, d: vector }, { x: vector });
});

test("a frozen array, a number that is state, negation, reciprocals, extremes", async () => {
  const step: Step = ({ a, frozen, count }, { x }) => ({
    state: {
      a: tf.maximum(
        tf.neg(tf.mul(tf.reciprocal(tf.add(tf.abs(a!), 1)), frozen!)),
        tf.minimum(tf.div(x!, 3), tf.mul(a!, count!)),
      ),
      frozen: frozen!,
      count: tf.add(count!, 1),
    },
    outputs: { sum: tf.sum(a!) },
  });
  await expectSameSteps(step, { a: vector, frozen: vector, count: { shape: [] } }, { x: vector });
});
