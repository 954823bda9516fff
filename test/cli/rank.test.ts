import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.js";

describe("descry rank", () => {
  test("--json is one document, and the files that it names are there", async () => {
    const cwd = temporaryFolder();
    const line = ["rank", "--data", "photos", "--count", "4", "--grid", "8", "--targets", "noise, concat(sift,hog)"];
    const { code, stdout, stderr } = await runCli([...line, "--json"], cwd);
    expect(code).toBe(0);
    const { rows, files, images } = JSON.parse(stdout) as {
      rows: { target: string; rank: number }[];
      files: string[];
      images: number;
    };
    expect(images).toBe(4);
    expect(rows.map(({ target }) => target)).toEqual(["concat(sift,hog)", "noise", "concat(sift,hog)", "noise"]);
    expect(files).toHaveLength(4);
    for (const file of files) {
      expect(path.dirname(file)).toBe(path.join(cwd, "rank"));
      expect(existsSync(file)).toBe(true);
    }
    expect(stderr).toMatch(/^rank +2 targets, 4 images, /m);
  });

  test.each<[string, string[], RegExp]>([
    ["nothing", [], /wanted --data and --targets/],
    ["a misspelt target", ["--data", "photos", "--targets", "sift,hgo"], /did you mean "hog"/],
    ["parentheses", ["--data", "photos", "--targets", "concat(sift,hog"], /a "\)" is missing/],
    ["alpha", ["--data", "photos", "--targets", "sift", "--alpha", "2"], /--alpha: wanted a number between 0 and 1/],
    ["an order", ["--data", "photos", "--targets", "sift", "--by", "size"], /by.*lds/],
    ["a folder", ["--data", "imagefolder:nowhere", "--targets", "sift"], /nowhere does not exist/],
    ["masks", ["--data", "photos", "--count", "4", "--targets", "sift", "--masks", "m"], /masks belong to the files/],
  ])("bad input is one line: %s", async (_, options, message) => {
    const { code, stdout, stderr } = await runCli(["rank", ...options, "--quiet"], temporaryFolder());
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^descry: [^\n]+\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});
