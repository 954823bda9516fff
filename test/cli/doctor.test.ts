import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ROOT, runCli } from "./run-cli.js";

const PACKAGE = join(ROOT, "dist/node_modules/@tensorflow/tfjs-node-gpu");
/** Beside the built files, where Node looks before it looks in the project's packages. */
function installFake(code: string): void {
  mkdirSync(PACKAGE, { recursive: true });
  writeFileSync(join(PACKAGE, "package.json"), JSON.stringify({ name: "@tensorflow/tfjs-node-gpu", main: "index.js" }));
  writeFileSync(join(PACKAGE, "index.js"), code);
}
afterEach(() => rmSync(join(ROOT, "dist/node_modules"), { recursive: true, force: true }));

const tfjsGpu = async (): Promise<string[]> => {
  const { code, stdout } = await runCli(["doctor"]);
  expect(code).toBe(0);
  return stdout.split("\n").filter((line) => line.includes("device tfjs-gpu"));
};

test("tfjs-gpu: an absent package, or a missing libcudart, is one line that says so", async () => {
  expect(await tfjsGpu()).toEqual([
    expect.stringMatching(/not available; wanted: CUDA, and: npm install @tensorflow\/tfjs-node-gpu$/),
  ]);
  installFake(
    `throw new Error("libcudart.so.11.0: cannot open shared object file: No such file or directory\\nmore");`,
  );
  expect(await tfjsGpu()).toEqual([
    expect.stringMatching(
      /not available: its package is installed, but does not load: libcudart\.so\.11\.0: cannot open/,
    ),
  ]);
  // As TensorFlow does when it finds no CUDA: it registers its backend all the same, and would compute on the CPU.
  installFake(`
    const tf = require(${JSON.stringify(join(ROOT, "node_modules/@tensorflow/tfjs"))});
    tf.registerBackend("tensorflow", () => ({ isUsingGpuDevice: false }));
    tf.setBackend("tensorflow");
  `);
  expect(await tfjsGpu()).toEqual([expect.stringMatching(/does not load: it found no card: CUDA 11's libraries/)]);
}, 120_000);
