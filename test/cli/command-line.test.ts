import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands/index.js";
import { runCli, temporaryFolder } from "./run-cli.js";

/** A user error: exit code 2, nothing on stdout, one line on stderr. */
async function expectOneLine(argv: readonly string[], message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await runCli(argv);
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/^descry: [^\n]+\n$/);
  expect(stdout).toBe("");
  expect(code).toBe(2);
}

describe("help", () => {
  test("--help lists every command with its summary", async () => {
    const { code, stdout, stderr } = await runCli(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    for (const { name, summary } of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`descry ${name}\\b`));
      expect(stdout).toContain(summary);
    }
  });

  const each = COMMANDS.flatMap((one) =>
    "commands" in one
      ? one.commands.map((command) => [`${one.name} ${command.name}`, command] as const)
      : [[one.name, one] as const],
  );
  test.each(each)("%s --help shows its options and an example", async (words, command) => {
    const { code, stdout } = await runCli([...words.split(" "), "--help"]);
    expect(code).toBe(0);
    for (const option of Object.keys(command.options)) expect(stdout).toContain(`--${option}`);
    expect(command.examples.length).toBeGreaterThan(0);
    for (const [line] of command.examples) expect(stdout).toContain(line.replace("$0", "descry"));
  });

  test("--version prints the version", async () => {
    const { code, stdout } = await runCli(["--version"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("wrong command lines", () => {
  test("no command", () => expectOneLine([], /no command given — commands: run, sweep, features/));
  test("misspelt command", () =>
    expectOneLine(["trian", "x.yaml"], /unknown command "trian" — did you mean "train"\?/));
  test("no command of a group", () =>
    expectOneLine(["analyze"], /analyze: wanted correlation, .* — see descry analyze --help/));
  test("misspelt command of a group", () =>
    expectOneLine(["analyze", "corelation"], /analyze: unknown command "corelation" — did you mean "correlation"\?/));
  test("misspelt option of a group's command", () =>
    expectOneLine(
      ["analyze", "correlation", "--agianst", "kid"],
      /analyze correlation: unknown option --agianst — did you mean --against\?/,
    ));
  test("misspelt option", () =>
    expectOneLine(["run", "x.yaml", "--quite"], /run: unknown option --quite — did you mean --quiet\?/));
  test("option before the command", () =>
    expectOneLine(["--quiet", "run", "x.yaml"], /--quiet stands before the command — descry run … --quiet/));
  test("misspelt section in --set", () =>
    expectOneLine(
      ["config", "experiments/photos-classical.yaml", "--set", "trian.steps=3"],
      /^descry: --set trian\.steps: trian: unknown key — did you mean "train"\?/,
    ));
  test("missing argument", () => expectOneLine(["run"], /Not enough non-option arguments.* — see descry run --help/));
  test("too many arguments", () => expectOneLine(["targets", "sift"], /targets: unexpected argument "sift"/));
  test("option without its value", () => expectOneLine(["run", "x.yaml", "--data"], /data/));
  test("option given twice", () =>
    expectOneLine(
      ["config", "experiments/photos-classical.yaml", "--data", "photos", "--data", "photos"],
      /--data is given 2 times: wanted once/,
    ));
  test("file that is not there", () => expectOneLine(["run", "nowhere.yaml"], /nowhere\.yaml: no such file — /));
  test.each([[], ["--seeds", "0,1"]])("images that are not there leave no run behind %s", async (...seeds) => {
    const runs = temporaryFolder();
    const command = [seeds.length === 0 ? "run" : "sweep", "experiments/photos-classical.yaml", ...seeds];
    const wrong = ["--data", "imagefolder:nowhere", "--runs", runs, "--quiet"];
    await expectOneLine([...command, ...wrong], /nowhere does not exist/);
    expect(readdirSync(runs)).toEqual([]);
  });
  test("folder that is no run", () => expectOneLine(["train", "test"], /test: no run here \(no experiment\.json\)/));
  test("a folder of runs below a file", () =>
    expectOneLine(
      ["run", "experiments/photos-classical.yaml", "--runs", "package.json"],
      /package\.json\/photos-classical-\w+: cannot mkdir \(ENOTDIR\) — a part of the path is a file/,
    ));
  test("features of nothing", () => expectOneLine(["features"], /wanted an experiment file, or --data and --target/));
  test("features of an unknown target", () =>
    expectOneLine(["features", "--data", "photos", "--target", "sfit"], /sfit.*sift/));
  test("features on a grid that is no number", () =>
    expectOneLine(
      ["features", "--data", "photos", "--target", "sift", "--grid", "many"],
      /--grid: wanted a whole number of at least 2, got "many"/,
    ));
  test("--set without a value", () =>
    expectOneLine(["config", "experiments/photos-classical.yaml", "--set", "train.steps"], /wanted PATH=VALUE/));
});

describe("information", () => {
  test("targets --json is one document that lists sift and hog", async () => {
    const { code, stdout, stderr } = await runCli(["targets", "--json"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    const targets = JSON.parse(stdout) as { pattern: string; summary: string; dim: string }[];
    const patterns = targets.map(({ pattern }) => pattern).join(" ");
    expect(patterns).toMatch(/\bsift\b/);
    expect(patterns).toMatch(/\bhog\b/);
  });

  test("doctor runs the engine and says that Python is not needed", async () => {
    const { code, stdout } = await runCli(["doctor", "--json"]);
    expect(code).toBe(0);
    const { ready, findings } = JSON.parse(stdout) as {
      ready: boolean;
      findings: { what: string; state: string; says: string }[];
    };
    expect(findings.filter(({ state }) => state === "problem")).toEqual([]);
    expect(ready).toBe(true);
    const says = (what: string) => findings.find((one) => one.what === what)?.says;
    expect(says("device cpu")).toBe("compiled and ran a product, the result is right");
    expect(says("device webgpu")).toMatch(
      /^(compiled and ran a product, the result is right$|not available; wanted: )/,
    );
    expect(says("Python")).toMatch(/not needed/);
    expect(says("libraries")).toMatch(/^descry \d.*tfjs \d.*onnxruntime \d.*sharp \d/);
  });
});
