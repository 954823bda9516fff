/**
 * @file Workers on a real Redis: killed in the middle, stopped, in a folder under another path, with errors. Whatever happens,
 * the bytes are those of a single process.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../cli/run-cli.js";
import { Program, until } from "./program.js";
import { freePort, type Redis, startRedis, whyNoRedis } from "./redis.js";

const LIMIT_MS = 500_000;
const STEPS = 40;
const TINY = `name: tiny
data: { source: photos, count: 18, sizePx: 16 }
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1, projectorWidth: 16 }
train: { steps: ${STEPS}, batch: 4, checkpointEvery: 4, threads: 1 }
sample: { steps: 2, count: 8, batch: 8 }
evaluate: { inceptionSplits: 2 }
arms:
  - { name: control }
  - { name: aligned, target: sift, projector: conv, spatialNorm: 0.6 }
`;
const ARMS = ["control", "aligned"];

function newProject(folder = temporaryFolder()): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "tiny.yaml"), TINY);
  return folder;
}

const runsOf = (project: string) =>
  readdirSync(path.join(project, "runs"))
    .filter((name) => /^tiny-[0-9a-f]{8}$/.test(name))
    .map((name) => path.join(project, "runs", name));

/** Everything that must not depend on who did it: relative name → bytes, of shards, weights, samples and numbers. */
function resultsOf(project: string): Record<string, string> {
  const results: Record<string, string> = {};
  const add = (file: string, text: (bytes: Buffer) => string = (bytes) => bytes.toString("base64")) => {
    results[path.relative(project, file)] = text(readFileSync(file));
  };
  const cache = path.join(project, ".descry", "cache");
  for (const store of readdirSync(cache)) {
    // Which shards were read is of the disk that they lie on, not of the data.
    const files = readdirSync(path.join(cache, store)).filter((name) => name !== "verified.json");
    for (const file of files) add(path.join(cache, store, file));
  }
  for (const run of runsOf(project)) {
    add(path.join(run, "features.json"), String);
    for (const arm of ARMS) {
      const folder = path.join(run, "arms", arm);
      for (const name of readdirSync(folder)) {
        if (name.startsWith("checkpoint-") || name === "samples.png" || name === "samples.npz")
          add(path.join(folder, name));
      }
      // Numbers without the time that they took.
      const evaluation = JSON.parse(readFileSync(path.join(folder, "evaluation.json"), "utf8"));
      results[`${path.basename(run)}/${arm}/metrics`] = JSON.stringify(evaluation.metrics);
      const log = readFileSync(path.join(folder, "metrics.jsonl"), "utf8").trim().split("\n");
      const lines = log.map((line) => ({ ...JSON.parse(line), seconds: undefined }));
      results[`${path.basename(run)}/${arm}/log`] = JSON.stringify(lines);
    }
  }
  return results;
}

const countOf = (text: string, words: RegExp) => [...text.matchAll(words)].length;

