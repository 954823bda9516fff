import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT, runCli, temporaryFolder } from "./run-cli.js";

describe("descry targets --describe", () => {
  test("prints the files that it has written", async () => {
    const cwd = temporaryFolder();
    const image = path.join(ROOT, "experiments", "photos-classical.png");
    const line = ["targets", "--describe", "hog:d36_ppc8_cb2", "--grid", "4", "--tokens", "0,1; 3,3", "--image", image];
    const { code, stdout, stderr } = await runCli(line, cwd);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const files = stdout.match(/described\/\S+\.png/g)!;
    expect(files).toHaveLength(5);
    for (const file of files) expect(existsSync(path.join(cwd, file))).toBe(true);
    expect(stdout).toContain("described/hog-d36_ppc8_cb2-similarity-3-3.png  cosine with the token in row 3, column 3");
  });

  test.each<[string, string[], RegExp]>([
    ["an unknown target", ["--describe", "hgo"], /did you mean "hog"/],
    ["a token that is none", ["--describe", "hog", "--tokens", "8;8"], /--tokens: wanted ROW,COLUMN, got "8"/],
    ["a token outside", ["--describe", "hog", "--tokens", "16,0"], /there is no token 16,0/],
    ["no such picture", ["--describe", "hog", "--image", "nowhere.png"], /nowhere\.png: cannot read/],
    [
      "no picture",
      ["--describe", "hog", "--image", path.join(ROOT, "package.json")],
      /package\.json cannot be decoded/,
    ],
    ["options without it", ["--tokens", "8,8"], /--tokens goes with --describe/],
  ])("bad input is one line: %s", async (_, options, message) => {
    const { code, stdout, stderr } = await runCli(["targets", ...options], temporaryFolder());
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^descry: [^\n]+\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});
