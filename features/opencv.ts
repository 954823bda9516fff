/** @file OpenCV 4.3, compiled to WebAssembly (`opencv-wasm`): the part of it that descriptors use, loaded when one needs it. */
import { createRequire } from "node:module";

/** A matrix in the library's memory: delete it. */
export interface Mat {
  readonly rows: number;
  readonly cols: number;
  readonly data: Uint8Array;
  readonly data32F: Float32Array;
  delete(): void;
}

export interface KeyPoint {
  readonly pt: { readonly x: number; readonly y: number };
  readonly size: number;
  readonly angle: number;
  readonly octave: number;
  readonly class_id: number;
  readonly response: number;
}

export interface KeyPointVector {
  size(): number;
  push_back(point: KeyPoint): void;
  delete(): void;
}

/** An algorithm that describes key points: drops those that it cannot describe. */
export interface Feature2D {
  compute(image: Mat, points: KeyPointVector, descriptors: Mat): void;
  delete(): void;
}

/** The package's own types are TypeScript source that our settings refuse, and know no descriptors. */
export interface OpenCv {
  readonly Mat: { new (): Mat; new (rows: number, cols: number, type: number): Mat };
  readonly KeyPointVector: new () => KeyPointVector;
  readonly ORB: new (maxFeatures: number, scaleFactor: number, levels: number) => Feature2D;
  readonly BRISK: new () => Feature2D;
  /** Its other options are of a type that the build does not know. */
  readonly AKAZE: new () => Feature2D & { setNOctaves(octaves: number): void };
  readonly KAZE: new (extended: boolean, upright: boolean, threshold: number, octaves: number) => Feature2D;
  readonly CV_8UC3: number;
  readonly COLOR_RGB2GRAY: number;
  readonly BORDER_REFLECT_101: number;
  readonly Scalar: new () => object;
  cvtColor(from: Mat, into: Mat, code: number): void;
  copyMakeBorder(
    from: Mat,
    into: Mat,
    top: number,
    bottom: number,
    left: number,
    right: number,
    type: number,
    value: object,
  ): void;
  exceptionFromPtr(pointer: number): { readonly msg: string };
}

let loaded: OpenCv | undefined;

/** Takes 0.7 s the first time. */
export function loadOpenCv(): OpenCv {
  if (loaded !== undefined) return loaded;
  // The library ends the process at the first unhandled rejection, whoever's it is: its listeners are taken off again.
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const before = events.map((event) => process.listeners(event as never));
  ({ cv: loaded } = createRequire(import.meta.url)("opencv-wasm") as { readonly cv: OpenCv });
  for (const [i, event] of events.entries()) {
    for (const listener of process.listeners(event as never)) {
      if (!before[i]!.includes(listener)) process.removeListener(event, listener);
    }
  }
  return loaded;
}

/** Run something of OpenCV: its errors are numbers, and become errors with its message. */
export function callOpenCv<Result>(cv: OpenCv, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    if (typeof error === "number") throw new Error(`OpenCV: ${cv.exceptionFromPtr(error).msg}`);
    throw error;
  }
}
