/** @file The oracle of the engine's tests: the same function on the plain TensorFlow.js CPU backend. */
import tf from "@tensorflow/tfjs";
import { expect } from "vitest";
import { compileFunction, type HostTensors, type Signature, type Tensors } from "../../src/compile/compile.js";

export interface Case {
  readonly name: string;
  readonly inputs: Signature;
  readonly fn: (inputs: Tensors) => Tensors | tf.Tensor | tf.Tensor[];
  /** How values of an input are drawn; default standard normal for float32, −4…4 for int32, even odds for bool. */
  readonly draw?: "positive" | "unit";
  /** Values of inputs that are not drawn, such as indices. */
  readonly values?: HostTensors;
  /** Allowed difference relative to the largest magnitude (at least 1). */
  readonly tolerance?: number;
}

const named = (result: Tensors | tf.Tensor | tf.Tensor[]): Tensors =>
  result instanceof tf.Tensor
    ? { y: result }
    : Array.isArray(result)
      ? Object.fromEntries(result.map((tensor, i) => [`y${i}`, tensor]))
      : result;

/** Uniform numbers in [0, 1) from a linear congruential generator: the engine's tests need no other room. */
export function lottery(name: string, seed: number): () => number {
  let state = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, seed + 1);
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < 8; i++) next();
  return next;
}

/** Random values for a signature. */
export function randomValues(inputs: Signature, draw?: Case["draw"], seed = 0): HostTensors {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype = "float32" }]) => {
      const next = lottery(name, seed);
      const count = shape.reduce((product, side) => product * side, 1);
      const fill = <T extends Float32Array | Int32Array | Uint8Array>(data: T, value: () => number): T => {
        for (let i = 0; i < count; i++) data[i] = value();
        return data;
      };
      if (dtype === "int32")
        return [name, { shape, data: fill(new Int32Array(count), () => Math.floor(next() * 9) - 4) }];
      if (dtype === "bool") return [name, { shape, data: fill(new Uint8Array(count), () => Number(next() < 0.5)) }];
      const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
      const value = { positive: () => 0.1 + 2 * next(), unit: () => 1.8 * next() - 0.9, normal }[draw ?? "normal"];
      return [name, { shape, data: fill(new Float32Array(count), value) }];
    }),
  );
}

/** Compile, run natively twice, run eagerly, and compare all three. */
export async function expectSameAsTfjs({
  name,
  inputs,
  fn,
  draw,
  values: given,
  tolerance = 1e-5,
}: Case): Promise<void> {
  const values = { ...randomValues(inputs, draw), ...given };
  const body = (given: Tensors) => named(fn(given));
  const native = await compileFunction(body, inputs, { name });
  const eager = await compileFunction(body, inputs, { name, device: "tfjs-cpu" });
  try {
    const [first, second, oracle] = [await native.run(values), await native.run(values), await eager.run(values)];
    expect(native.outputs).toEqual(eager.outputs);
    for (const [key, expected] of Object.entries(oracle)) {
      const actual = first[key]!;
      expect(actual.data, `${name} ${key} twice`).toEqual(second[key]!.data);
      expect(actual.shape).toEqual(expected.shape);
      const scale = Array.from(expected.data).reduce(
        (max: number, x) => (Number.isFinite(x) ? Math.max(max, Math.abs(x)) : max),
        1,
      );
      for (const [i, want] of expected.data.entries()) {
        const got = actual.data[i]!;
        const same = Object.is(got, want) || got === want || Math.abs(got - want) <= tolerance * scale;
        if (!same) expect.fail(`${name} ${key}[${i}]: compiled ${got}, TensorFlow.js ${want}`);
      }
    }
  } finally {
    await native.dispose();
    await eager.dispose();
  }
}
