/** @file What a thread that describes images and the one that it works for tell each other. */
import type { Thrown } from "../data/thrown.js";
import type { FeatureComputerOptions } from "./descriptor.js";
import type { FitSample } from "./fit-descriptor.js";
import type { ProgramModel } from "./program-model.js";

/** Given to the worker when it starts. */
export interface WorkerSetup {
  /** Programs as models; other descriptors by their canonical names. */
  readonly targets: readonly (ProgramModel | string)[];
  readonly computing: FeatureComputerOptions;
  readonly sample: FitSample | undefined;
}

/** To the worker: describe some images; undefined: end when all is done. */
export type WorkerRequest =
  | {
      /** [count,H,W,3], in shared memory; count is computing.batch at most. */
      readonly images: Uint8Array;
      readonly count: number;
      readonly rows?: readonly number[];
      /** Of each descriptor [count,T,D], in shared memory: the worker fills it. */
      readonly tokens: readonly Float32Array[];
    }
  | undefined;

/** From the worker: whether it is ready, then an answer to each request, in their order. */
export type WorkerAnswer =
  | { readonly kind: "ready"; readonly notes: readonly (string | undefined)[] }
  | { readonly kind: "described" }
  | ({ readonly kind: "failed" } & Thrown);
