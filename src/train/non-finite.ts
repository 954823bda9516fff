import type { HostTensors } from "../compile/compile.js";

/** Where values stop being numbers. */
export interface NonFinite {
  readonly tensor: string;
  /** Flat, row-major. */
  readonly index: number;
  readonly value: number;
}

/** The first value that is NaN or infinite, in the order of the keys; undefined when all are finite. */
export function findNonFinite(tensors: HostTensors): NonFinite | undefined {
  for (const [tensor, { data }] of Object.entries(tensors)) {
    for (let index = 0; index < data.length; index++) {
      if (!Number.isFinite(data[index]!)) return { tensor, index, value: data[index]! };
    }
  }
  return undefined;
}
