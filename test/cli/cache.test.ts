/** @file `descry cache`: what is cached, whether it is whole, what may go, and what Python reads of it. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { holdFolder, lockFolder } from "../../data/folder-lock.js";
import { planRowStore } from "../../data/row-plan.js";
import { openRowStore, writeRowStore } from "../../data/row-store.js";
import { writeShards } from "../../data/row-writer.js";
import { PYTHON, pythonHas } from "../python.js";
import { ROOT, runCli, temporaryFolder } from "./run-cli.js";

const COLUMNS = { features: { dtype: "Q8", shape: [4, 8] } } as const;
const meta = (target: string, flips = false) => ({ kind: "features", target, source: "imagefolder:photos", flips });
const rowValues = (row: number) => Float32Array.from({ length: 32 }, (_, i) => Math.sin(row * 5 + i));

async function* makeRows(start: number, end: number) {
  for (let row = start; row < end; row++) yield { features: rowValues(row) };
}

let project: string;
let caches: string;
const folderOf = (key: string) => path.join(caches, `features-${key.slice(0, 16)}`);
const WHOLE = "aaaa1111222233334444";
const PART = "bbbb1111222233334444";

/** One store of 6 shards that is whole, and one with 2 of 6 shards and a temporary file of a killed process. */
beforeEach(async () => {
  project = temporaryFolder();
  caches = path.join(project, ".descry", "cache");
  const header = { key: WHOLE, rows: 12, columns: COLUMNS, meta: meta("sift", true) };
  await writeRowStore(folderOf(WHOLE), header, makeRows, { shardRows: 2 });
  const plan = planRowStore({ ...header, key: PART, meta: meta("hog") }, 2);
  await writeShards(folderOf(PART), plan, [1, 4], makeRows, { part: "1-of-2" });
  writeFileSync(path.join(folderOf(PART), ".shard-00002.safetensors.tmp.99.ab12"), "x".repeat(5000));
});

const cache = async (...argv: string[]) => {
  const { code, stdout, stderr } = await runCli(["cache", ...argv, "--quiet"], project);
  return { code, stdout, stderr };
};

describe("descry cache list", () => {
  test("target, data set, rows, size, format with its cosine, complete or resumable, last used", async () => {
    const { code, stdout } = await cache("list");
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^cache +holds +data +rows +size +format +state +last used$/);
    expect(lines[1]).toMatch(
      /^features-aaaa111122223333 +sift +imagefolder:photos +12 +[\d.]+ KB +U8 \(cosine ≥ 0\.9999\d\) +complete +just now$/,
    );
    expect(lines[2]).toMatch(
      /^features-bbbb111122223333 +hog .* U8 +resumable, 2 of 6 shards; 5\.0 KB of orphans +just now$/,
    );
  });

  test("--json has everything, the whole key too", async () => {
    const { caches: found } = JSON.parse((await cache("list", "--json")).stdout);
    expect(found.map(({ key, state, rows, dtype }: Record<string, unknown>) => [key, state, rows, dtype])).toEqual([
      [WHOLE, "complete", 12, "U8"],
      [PART, "incomplete", 12, "U8"],
    ]);
    expect(found[1].shards).toEqual({ there: 2, all: 6 });
    expect(found[1].temporary).toEqual({ count: 1, sizeBytes: 5000 });
    expect(found[0].minCosine).toBeGreaterThan(0.9999);
  });

  test("an empty or missing folder has no caches", async () => {
    rmSync(caches, { recursive: true });
    expect(await cache("list")).toMatchObject({ code: 0, stdout: `no caches in ${caches}\n` });
  });
});

