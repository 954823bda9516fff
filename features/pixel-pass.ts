/**
 * @file The first half of a descriptor on a processor, where it is one pass over the bytes of an image: a function of
 * `wasm/*.ts`, which `npm run build` compiles from AssemblyScript to WebAssembly.
 */
import { readFileSync } from "node:fs";
import { builtFile } from "../data/built-file.js";

/** Plain data, which may be sent to other threads. */
export interface PixelPass {
  /** Which function. It is called with the addresses of an image, of what it makes and of its work space, and then these. */
  readonly name: "hogCells" | "siftVotes";
  /** Arrays are put into its memory, and their addresses passed. */
  readonly parameters: readonly (number | Int32Array | Float32Array)[];
  /** What it makes of one image, float32. */
  readonly shape: readonly number[];
  /** Numbers of its work space, float32. */
  readonly workSize: number;
}

/** A whole pass must fit into a memory with 32-bit addresses. */
const MAX_BYTES = 2 ** 31;
const PAGE_BYTES = 2 ** 16;
/** What a load of a whole vector may read behind an image. */
const SLACK_BYTES = 16;

const sizeOf = ({ shape }: PixelPass): number => shape.reduce((a, b) => a * b);
const align = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** Bytes that a pass needs for so many images at once, each of so many bytes. */
function layout(pass: PixelPass, batch: number, imageBytes: number) {
  let end = 0;
  const take = (bytes: number): number => {
    const address = end;
    end += align(bytes);
    return address;
  };
  const image = take(imageBytes + SLACK_BYTES);
  const made = take(4 * batch * sizeOf(pass));
  const work = take(4 * pass.workSize);
  const parameters = pass.parameters.map((value) => (typeof value === "number" ? value : take(value.byteLength)));
  return { image, made, work, parameters, bytes: end };
}

/** Whether a pass can be made for images of a size; whole programs can for any. */
export const isPixelPassSmall = (pass: PixelPass, batch: number, imageBytes: number): boolean =>
  layout(pass, batch, imageBytes).bytes <= MAX_BYTES;

/**
 * @param imageBytes of one image.
 * @returns          [count,H,W,3] uint8, count ≤ batch → [batch, …shape]; the same memory for every call.
 */
export function openPixelPass(
  pass: PixelPass,
  batch: number,
  imageBytes: number,
): (images: Uint8Array) => Float32Array {
  const { image, made, work, parameters, bytes } = layout(pass, batch, imageBytes);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
  const module = new WebAssembly.Module(readFileSync(builtFile("features/pixel-passes.wasm")));
  const run = new WebAssembly.Instance(module, { env: { memory } }).exports[pass.name] as (...values: number[]) => void;
  for (const [i, value] of pass.parameters.entries()) {
    if (value instanceof Int32Array) new Int32Array(memory.buffer).set(value, parameters[i]! / 4);
    else if (value instanceof Float32Array) new Float32Array(memory.buffer).set(value, parameters[i]! / 4);
  }
  const pixels = new Uint8Array(memory.buffer, image, imageBytes);
  const size = sizeOf(pass);
  return (images) => {
    for (let i = 0; i * imageBytes < images.length; i++) {
      pixels.set(images.subarray(i * imageBytes, (i + 1) * imageBytes));
      run(image, made + 4 * i * size, work, ...parameters);
    }
    return new Float32Array(memory.buffer, made, batch * size);
  };
}
