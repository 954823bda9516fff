import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * The built file of a script that runs in a process or thread of its own, or of a WebAssembly module; also when the caller is run
 * unbuilt, by the tests.
 *
 * @param name from the project's folder, with the ending that it has when it is built.
 * @throws {Error} nothing was built.
 */
export function builtFile(name: string): string {
  const beside = fileURLToPath(new URL(`../${name}`, import.meta.url));
  if (existsSync(beside)) return beside;
  const built = fileURLToPath(new URL(`../dist/${name}`, import.meta.url));
  if (existsSync(built)) return built;
  throw new Error(`not built: ${built} is missing; run npm run build`);
}