describe("descry cache verify", () => {
  test("whole ones are named so, and it ends with 0", async () => {
    expect(await cache("verify")).toMatchObject({
      code: 0,
      stdout: "features-aaaa111122223333: whole\nfeatures-bbbb111122223333: incomplete\n",
    });
  });

  test("names every damaged shard and what to do, and ends with 2; doing so mends it", async () => {
    for (const shard of [1, 4]) {
      const file = path.join(folderOf(WHOLE), `shard-0000${shard}.safetensors`);
      const bytes = readFileSync(file);
      bytes[bytes.length - 3]! ^= 1;
      writeFileSync(file, bytes);
    }
    const { code, stdout } = await cache("verify", "aaaa1111");
    expect(code).toBe(2);
    const wrong = (shard: number) =>
      `${path.join(folderOf(WHOLE), `shard-0000${shard}.safetensors`)}: its data has changed since it was written — delete this file and run again: only it is made again\n`;
    expect(stdout).toBe(wrong(1) + wrong(4));
    for (const shard of [1, 4]) rmSync(path.join(folderOf(WHOLE), `shard-0000${shard}.safetensors`));
    expect((await cache("verify", folderOf(WHOLE))).stdout).toContain("incomplete");
    const asked: number[] = [];
    const header = { key: WHOLE, rows: 12, columns: COLUMNS, meta: meta("sift", true) };
    const rows = (start: number, end: number) => {
      asked.push(start, end);
      return makeRows(start, end);
    };
    await writeRowStore(folderOf(WHOLE), header, rows, { shardRows: 2 });
    expect(asked).toEqual([2, 4, 8, 10]);
    expect((await cache("verify", "aaaa")).code).toBe(0);
  });

  test("a word that names none, several, or too little", async () => {
    expect((await cache("verify", "cccc")).stderr).toContain(`no cache "cccc" in ${caches} — descry cache list shows`);
    expect((await cache("verify", "aaa")).stderr).toContain('no cache "aaa"');
    await writeRowStore(
      path.join(caches, "images-aaaa9"),
      { key: "aaaa9", rows: 0, columns: COLUMNS, meta: {} },
      makeRows,
    );
    expect((await cache("verify", "aaaa")).stderr).toContain(
      '"aaaa" are features-aaaa111122223333, images-aaaa9 — give more',
    );
  });
});

describe("descry cache prune", () => {
  const there = () => readdirSync(caches).sort();
  const BOTH = ["features-aaaa111122223333", "features-bbbb111122223333"];

  test("says what would go and touches nothing, until --yes", async () => {
    const dry = await cache("prune", "--incomplete");
    expect(dry.code).toBe(0);
    expect(dry.stdout).toMatch(
      /^would go: features-bbbb111122223333, \d[\d.]* KB\n\d[\d.]* KB would go; --yes removes them\n$/,
    );
    expect(there()).toEqual(BOTH);
    expect((await cache("prune", "--incomplete", "--yes")).stdout).toMatch(/^removed: features-bbbb111122223333/);
    expect(there()).toEqual([BOTH[0]]);
  });

  test("by key, by age", async () => {
    const longAgo = new Date(Date.now() - 40 * 86_400_000);
    for (const file of readdirSync(folderOf(WHOLE))) utimesSync(path.join(folderOf(WHOLE), file), longAgo, longAgo);
    expect((await cache("prune", "--older-than", "41", "--yes")).stdout).toBe("nothing to prune\n");
    expect((await cache("prune", "bbbb", "--older-than", "39", "--yes")).stdout).toBe("nothing to prune\n");
    await cache("prune", "--older-than", "39", "--yes");
    expect(there()).toEqual([BOTH[1]]);
    await cache("prune", "bbbb1111", "--yes");
    expect(there()).toEqual([]);
  });

  test("orphaned temporary files alone; the shards stay", async () => {
    expect((await cache("prune", "--temporary", "--yes")).stdout).toBe(
      "removed: features-bbbb111122223333, 5.0 KB\n5.0 KB removed\n",
    );
    expect(readdirSync(folderOf(PART)).sort()).toEqual([
      "plan.json",
      "shard-00001.safetensors",
      "shard-00004.safetensors",
    ]);
    expect(there()).toEqual(BOTH);
  });

  test("what a running process writes or reads is kept, with 2", async () => {
    const writing = await lockFolder(folderOf(PART), { share: "2-of-2" });
    const reading = await holdFolder(folderOf(WHOLE));
    const { code, stdout } = await cache("prune", "--older-than", "0", "--yes");
    expect(code).toBe(2);
    expect(stdout).toContain(`kept: features-aaaa111122223333`);
    expect(stdout).toContain(`process ${process.pid} on ${hostname()} is reading it`);
    expect(stdout).toContain(`process ${process.pid} on ${hostname()} is writing it`);
    expect((await cache("prune", "--temporary", "--yes")).code).toBe(2);
    expect(there()).toEqual(BOTH);
    await Promise.all([writing.release(), reading.release()]);
    expect((await cache("prune", "--older-than", "0", "--yes")).code).toBe(0);
    expect(there()).toEqual([]);
  });

  test("files that are not of a cache stay, and so do folders that are none", async () => {
    writeFileSync(path.join(folderOf(WHOLE), "notes.txt"), "mine");
    writeFileSync(path.join(caches, "README"), "mine");
    await cache("prune", "--older-than", "0", "--yes");
    expect(readdirSync(folderOf(WHOLE))).toEqual(["notes.txt"]);
    expect(existsSync(path.join(caches, "README"))).toBe(true);
  });

  test.each([
    [["prune"], "cache prune: wanted a key, --older-than DAYS, --incomplete or --temporary"],
    [["prune", "--older-than", "soon"], "--older-than: wanted a whole number"],
    [["verify", "--yes"], "--yes is not for cache verify"],
    [["list", "aaaa"], "cache list takes no names"],
    [["export", "aaaa"], "cache export: wanted one cache and --out DIR"],
    [["export", "bbbb", "--out", "x"], "features-bbbb111122223333 is not finished"],
    [["clean"], 'cache: wanted list, verify, prune, export, got "clean"'],
  ])("%j is refused", async (argv, message) => {
    const { code, stderr } = await cache(...argv);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n").length).toBe(1);
  });
});