describe.skipIf(whyNoRedis !== "")(`workers of a queue ${whyNoRedis}`, () => {
  let redis: Redis;
  const workers: Program[] = [];

  const worker = (workdir: string, cwd = temporaryFolder()): Program => {
    const program = new Program(["worker", "--queue", redis.url, "--workdir", workdir, "--lost-after", "3"], cwd);
    workers.push(program);
    return program;
  };
  const submit = (project: string, ...argv: string[]) =>
    new Program([...argv, "--queue", redis.url, "--parts", "2"], project);

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => {
    for (const one of workers) one.signal("SIGKILL");
    redis.stop();
  });

  test(
    "features without an experiment: the bytes of a single process, and where they are",
    async () => {
      const features = [
        "features",
        "--data",
        "photos",
        "--count",
        "320",
        "--target",
        "hog",
        "--dtype",
        "F32",
        "--json",
      ];
      const alone = temporaryFolder();
      const reference = new Program(features, alone);
      expect(await reference.ended, reference.stderr).toBe(0);
      const shared = temporaryFolder();
      const one = worker(shared);
      const submitter = submit(shared, ...features);
      expect(await submitter.ended, submitter.stderr).toBe(0);
      expect(submitter.stderr).toMatch(/^jobs +3 of 3 done$/m);
      expect(submitter.stderr).toMatch(/^features +hog +part [12]\/2: \d+ rows/m);
      const { targets } = JSON.parse(submitter.stdout);
      expect(targets.hog).toMatchObject({ rows: 320, reused: true, missing: 0 });
      const bytes = (project: string) => {
        const folder = path.join(project, ".descry", "cache", path.basename(targets.hog.folder));
        return Object.fromEntries(
          readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), "base64")]),
        );
      };
      expect(Object.keys(bytes(shared))).toHaveLength(4);
      expect(bytes(shared)).toEqual(bytes(alone));
      one.signal("SIGINT");
      expect(await one.ended).not.toBe(1);
    },
    LIMIT_MS,
  );

  test(
    "two workers, one killed with kill -9 in the middle: nothing lost, nothing twice, the bytes of a single process",
    async () => {
      const alone = newProject();
      const reference = new Program(["sweep", "tiny.yaml", "--seeds", "0,1", "--json"], alone);
      expect(await reference.ended, reference.stderr).toBe(0);

      const home = temporaryFolder();
      const shared = newProject(path.join(home, "shared"));
      symlinkSync(shared, path.join(home, "mount"));
      const [a, b] = [worker(shared), worker(path.join(home, "mount"))];
      const submitter = submit(shared, "sweep", "tiny.yaml", "--seeds", "0,1", "--json");

      // The first training that has a checkpoint and is not done: the lock names its worker.
      let killed: Program | undefined;
      await until(() => {
        for (const run of existsSync(path.join(shared, "runs")) ? runsOf(shared) : []) {
          for (const arm of ARMS) {
            const lock = path.join(run, `writing-arm-${arm}.lock`);
            const folder = path.join(run, "arms", arm);
            const names = existsSync(lock) && existsSync(folder) ? readdirSync(folder) : [];
            if (!names.some((name) => /^checkpoint-00000(04|08|12)/.test(name))) continue;
            const { pid } = JSON.parse(readFileSync(lock, "utf8")) as { pid: number };
            killed = [a, b].find((one) => one.pid === pid);
            killed?.signal("SIGKILL");
            return killed !== undefined;
          }
        }
        return false;
      }, "a training in the middle");
      expect(await killed!.ended).toBe(null);

      expect(await submitter.ended, submitter.stderr).toBe(0);
      expect(submitter.stderr).toMatch(/^train .*: no sign of life from its worker, another one takes it$/m);
      expect(submitter.stderr).toMatch(/^train .* 40 steps, .*, continued after step \d+$/m);
      const finished = /^train +(control|aligned) seed \d +40 steps, /gm;
      expect(new Set(submitter.stderr.match(finished)).size).toBe(4);
      expect(countOf(submitter.stderr, finished)).toBe(4);
      expect(submitter.stderr).toMatch(/^jobs +18 of 18 done$/m);

      expect(resultsOf(shared)).toEqual(resultsOf(alone));
      const [here, there] = [submitter, reference].map(({ stdout }) => JSON.parse(stdout));
      expect(here.arms).toEqual(there.arms);
      expect(path.basename(here.report)).toBe(path.basename(there.report));
      expect(existsSync(here.report)).toBe(true);

      // Once more: nothing is to do, and the workers find that out.
      const again = submit(shared, "sweep", "tiny.yaml", "--seeds", "0,1");
      expect(await again.ended, again.stderr).toBe(0);
      expect(again.stderr).not.toMatch(/^(train|sample) .*(loss|euler)/m);
      for (const one of [a, b]) one.signal("SIGINT");
      const survivor = killed === a ? b : a;
      expect(await survivor.ended, survivor.stderr).toBe(0);
      expect(survivor.stdout).toMatch(/^\d+ jobs done\n$/);
    },
    LIMIT_MS,
  );

  test(
    "the submitter may go, the folder be mounted elsewhere, a worker be stopped: the same command shows the same jobs",
    async () => {
      const home = temporaryFolder();
      const before = newProject(path.join(home, "before"));
      const submitter = submit(before, "run", "tiny.yaml");
      await submitter.said(/no worker takes the jobs of this folder yet: descry worker --queue redis:\S+ --workdir/);
      submitter.signal("SIGINT");
      expect(await submitter.ended).toBe(130);
      expect(submitter.stderr).toMatch(/^descry: interrupted — the jobs stay in the queue: the same command shows /m);

      const after = path.join(home, "after");
      renameSync(before, after);
      const first = worker(after);
      await until(
        () =>
          runsOf(after).some((run) => existsSync(path.join(run, "arms", "control", "checkpoint-0000004.safetensors"))),
        "a checkpoint",
      );
      first.signal("SIGINT");
      expect(await first.ended, first.stderr).toBe(0);

      worker(after);
      const again = submit(after, "run", "tiny.yaml");
      expect(await again.ended, again.stderr).toBe(0);
      const [run] = runsOf(after);
      expect(existsSync(path.join(run!, "report.html"))).toBe(true);
      for (const arm of ARMS) {
        const log = readFileSync(path.join(run!, "arms", arm, "metrics.jsonl"), "utf8")
          .trim()
          .split("\n");
        expect(log.map((line) => JSON.parse(line).step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
      }
    },
    LIMIT_MS,
  );

  test(
    "a job that fails is not tried again, says why in one line, and the others are done",
    async () => {
      const project = newProject();
      const bad = ["run", "tiny.yaml", "--set", "arms.aligned.coefficient=1e30"];
      const hands = worker(project);
      const submitter = submit(project, ...bad);
      expect(await submitter.ended).toBe(2);
      const last = submitter.stderr.trimEnd().split("\n").at(-1)!;
      expect(last).toMatch(/^descry: train +aligned: .*not finite.* \(on \S+\)$/);
      expect(submitter.stderr).toMatch(/^evaluate +control +Fréchet distance /m);
      expect(submitter.stderr).toMatch(/^jobs +6 of 9 done, 3 failed or not begun$/m);
      expect(countOf(hands.stderr, /^train aligned: /gm)).toBe(1);
      hands.signal("SIGINT");
      expect(await hands.ended).toBe(0);
    },
    LIMIT_MS,
  );
});

