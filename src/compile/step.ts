/** @file What a compiled step is, whatever it runs on. */
import { SignatureError } from "./errors.js";
import { sameShape } from "./graph.js";
import type { HostTensor, HostTensors } from "./session.js";
import { checkValues, dtypeOf, type Signature, type Tensors } from "./signature.js";

/**
 * Where a step runs. Compiled: `cpu`; `webgpu` (Vulkan, D3D12 or Metal: any GPU), where the state stays on the device; `cuda`,
 * where parameters and gradients travel each step. Eagerly, by TensorFlow.js itself: `tfjs-cpu`, slow, an oracle; `tfjs-gpu`,
 * where `@tensorflow/tfjs-node-gpu` is installed.
 */
export const DEVICES = ["cpu", "webgpu", "cuda", "tfjs-cpu", "tfjs-gpu"] as const;
export type Device = (typeof DEVICES)[number];

export interface CompileOptions {
  /** Shown in every error. */
  readonly name: string;
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads of one operator; 0 or absent: all that the process may use. */
  readonly threads?: number;
  /**
   * Precision of matrix products and convolutions. "float16": operands and results are rounded to float16, everything else stays
   * float32; on `cpu` an emulation, with the numbers and without the speed; not on `tfjs-*`. @default "float32"
   */
  readonly products?: Products;
}

export const PRODUCTS = ["float32", "float16"] as const;
export type Products = (typeof PRODUCTS)[number];

export interface StepSignature {
  readonly state: Signature;
  readonly inputs: Signature;
}

export interface StepResult {
  readonly state: Tensors;
  readonly outputs: Tensors;
}

/** Outputs of a step that was started. */
export interface PendingOutputs {
  /** Wait for the step and bring its outputs home; once. They are the caller's. */
  read(): Promise<HostTensors>;
}

/** A compiled step. Runs must not overlap: await one before the next. */
export interface CompiledStep {
  readonly name: string;
  readonly signature: StepSignature;
  readonly outputs: Signature;
  /** Nodes of the compiled graph; 0 where the function runs eagerly. */
  readonly nodes: number;
  /** Copy values into the state: all of it, or the named part. @throws {SignatureError} before anything is changed. */
  setState(values: HostTensors): void;
  /** Copies of the current state: all of it, or the named part. */
  readState(names?: readonly string[]): Promise<HostTensors>;
  /** One step. The results are the caller's. @throws {SignatureError} before anything runs. */
  run(inputs: HostTensors): Promise<HostTensors>;
  /** `start` returns before the step is done, so that the host can prepare the next one meanwhile; else it is as slow as `run`. */
  readonly isAhead: boolean;
  /** As `run`, but the outputs stay on the device until they are read. What is never read is let go with the step. */
  start(inputs: HostTensors): Promise<PendingOutputs>;
  dispose(): Promise<void>;
}

/** The function that is compiled. */
export type StepFunction = (state: Tensors, inputs: Tensors) => StepResult;

/** @throws {SignatureError} a next state with other names, shapes or types than the state. */
export function checkNextState(name: string, next: Tensors, state: Signature): void {
  for (const [key, spec] of Object.entries(state)) {
    const tensor = next[key];
    if (tensor === undefined) throw new SignatureError(`${name}: the next state lacks "${key}"`);
    if (!sameShape(tensor.shape, spec.shape) || tensor.dtype !== dtypeOf(spec)) {
      throw new SignatureError(
        `${name}: next state "${key}" is ${tensor.dtype}[${tensor.shape}], the state ${dtypeOf(spec)}[${spec.shape}]`,
      );
    }
  }
  for (const key of Object.keys(next)) {
    if (!(key in state)) throw new SignatureError(`${name}: the next state has "${key}", which the state has not`);
  }
}

/** @throws {SignatureError} a part of the state to write that has unknown names, or values of another shape or type. */
export function checkPart(name: string, values: HostTensors, state: Signature): void {
  for (const key of Object.keys(values)) {
    if (!(key in state)) throw new SignatureError(`${name}: there is no state "${key}"`);
  }
  checkValues(`${name}: state`, values, Object.fromEntries(Object.keys(values).map((key) => [key, state[key]!])));
}

/** What `start` gives where the outputs are on the host when it is done. */
export const readyOutputs = (outputs: HostTensors): PendingOutputs => ({ read: async () => outputs });

export const copyOf = (value: HostTensor): HostTensor => ({ data: value.data.slice(), shape: [...value.shape] });
