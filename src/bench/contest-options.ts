import type { Device } from "../compile/compile.js";

/** How all contestants run. */
export interface ContestSetup {
  readonly threads: number;
  readonly device: Device;
  /** A Python that has the peers' packages. */
  readonly python: string;
}
