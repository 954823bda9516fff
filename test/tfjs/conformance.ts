/**
 * @file TensorFlow.js's own jasmine tests on the eager form of the engine's backend.
 *
 * A test that needs what the engine does not compile is excluded, and counted under what it needs. Each of the others passes
 * or is listed in known-failures.json with the reason; one that does neither, or is listed and passes, fails the run.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { EAGER_BACKEND, installEagerBackend } from "./eager-backend.js";

const require = createRequire(import.meta.url);
const TESTS = path.join(path.dirname(require.resolve("@tensorflow/tfjs-core/package.json")), "dist");

/** Test name → why it fails. */
const KNOWN_FAILURES: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL("known-failures.json", import.meta.url), "utf8"),
);

/** Storage and browsers: no kernel of a backend has anything to do with them. */
const NOT_ABOUT_BACKENDS = /^(io|platforms)\//;

interface Spec {
  readonly fullName: string;
  readonly status: "passed" | "failed" | "pending" | "excluded";
  readonly failedExpectations: readonly { readonly message: string }[];
}

interface Outcome {
  readonly name: string;
  readonly status: Spec["status"];
  readonly message: string;
  readonly unsupported: readonly string[];
  readonly isNative: boolean;
}

/** Tests that choose a backend by `describeWithFlags`, as paths from the package's dist. */
function testFiles(pattern: RegExp): string[] {
  return readdirSync(TESTS, { recursive: true, encoding: "utf8" })
    .map((file) => file.split(path.sep).join("/"))
    .filter((file) => file.endsWith("_test.js") && !NOT_ABOUT_BACKENDS.test(file) && pattern.test(file))
    .filter((file) => readFileSync(path.join(TESTS, file), "utf8").includes("describeWithFlags"))
    .sort();
}

async function runTests(files: readonly string[]): Promise<Outcome[]> {
  const env = require("jasmine-core").boot().getEnv();
  const { usage, stop } = installEagerBackend();
  const { setTestEnvs } = await import(/* @vite-ignore */ path.join(TESTS, "jasmine_util.js"));
  setTestEnvs([{ name: "descry", backendName: EAGER_BACKEND, isDataSync: true }]);
  for (const file of files) await import(/* @vite-ignore */ path.join(TESTS, file));

  const outcomes: Outcome[] = [];
  env.configure({ random: false });
  env.clearReporters();
  env.addReporter({
    specStarted: () => usage.clear(),
    specDone({ fullName, status, failedExpectations }: Spec) {
      outcomes.push({
        // describeWithFlags puts the backend's name and flags into each name.
        name: fullName.replace(" descry {}", ""),
        status,
        message: failedExpectations[0]?.message ?? "",
        unsupported: [...usage.unsupported],
        isNative: usage.native.size > 0,
      });
    },
  });
  // Tests of the debug mode print.
  const { log, warn } = console;
  console.log = console.warn = () => {};
  try {
    await env.execute();
  } finally {
    Object.assign(console, { log, warn });
    await stop();
  }
  return outcomes;
}

/** How many of `names` are equal, the most frequent first. */
function countEqual(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return sorted.map(([name, count]) => `${name} ${count}`).join(", ");
}

/** Run and report. @returns the exit code: 0 when the list of known failures is exactly what fails. */
export async function runConformance(args: readonly string[]): Promise<number> {
  const [option, pattern] = args;
  if (option !== undefined && (option !== "--only" || pattern === undefined)) {
    console.error("usage: npm run test:tfjs [-- --only PATTERN]");
    return 2;
  }
  const files = testFiles(new RegExp(pattern ?? ""));
  if (files.length === 0) {
    console.error(`no file of TensorFlow.js's tests matches ${pattern}`);
    return 2;
  }
  const outcomes = (await runTests(files)).filter(({ status }) => status === "passed" || status === "failed");
  const excluded = outcomes.filter(({ unsupported }) => unsupported.length > 0);
  const ours = outcomes.filter(({ unsupported }) => unsupported.length === 0);
  const passed = ours.filter(({ status }) => status === "passed");
  const failed = ours.filter(({ status }) => status === "failed");
  const unlisted = failed.filter(({ name }) => !(name in KNOWN_FAILURES));
  const failedNames = new Set(failed.map(({ name }) => name));
  const ranNames = new Set(outcomes.map(({ name }) => name));
  const stale = Object.keys(KNOWN_FAILURES).filter(
    (name) => !failedNames.has(name) && (ranNames.has(name) || option === undefined),
  );

  console.log(`tests run                ${outcomes.length}, of ${files.length} files`);
  console.log(`excluded                 ${excluded.length}, they need what the engine does not compile:`);
  if (excluded.length > 0) console.log(`  ${countEqual(excluded.flatMap(({ unsupported }) => unsupported))}`);
  const share = (part: number, whole: number) => `${part} of ${whole}, ${((100 * part) / whole).toFixed(2)} %`;
  const native = (list: readonly Outcome[]) => list.filter(({ isNative }) => isNative).length;
  console.log(`passed                   ${share(passed.length, ours.length)}`);
  console.log(`of those that compute    ${share(native(passed), native(ours))}`);
  console.log(`failed, listed           ${failed.length - unlisted.length}`);
  console.log(`failed, not listed       ${unlisted.length}`);
  for (const { name, message } of unlisted)
    console.error(`FAILED  ${name}\n        ${message.replaceAll("\n", " ").slice(0, 300)}`);
  for (const name of stale)
    console.error(`STALE   ${name}\n        is in known-failures.json but passes, or no longer runs`);
  return unlisted.length + stale.length === 0 ? 0 : 1;
}