describe("descry cache export", () => {
  test("plain safetensors: features, the mirror images beside them; never into a folder that holds some", async () => {
    const out = path.join(project, "out");
    const { code, stdout } = await cache("export", "aaaa", "--out", "out", "--dtype", "F32", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ folder: out, files: ["rows-00001-of-00001.safetensors"], rows: 6 });
    const { readSafetensors } = await import("../../data/safetensors.js");
    const { tensors } = await readSafetensors(path.join(out, "rows-00001-of-00001.safetensors"));
    expect(Object.keys(tensors).sort()).toEqual(["features", "mirrored"]);
    const store = await openRowStore(folderOf(WHOLE));
    expect(tensors["features"]).toEqual({
      dtype: "F32",
      shape: [6, 4, 8],
      data: await store.read("features", [0, 1, 2, 3, 4, 5]),
    });
    expect(tensors["mirrored"]!.data).toEqual(await store.read("features", [6, 7, 8, 9, 10, 11]));
    await store.close();
    expect((await cache("export", "aaaa", "--out", "out")).stderr).toContain(
      `${out}: holds rows-00001-of-00001.safetensors already`,
    );
  });

  test("comes back as a target: the same features as before", async () => {
    const common = [
      "features",
      "--data",
      "photos",
      "--count",
      "9",
      "--grid",
      "4",
      "--flips",
      "--dtype",
      "F32",
      "--json",
    ];
    const cached = async (target: string): Promise<{ folder: string }> => {
      const { stdout } = await runCli([...common, "--target", target], project);
      return Object.values(JSON.parse(stdout).targets)[0] as { folder: string };
    };
    const before = await cached("hog");
    expect((await cache("export", before.folder, "--out", "hog")).code).toBe(0);
    const after = await cached("features:hog");
    const [a, b] = [await openRowStore(before.folder), await openRowStore(after.folder)];
    const rows = Array.from({ length: 18 }, (_, i) => i);
    expect(await b.read("features", rows)).toEqual(await a.read("features", rows));
    await Promise.all([a.close(), b.close()]);
  });
});

const hasSafetensors = pythonHas("safetensors", "numpy");
describe.skipIf(!hasSafetensors)(
  `Python reads it${hasSafetensors ? "" : ` (${PYTHON} has no safetensors; DESCRY_PYTHON names another)`}`,
  () => {
    let lines: string[];
    beforeAll(() => {
      const readme = readFileSync(path.join(ROOT, "features", "README.md"), "utf8");
      const snippet = /```python\n(import glob[\s\S]*?)```/.exec(readme)?.[1];
      lines = snippet!.trim().split("\n");
    });

    const run = (code: string): number[] =>
      JSON.parse(
        execFileSync(PYTHON, ["-c", `${code}\nimport json; print(json.dumps(features.ravel().tolist()))`]).toString(),
      );

    test("the lines of features/README.md read a cache of bytes and an export alike", async () => {
      const store = await openRowStore(folderOf(WHOLE));
      const want = await store.read(
        "features",
        Array.from({ length: 12 }, (_, i) => i),
      );
      await store.close();
      expect(lines.length).toBeLessThanOrEqual(8);
      const code = (folder: string) => lines.join("\n").replace(/".descry\/cache\/[^"]*"/, JSON.stringify(folder));
      expect(code(folderOf(WHOLE))).toContain(folderOf(WHOLE));
      const got = run(code(folderOf(WHOLE)));
      expect(got.length).toBe(want.length);
      got.forEach((value, i) => {
        if (Math.abs(value - want[i]!) > 1e-6) throw new Error(`element ${i}: Python has ${value}, we ${want[i]}`);
      });
      await cache("export", "aaaa", "--out", "out", "--dtype", "F32");
      const exported = run(code(path.join(project, "out")));
      expect(exported).toEqual([...want.subarray(0, 6 * 32)]);
    });
  },
);
