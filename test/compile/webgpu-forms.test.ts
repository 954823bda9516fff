import tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { compileFunction, type Products } from "../../src/compile/compile.js";
import { encodeOnnx } from "../../src/compile/encode-onnx.js";
import { halfProducts } from "../../src/compile/half-products.js";
import { openModel, openSession } from "../../src/compile/session.js";
import { traceStep } from "../../src/compile/trace-step.js";
import { webgpuForms } from "../../src/compile/webgpu-forms.js";
import { trainStep } from "../../src/train/train-step.js";
import { DIM, MODEL, OPTIONS } from "../train/tiny-run.js";
import { randomValues } from "./against-tfjs.js";
import { whyNoWebGpu } from "./webgpu.js";

const depthwise = {
  inputs: { x: { shape: [2, 6, 5, 4] }, filter: { shape: [3, 3, 4, 2] } },
  fn: ({ x, filter }: Record<string, tf.Tensor>) => ({
    dx: tf.grad((z: tf.Tensor) =>
      tf.sum(tf.square(tf.depthwiseConv2d(z as tf.Tensor4D, filter as tf.Tensor4D, 1, "same"))),
    )(x!),
  }),
};

const attention = {
  inputs: { q: { shape: [2, 5, 3] }, k: { shape: [2, 4, 3] } },
  fn: ({ q, k }: Record<string, tf.Tensor>) => {
    const { value, grads } = tf.valueAndGrads((a, b) => tf.square(tf.matMul(a!, b!, false, true)))([q!, k!]);
    return { value, dq: grads[0]!, dk: grads[1]! };
  },
};

describe("forms that WebGPU has", () => {
  test.each([depthwise, attention])("give the numbers of those that it has not (%#)", async ({ fn, inputs }) => {
    const { graph, outputs } = traceStep((_, given) => ({ state: {}, outputs: fn(given) }), { state: {}, inputs }, "forms", [webgpuForms]); // biome-ignore format: one line
    const nodes = graph.reachable(Object.values(outputs));
    expect(nodes.map(({ op }) => op)).not.toContain("FusedMatMul");
    for (const { op, inputs, attributes } of nodes) {
      if (op === "ConvTranspose") expect(inputs[0]!.shape[1]).toBe(attributes["group"]);
    }
    const wanted = Object.entries(outputs).map(([name, value]) => ({ name, value }));
    const model = await openModel(encodeOnnx(graph, wanted, "forms").model);
    const plain = await compileFunction(fn, inputs, { name: "plain" });
    const values = randomValues(inputs);
    const got = await model.run(
      Object.fromEntries(Object.entries(values).map(([name, value]) => [`in/${name}`, value])),
    );
    for (const [name, { data }] of Object.entries(await plain.run(values))) {
      for (const [i, want] of data.entries()) expect(got[name]!.data[i], `${name}[${i}]`).toBeCloseTo(want, 4);
    }
    await model.dispose();
    await plain.dispose();
  });

  test.skipIf(whyNoWebGpu !== "")(`a depthwise gradient is the CPU's on webgpu ${whyNoWebGpu}`, async () => {
    const values = randomValues(depthwise.inputs);
    const [cpu, gpu] = await Promise.all(
      (["cpu", "webgpu"] as const).map(async (device) => {
        const program = await compileFunction(depthwise.fn, depthwise.inputs, { name: "depthwise", device });
        const { dx } = await program.run(values);
        await program.dispose();
        return dx!.data;
      }),
    );
    for (const [i, want] of cpu!.entries()) expect(gpu![i]).toBeCloseTo(want, 4);
  });

  const CASES = (["float32", "float16"] as const).flatMap((products) =>
    (["mlp", "conv"] as const).map((projector) => ({ products, projector })),
  );
  test.skipIf(whyNoWebGpu !== "").each<{ products: Products; projector: "mlp" | "conv" }>(CASES)(
    `no node of a training step runs on the CPU: $products, $projector ${whyNoWebGpu}`,
    async ({ products, projector }) => {
      const { signature, step } = trainStep({
        ...OPTIONS,
        model: MODEL,
        alignDepth: 1,
        targets: [
          { dim: DIM, projector: projector === "mlp" ? { type: "mlp", width: 8 } : { type: "conv", kernel: 3 } },
        ],
        coefficient: 0.5,
        precision: products === "float16" ? "mixed" : "float32",
      });
      const rules = products === "float16" ? [halfProducts({ longestSum: 256 }), webgpuForms] : [webgpuForms];
      const { graph, next, outputs, changing } = traceStep(step, signature, "step", rules);
      const { model } = encodeOnnx(
        graph,
        [
          ...changing.map((key) => ({ name: `next/${key}`, value: next[key]! })),
          ...Object.entries(outputs).map(([key, value]) => ({ name: `out/${key}`, value })),
        ],
        "step",
      );
      const session = await openSession(model, { device: "webgpu", isAllOnDevice: true });
      await session.release();
    },
  );
});
