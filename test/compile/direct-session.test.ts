import tf from "@tensorflow/tfjs";
import { afterEach, expect, test, vi } from "vitest";

afterEach(() => {
  vi.doUnmock("koffi");
  vi.resetModules();
});

/** A step whose state is a sum, compiled by modules that are loaded anew. */
async function openSum() {
  const { compileStep } = await import("../../src/compile/compile-step.js");
  const { whyNotDirect } = await import("../../src/compile/direct-session.js");
  const step = await compileStep(
    ({ sum }, { x }) => ({ state: { sum: tf.matMul(sum!, x!) }, outputs: { first: tf.slice(sum!, [0, 0], [1, 2]) } }),
    { state: { sum: { shape: [2, 2] } }, inputs: { x: { shape: [2, 2] } } },
    { name: "sum" },
  );
  step.setState({ sum: { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] } });
  return { step, why: await whyNotDirect() };
}
const x = { data: Float32Array.of(0, 1, 1, 0), shape: [2, 2] };

test("the cpu is called directly, and otherwise through the binding, with the same numbers", async () => {
  const direct = await openSum();
  expect(direct.why).toBeUndefined();

  vi.resetModules();
  vi.doMock("koffi", () => {
    throw new Error("no such package");
  });
  const bound = await openSum();
  expect(bound.why).toMatch(/mocking a module/);

  for (const { step } of [direct, bound]) {
    expect([...(await step.run({ x }))["first"]!.data]).toEqual([1, 2]);
    expect([...(await step.run({ x }))["first"]!.data]).toEqual([2, 1]);
    expect([...(await step.readState())["sum"]!.data]).toEqual([1, 2, 3, 4]);
    await step.dispose();
  }
});

test("what ONNX Runtime says about a model or a run is thrown", async () => {
  const { openDirectSession } = await import("../../src/compile/direct-session.js");
  await expect(openDirectSession(Uint8Array.of(1, 2, 3), 1, {})).rejects.toThrow(/protobuf|model/i);
  const { openHostSession } = await import("../../src/compile/session.js");
  await expect(openHostSession(Uint8Array.of(1, 2, 3), "cpu")).rejects.toThrow(
    /^ONNX Runtime cannot open the compiled graph: [^\n]+$/,
  );
});