describe.skipIf(whyNoRedis !== "")(`reaching a Redis ${whyNoRedis}`, () => {
  test("nobody listens", async () => {
    const queue = `redis://127.0.0.1:${await freePort()}`;
    for (const argv of [["worker"], ["run", "tiny.yaml", "--quiet"]]) {
      const program = new Program([...argv, "--queue", queue], newProject());
      expect(await program.ended, program.stderr).toBe(2);
      const lines = program.stderr.trimEnd().split("\n");
      expect(lines.at(-1)).toBe(
        `descry: ${queue}: no Redis answers (ECONNREFUSED) — start one (redis-server), or mend --queue`,
      );
    }
  });

  test(
    "a password, in the address or in the environment, and never in a message",
    async () => {
      const redis = await startRedis("--requirepass", "s3cret/pass");
      try {
        const ask = (url: string, env: Record<string, string> = {}) =>
          new Program(["worker", "--queue", url], newProject(), env);
        for (const program of [ask(redis.url), ask(redis.url.replace("//", "//:wr0ng@"))]) {
          expect(await program.ended).toBe(2);
          expect(program.stderr).toMatch(
            /descry: redis:\/\/127\.0\.0\.1:\d+: Redis refuses the password \(.*\) — redis:/,
          );
          expect(program.stderr).not.toContain("wr0ng");
        }
        const let1 = ask(redis.url.replace("//", `//:${encodeURIComponent("s3cret/pass")}@`));
        const let2 = ask(redis.url, { REDISCLI_AUTH: "s3cret/pass" });
        for (const program of [let1, let2]) {
          await program.said(/^jobs of .* from redis:/m);
          await until(() => existsSync(path.join(cwdOf(program), ".descry", "queue-id")), "the queue");
          program.signal("SIGTERM");
          expect(await program.ended, program.stderr).toBe(0);
          expect(program.stderr).not.toContain("s3cret");
        }
      } finally {
        redis.stop();
      }
    },
    LIMIT_MS,
  );
});

const cwdOf = (program: Program) => /^jobs of (\S+) from/m.exec(program.stderr)![1]!;
