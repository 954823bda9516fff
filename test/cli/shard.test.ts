/** @file `descry features --shard I/N` through the real program: processes that fill one cache together. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.js";
import { spawnCli } from "./spawn-cli.js";

// 131 KB a row: shards of 128, 128 and 64 rows.
const FEATURES = ["features", "--data", "photos", "--count", "320", "--target", "hog", "--dtype", "F32"];

function storesOf(project: string): string[] {
  const cache = path.join(project, ".descry", "cache");
  return existsSync(cache) ? readdirSync(cache).map((name) => path.join(cache, name)) : [];
}

function contents(project: string): Record<string, string> {
  const files = storesOf(project).flatMap((store) => readdirSync(store).map((name) => path.join(store, name)));
  return Object.fromEntries(files.map((file) => [path.relative(project, file), readFileSync(file, "base64")]));
}

let want: Record<string, string>;
beforeAll(async () => {
  const project = temporaryFolder();
  expect((await spawnCli(FEATURES, project).ended).code).toBe(0);
  want = contents(project);
  expect(Object.keys(want).length).toBe(4);
});

describe("descry features --shard", () => {
  test("three processes at once give the bytes of one, and the last says that it is complete", async () => {
    const project = temporaryFolder();
    const parts = await Promise.all([1, 2, 3].map((i) => spawnCli([...FEATURES, "--shard", `${i}/3`], project).ended));
    expect(parts.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(parts.filter(({ stderr }) => stderr.includes(", complete")).length).toBeGreaterThanOrEqual(1);
    expect(contents(project)).toEqual(want);
  });

  test("one that is killed is done by the next that computes everything", async () => {
    const project = temporaryFolder();
    const victim = spawnCli([...FEATURES, "--shard", "1/2"], project);
    await spawnCli([...FEATURES, "--shard", "2/2"], project).ended;
    victim.child.kill("SIGKILL");
    await victim.ended;
    // Its child sees that it is gone and ends by itself; whoever comes too early is told to wait.
    let last = await spawnCli(FEATURES, project).ended;
    for (let i = 0; i < 20 && last.code === 2; i++) {
      expect(last.stderr).toContain("is writing this folder");
      await new Promise((resolve) => setTimeout(resolve, 200));
      last = await spawnCli(FEATURES, project).ended;
    }
    expect(last.code).toBe(0);
    expect(contents(project)).toEqual(want);
  });

  test("of an experiment: images and targets; who completes them writes features.json", async () => {
    const project = temporaryFolder();
    writeFileSync(
      path.join(project, "tiny.yaml"),
      `name: tiny
data: { source: photos, count: 400, sizePx: 128, flips: false }
model: { width: 32, depth: 2, heads: 2, patch: 8 }
align: { depth: 1, cacheDtype: F32 }
arms: [{ name: aligned, target: hog, projector: linear }]
`,
    );
    const record = () => path.join(project, "runs", readdirSync(path.join(project, "runs"))[0]!, "features.json");
    const first = await runCli(["features", "tiny.yaml", "--shard", "2/2", "--json"], project);
    expect(first.code, first.stderr).toBe(0);
    expect(JSON.parse(first.stdout).features).toEqual([
      { name: "images", state: "part" },
      { name: "hog", state: "part" },
    ]);
    expect(first.stderr).toMatch(/part 2\/2: 144 rows.*, 2 shards to come/);
    expect(existsSync(record())).toBe(false);
    const second = await runCli(["features", "tiny.yaml", "--shard", "1/2", "--json"], project);
    expect(JSON.parse(second.stdout).features).toEqual([
      { name: "images", state: "done" },
      { name: "hog", state: "done" },
    ]);
    expect(existsSync(record())).toBe(true);
    const third = await runCli(["features", "tiny.yaml", "--shard", "2/2", "--json"], project);
    expect(JSON.parse(third.stdout).features).toEqual([
      { name: "images", state: "skipped" },
      { name: "hog", state: "skipped" },
    ]);
  });

  test.each(["0/3", "4/3", "1", "1/0", "-1/3", "1.5/3", "a/b", "1/3/4"])("%s is refused", async (part) => {
    const { code, stderr } = await runCli([...FEATURES, "--shard", part]);
    expect(code).toBe(2);
    expect(stderr).toContain(`--shard: wanted I/N with I from 1 to N, such as 2/8, got "${part}"`);
  });
});

describe("before anything is computed", () => {
  test("one line says what is going to be cached, in how many shards, and what is free", async () => {
    const project = temporaryFolder();
    const argv = ["features", "--data", "photos", "--count", "12", "--target", "hog", "--grid", "4", "--flips"];
    const { stderr } = await runCli(argv, project);
    expect(stderr).toMatch(/^to cache: hog: 24 rows × 16 × 128 × F16 = 98 KB in 1 shard; [\d.]+ [GT]B are free\n/);
    expect((await runCli(argv, project)).stderr).not.toContain("to cache");
  });

  test("what the disk has no space for is refused in one line", async () => {
    // 10⁸ rows of 6 MB: no disk has that. The pictures are crops that are made when they are asked for.
    const argv = ["features", "--data", "photos", "--count", "100000000", "--target", "pixels", "--grid", "64"];
    const { code, stderr } = await runCli(argv, temporaryFolder());
    expect(code).toBe(2);
    expect(stderr.trim().split("\n").length).toBe(1);
    expect(stderr).toMatch(
      /pixels: 100,000,000 rows × 4096 × 768 × F16 = 629 TB in [\d,]+ shards: that is 629 TB, but/,
    );
  });
});
