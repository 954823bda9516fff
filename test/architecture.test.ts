/**
 * @file The house rules of the source tree: who may import whom, one owner of the native runtime, no cycles, and a folder of
 * tests for every room.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Room → rooms that it may import. A room may always import itself and npm packages, unless `packages` says otherwise. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  data: [],
  "src/compile": [],
  features: ["data", "src/compile"],
  "src/models": [],
  "src/train": ["src/models", "src/compile", "features", "data"],
  "src/sample": ["src/models", "src/compile", "features", "data"],
  "src/evaluate": ["src/models", "src/compile", "features", "data"],
  "src/report": ["src/models", "src/compile", "features", "data"],
  "src/rank": ["src/report", "src/compile", "features", "data"],
  "src/probe": [
    "src/rank",
    "src/run",
    "src/report",
    "src/sample",
    "src/train",
    "src/models",
    "src/compile",
    "features",
    "data",
  ],
  "src/run": ["src/report", "src/evaluate", "src/sample", "src/train", "src/models", "src/compile", "features", "data"],
  "src/analyze": ["src/run", "src/rank", "src/report", "src/evaluate", "features", "data"],
  "src/queue": ["src/run", "src/compile", "features", "data"],
  "src/parity": [
    "src/report",
    "src/evaluate",
    "src/sample",
    "src/train",
    "src/models",
    "src/compile",
    "features",
    "data",
  ],
  "src/bench": ["src/sample", "src/train", "src/models", "src/compile", "features", "data"],
  "src/cli": [
    "src/analyze",
    "src/queue",
    "src/bench",
    "src/probe",
    "src/rank",
    "src/run",
    "src/parity",
    "src/report",
    "src/evaluate",
    "src/sample",
    "src/train",
    "src/models",
    "src/compile",
    "features",
    "data",
  ],
};

/** Rooms that keep to few packages. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = { "src/models": ["@tensorflow/tfjs"] };

interface Import {
  readonly from: string;
  /** Path from the root, or the name of a package. */
  readonly to: string;
  readonly isPackage: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => path.posix.join(folder, name.split(path.sep).join("/")));
}

const FILES = ["data", "features", "src"].flatMap(sourceFiles);

/** `import … from "x"`, `export … from "x"`, `import "x"`, `import("x")`; comments are left out first. */
function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(ROOT, file), "utf8")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "");
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)"([^"]+)"/gm);
  return [...found].map(([, specifier]) => {
    if (!specifier!.startsWith(".")) {
      const parts = specifier!.split("/");
      const name = specifier!.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!;
      return { from: file, to: name, isPackage: true };
    }
    const target = path.posix.join(path.posix.dirname(file), specifier!).replace(/\.js$/, ".ts");
    return { from: file, to: target, isPackage: false };
  });
}

function roomOf(file: string): string | undefined {
  const rooms = Object.keys(ARROWS).filter((room) => file.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0];
}

const IMPORTS = FILES.flatMap(importsOf);
const show = ({ from, to }: Import) => `${from} → ${to}`;

describe("architecture", () => {
  test("the walk sees the imports that are there", () => {
    expect(FILES).toContain("src/cli/main.ts");
    expect(IMPORTS.map(show)).toContain("src/cli/main.ts → data/errors.ts");
    expect(IMPORTS.map(show)).toContain("src/compile/session.ts → onnxruntime-node");
  });

  test("every file lives in a room", () => {
    expect(FILES.filter((file) => roomOf(file) === undefined && file !== "src/index.ts")).toEqual([]);
  });

  test("imports follow the arrows", () => {
    const wrong = IMPORTS.filter(({ from, to, isPackage }) => {
      const room = roomOf(from);
      if (isPackage || room === undefined) return false;
      const target = roomOf(to);
      return target !== room && !(ARROWS[room] as readonly string[]).includes(target ?? "");
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test("every import leads to a file", () => {
    const missing = IMPORTS.filter(({ to, isPackage }) => !isPackage && !existsSync(path.join(ROOT, to)));
    expect(missing.map(show)).toEqual([]);
  });

  test("packages that are imported are declared, and rooms with few keep to them", () => {
    const declared = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
      optionalDependencies: Record<string, string>;
    };
    const names = { ...declared.dependencies, ...declared.optionalDependencies };
    const wrong = IMPORTS.filter(({ from, to, isPackage }) => {
      if (!isPackage) return false;
      const few = PACKAGES[roomOf(from) ?? ""];
      if (few !== undefined && !few.includes(to)) return true;
      return !to.startsWith("node:") && !builtinModules.includes(to) && names[to] === undefined;
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test("one file owns the native runtime", () => {
    const owners = new Set(IMPORTS.filter(({ to }) => to === "onnxruntime-node").map(({ from }) => from));
    expect([...owners]).toEqual(["src/compile/session.ts"]);
    const callers = new Set(IMPORTS.filter(({ to }) => to === "koffi").map(({ from }) => from));
    expect([...callers]).toEqual(["src/compile/direct-session.ts"]);
  });

  test("nothing imports the command line", () => {
    const wrong = IMPORTS.filter(({ from, to }) => to.startsWith("src/cli/") && !from.startsWith("src/cli/"));
    expect(wrong.map(show)).toEqual([]);
  });

  test("no file imports itself through others at run time", () => {
    expect(findCycle()).toEqual([]);
  });

  test("every room has a folder of tests", () => {
    const without = Object.keys(ARROWS).filter(
      (room) => !existsSync(path.join(ROOT, "test", room.replace(/^src\//, ""))),
    );
    expect(without).toEqual([]);
  });
});

/** A cycle of imports that exist at run time (types leave no trace), as a list of files; empty when there is none. */
function findCycle(): string[] {
  const edges = new Map<string, string[]>();
  for (const file of FILES) edges.set(file, runtimeImports(file));
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): string[] => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next, [...trail, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of FILES) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

function runtimeImports(file: string): string[] {
  const text = readFileSync(path.join(ROOT, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const found = text.matchAll(/^(?:import|export)\s+(?!type\b)(?:[^;"]*?\sfrom\s+)?"(\.[^"]+)"/gm);
  return [...found].map(([, specifier]) =>
    path.posix.join(path.posix.dirname(file), specifier!).replace(/\.js$/, ".ts"),
  );
}
