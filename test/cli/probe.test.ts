import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.js";

describe("descry probe", () => {
  test("--json is one document; features come from the cache the second time, with the same result", async () => {
    const cwd = temporaryFolder();
    const line = ["probe", "--data", "photos", "--count", "45", "--grid", "4", "--targets", "moments,noise", "--json"];
    const first = await runCli(line, cwd);
    expect(first.code).toBe(0);
    const { rows, files, images, classes } = JSON.parse(first.stdout) as {
      rows: { target: string; accuracy: number }[];
      files: string[];
      images: number;
      classes: string[];
    };
    // Photographs differ in their colours.
    expect(rows.map(({ target }) => target)).toEqual(["moments", "noise"]);
    expect(rows[0]!.accuracy).toBeGreaterThan(0.5);
    expect([images, classes.length]).toEqual([45, 9]);
    expect(files).toEqual(["probe.csv", "probe.json"].map((name) => path.join(cwd, "probe", name)));
    expect(JSON.parse(readFileSync(files[1]!, "utf8")).rows).toEqual(rows);
    const second = await runCli(line, cwd);
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toMatch(/45 rows are cached, skipped/);
    expect(second.stderr).toMatch(/^probe +2 targets, 45 images, /m);
  });

  test.each<[string, string[], RegExp]>([
    ["nothing", [], /wanted a run, or --data and --targets/],
    ["a misspelt target", ["--data", "photos", "--targets", "sift,hgo"], /did you mean "hog"/],
    [
      "a share",
      ["--data", "photos", "--targets", "sift", "--validation", "1"],
      /--validation: wanted a number between/,
    ],
    ["no class token", ["--data", "photos", "--targets", "sift", "--cls"], /--cls: no class token in sift/],
    ["a run and its own data", ["runs/x", "--grid", "4"], /--grid is for probing without a run/],
    ["no run", ["runs/x"], /runs\/x: no such file/],
    [
      "one class",
      ["--data", "imagefolder:CWD/pictures", "--targets", "sift"],
      /labels of two classes or more; .* has 1/,
    ],
  ])("bad input is one line: %s", async (_, options, message) => {
    const cwd = temporaryFolder();
    mkdirSync(path.join(cwd, "pictures"));
    const picture = sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } });
    await picture.png().toFile(path.join(cwd, "pictures", "1.png"));
    const { code, stdout, stderr } = await runCli(
      ["probe", ...options.map((word) => word.replace("CWD", cwd)), "--quiet"],
      cwd,
    );
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^descry: [^\n]+\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});
