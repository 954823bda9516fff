/** Several networks and a reference file, from the command line to the files that the report reads. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRun } from "../../src/report/read-run.js";
import { spawnCli } from "../cli/spawn-cli.js";
import { tinyOnnx } from "../evaluate/tiny-onnx.js";

const TINY = `onnx:tiny.onnx#inner?size=16&mean=0&std=1&spatial=means`;
const TEXT = `name: small
data: { count: 40, sizePx: 16 }
model: { width: 32, depth: 1, heads: 2, patch: 4 }
align: { depth: 1 }
train: { steps: 1, batch: 4, checkpointEvery: 1 }
sample: { count: 12, steps: 1, film: 0 }
evaluate: { network: "${TINY}", reference: reference.npz }
arms: [{ name: a }]
`;

describe("evaluations of a run", () => {
  let cwd = "";
  const at = (...names: string[]) => path.join(cwd, ...names);
  const cli = (...args: string[]) => spawnCli(args, cwd).ended;

  beforeAll(() => {
    cwd = mkdtempSync(path.join(tmpdir(), "descry-evaluations-"));
    writeFileSync(at("tiny.onnx"), tinyOnnx("n", "side"));
    writeFileSync(at("small.yaml"), TEXT);
  });
  afterAll(() => rmSync(cwd, { recursive: true, force: true }));

  test("descry reference writes a file; an experiment compares with it, by one network more each time it is asked", async () => {
    const args = ["--data", "photos", "--count", "30", "--size", "16", "--images", "20", "--network", TINY];
    const written = await cli("reference", ...args, "--out", "reference.npz", "--json");
    expect([written.stderr.includes("Error"), written.code]).toEqual([false, 0]);
    expect(JSON.parse(written.stdout)).toMatchObject({ file: at("reference.npz"), images: 30, network: TINY });

    const first = await cli("run", "small.yaml", "--json");
    expect(first.code).toBe(0);
    const { run: folder } = JSON.parse(first.stdout) as { run: string };
    const [arm] = (await readRun(folder)).arms;
    expect(arm!.evaluations).toHaveLength(1);
    expect(arm!.evaluations[0]).toMatchObject({
      name: "evaluation",
      record: {
        reference: 30,
        metrics: { frechet_distance: expect.any(Number), spatial_frechet_distance: expect.any(Number) },
        protocol: { source: "reference.npz", reference_file: { images: 20, distances_by: "statistics of the file" } },
      },
    });
    const file = path.join(folder, "arms", "a", "evaluation.json");
    const before = readFileSync(file, "utf8");
    const drawn = statSync(path.join(folder, "arms", "a", "samples.npz")).mtimeMs;

    // Statistics of another network: its images are taken.
    const also = await cli("run", "small.yaml", "--json", "--set", "evaluate.also=[random-vgg]");
    expect(also.code).toBe(0);
    expect(JSON.parse(also.stdout)).toMatchObject({ run: folder });
    const both = (await readRun(folder)).arms[0]!.evaluations;
    expect(both.map(({ name }) => name)).toEqual(["evaluation", "evaluation-random-vgg"]);
    expect(both[1]!.record).toMatchObject({
      reference: 20,
      network: { name: "random-vgg" },
      protocol: { reference_file: { distances_by: "images of the file" } },
    });
    expect(readFileSync(file, "utf8")).toBe(before);
    expect(statSync(path.join(folder, "arms", "a", "samples.npz")).mtimeMs).toBe(drawn);
    expect(readFileSync(path.join(folder, "report.html"), "utf8")).toContain("evaluation-random-vgg.json");
  }, 600_000);

  test("a reference file that cannot serve is found before the training", async () => {
    const { code, stderr } = await cli("run", "small.yaml", "--reference", "absent.npz", "--set", "seed=7");
    expect(code).toBe(2);
    expect(stderr).toMatch(/descry: absent\.npz: cannot read \(ENOENT\)[^\n]*\n$/);
    const sized = await cli("run", "small.yaml", "--set", "data.sizePx=32");
    expect(sized.code).toBe(2);
    expect(sized.stderr).toMatch(/reference\.npz: its images are 16 px, the samples will be 32 px \(data\.sizePx\)\n$/);
    expect(existsSync(at("runs", "small", "arms"))).toBe(false);
  }, 600_000);
});
