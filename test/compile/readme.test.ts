import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";

test("the example in the engine's README runs and prints what it says", () => {
  const file = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
  const [, code] = /```js\n([\s\S]*?)```/.exec(readFileSync(file("src/compile/README.md"), "utf8"))!;
  const [, said] = /console\.log\(.*\); \/\/ (.*)/.exec(code!)!;
  const resolved = code!
    .replace('"@tensorflow/tfjs"', JSON.stringify(createRequire(import.meta.url).resolve("@tensorflow/tfjs")))
    .replace('"./compile-step.js"', JSON.stringify(pathToFileURL(file("dist/src/compile/compile-step.js")).href));
  const folder = mkdtempSync(join(tmpdir(), "descry-readme-"));
  try {
    writeFileSync(join(folder, "example.mjs"), resolved);
    const printed = execFileSync(process.execPath, [join(folder, "example.mjs")], { encoding: "utf8", stdio: "pipe" });
    expect(printed.trimEnd().split("\n").at(-1)).toBe(said);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
