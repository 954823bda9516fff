/** @file `descry sweep`: the runs of its seeds are those that `descry run` makes, and one report averages them. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { parseSeeds } from "../../src/cli/commands/sweep.js";
import { runCli, temporaryFolder } from "./run-cli.js";

const TINY = `name: tiny
data: { source: photos, count: 18, sizePx: 16 }
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1, projectorWidth: 16 }
train: { steps: 2, batch: 4, threads: 1 }
sample: { steps: 2, count: 8, batch: 8 }
evaluate: { inceptionSplits: 2 }
arms:
  - { name: control }
  - { name: aligned, target: sift }
`;

function newProject(): string {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, "tiny.yaml"), TINY);
  return folder;
}

test("two seeds: two runs as descry run makes them, one report, and the same command continues", async () => {
  const project = newProject();
  // Cut short after the first seed's features, as by Ctrl-C: the sweep goes on from there.
  await runCli(["features", "tiny.yaml"], project);
  const first = await runCli(["sweep", "tiny.yaml", "--seeds", "0,7", "--json"], project);
  expect(first.stderr).toMatch(/^features +sift +cached, skipped$/m);
  expect(first.code).toBe(0);
  const { runs, report, arms } = JSON.parse(first.stdout);
  expect(runs).toHaveLength(2);
  const evaluated = runs.map((run: string) =>
    JSON.parse(readFileSync(path.join(run, "arms", "aligned", "evaluation.json"), "utf8")),
  );
  const distances = evaluated.map(({ metrics }: { metrics: Record<string, number> }) => metrics["frechet_distance"]);
  expect(distances[0]).not.toBe(distances[1]);
  expect(arms.map(({ arm }: { arm: string }) => arm)).toEqual(["control", "aligned"]);
  expect(arms[1].metrics.frechet_distance.mean).toBeCloseTo((distances[0] + distances[1]) / 2, 10);
  expect(path.basename(report)).toMatch(/^tiny-sweep-[0-9a-f]{8}\.html$/);
  expect(readFileSync(report, "utf8")).toContain("seeds 0, 7");

  const checkpoint = (folder: string) => path.join(folder, "arms", "aligned", "checkpoint-0000002.safetensors");
  const before = statSync(checkpoint(runs[1])).mtimeMs;
  const again = await runCli(["sweep", "tiny.yaml", "--seeds", "0,7"], project);
  expect(again.stderr).not.toMatch(/^train .*loss/m);
  expect(again.stdout).toMatch(/^arm +FD ↓ .*\ncontrol +[\d.]+ ± [\d.]+ .* control\naligned .* \(\d of 2\)\n/m);
  expect(statSync(checkpoint(runs[1])).mtimeMs).toBe(before);

  const other = newProject();
  const alike = ["tiny.yaml", "--set", "seed=7", "--quiet"];
  await runCli(["features", ...alike], other);
  await runCli(["train", ...alike, "--arm", "aligned"], other);
  const [alone] = readdirSync(path.join(other, "runs"));
  expect(alone).toBe(path.basename(runs[1]));
  const same = readFileSync(checkpoint(path.join(other, "runs", alone!))).equals(readFileSync(checkpoint(runs[1])));
  expect(same).toBe(true);
}, 300_000);

test("seeds are whole numbers and ranges, each once", async () => {
  expect(parseSeeds("0,1,2")).toEqual([0, 1, 2]);
  expect(parseSeeds("3..5, 1")).toEqual([3, 4, 5, 1]);
  for (const wrong of ["", "a", "1,,2", "-1", "1.5", "5..3", "0..1000", "1e3"]) {
    expect(() => parseSeeds(wrong), wrong).toThrow(/--seeds .*: wanted whole numbers such as 0,1,2 or a range/);
  }
  expect(() => parseSeeds("0..3,2")).toThrow(/2 is named twice/);
  const project = newProject();
  const { code, stderr } = await runCli(["sweep", "tiny.yaml", "--seeds", "1", "--set", "seed=2"], project);
  expect(stderr).toBe("descry: --set seed and --seeds at once: a sweep has the seeds of --seeds\n");
  expect(code).toBe(2);
});
