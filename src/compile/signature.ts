/** @file Signatures of compiled functions: names, shapes and types, checked before anything runs. */
import type tf from "@tensorflow/tfjs";
import { SignatureError } from "./errors.js";
import { sameShape, sizeOf } from "./graph.js";
import type { DType, HostTensors } from "./session.js";

export interface TensorSpec {
  readonly shape: readonly number[];
  /** Default "float32". */
  readonly dtype?: DType;
}

export type Signature = Readonly<Record<string, TensorSpec>>;

/** TensorFlow.js tensors by name. */
export type Tensors = Record<string, tf.Tensor>;

export const dtypeOf = (spec: TensorSpec): DType => spec.dtype ?? "float32";

const ARRAY = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/**
 * Check host values against a signature.
 *
 * @param what how the caller calls them, such as "step input".
 * @throws {SignatureError} the first value that is missing, unknown, or of another shape, type or length.
 */
export function checkValues(what: string, values: HostTensors, signature: Signature): void {
  for (const [name, spec] of Object.entries(signature)) {
    const value = values[name];
    if (value === undefined) throw new SignatureError(`${what} "${name}" is missing`);
    if (!sameShape(value.shape, spec.shape)) {
      throw new SignatureError(`${what} "${name}" wants shape [${spec.shape}], got [${value.shape}]`);
    }
    const wanted = ARRAY[dtypeOf(spec)];
    if (!(value.data instanceof wanted)) {
      throw new SignatureError(`${what} "${name}" wants ${wanted.name}, got ${value.data.constructor.name}`);
    }
    if (value.data.length !== sizeOf(spec.shape)) {
      throw new SignatureError(
        `${what} "${name}" wants ${sizeOf(spec.shape)} elements for [${spec.shape}], got ${value.data.length}`,
      );
    }
  }
  for (const name of Object.keys(values)) {
    if (!(name in signature)) {
      throw new SignatureError(`${what} "${name}" is unknown; there are: ${Object.keys(signature).join(", ")}`);
    }
  }
}

/** The signature of tensors. */
export function signatureOf(tensors: Tensors): Signature {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, dtype }]) => [name, { shape: [...shape], dtype: dtype as DType }]),
  );
}
