/**
 * @file Tries the device that is named on its command line, for `descry doctor`: compiles a small product and runs it, the engine's
 * whole way. Prints "right", or what came out. A process of its own, because graphics drivers write to standard error on their own,
 * and may end the process.
 */
import tf from "@tensorflow/tfjs";
import { compileFunction, type Device } from "../compile/compile.js";

const shape = [2, 2];
const program = await compileFunction(
  ({ x }) => ({ y: tf.matMul(x as tf.Tensor2D, x as tf.Tensor2D) }),
  { x: { shape } },
  { name: "doctor", device: process.argv[2] as Device },
);
const { y } = await program.run({ x: { data: Float32Array.of(1, 2, 3, 4), shape } });
await program.dispose();
const isRight = y !== undefined && [7, 10, 15, 22].every((value, i) => Math.abs(y.data[i]! - value) < 1e-4);
process.stdout.write(isRight ? "right" : `wrong: ${y?.data.join(" ")}`);
