import { spawnSync } from "node:child_process";

/** The Python of tests that compare with its packages: `DESCRY_PYTHON`, or `python3`. */
export const PYTHON = process.env["DESCRY_PYTHON"] ?? "python3";

/** Whether it is there and can import all of these. */
export const pythonHas = (...modules: readonly string[]): boolean =>
  spawnSync(PYTHON, ["-c", `import ${modules.join(", ")}`]).status === 0;
