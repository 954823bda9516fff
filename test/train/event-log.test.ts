import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { crc32c, encodeEvent } from "../../src/train/event-log.js";
import { trainArm } from "../../src/train/train-arm.js";
import { OPTIONS, tinyArm } from "./tiny-run.js";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "descry-events-"));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

test("CRC-32C of the vectors of RFC 3720, B.4, and of the usual check", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

test("records are TensorBoard's own, byte for byte", () => {
  // tensorboard 2.21: RecordWriter(f).write(Event(…).SerializeToString()) for these three events.
  const expected =
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c" +
    "0f000000000000006d532b0909000000000000024010043a020801471d3260" +
    "2e00000000000000c5cb57fa09000008402049da4110e0a7122a1f0a0b0a046c6f7373150000803e0a100a09677261645f6e6f726d150000c0bf4f52908e";
  const records = [
    encodeEvent({ wallTime: 1.5, fileVersion: "brain.Event:2" }),
    encodeEvent({ wallTime: 2.25, step: 4, sessionLog: { status: 1 } }),
    encodeEvent({
      wallTime: 1764000000.125,
      step: 300000,
      summary: {
        value: [
          { tag: "loss", simpleValue: 0.25 },
          { tag: "grad_norm", simpleValue: -1.5 },
        ],
      },
    }),
  ];
  expect(Buffer.concat(records).toString("hex")).toBe(expected);
});

const READER = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
`;

import { PYTHON, pythonHas } from "../python.js";

const hasTensorBoard = pythonHas("tensorboard");

test.skipIf(!hasTensorBoard)(
  `TensorBoard reads a training that was resumed${hasTensorBoard ? "" : ` (${PYTHON} has no tensorboard; DESCRY_PYTHON names another)`}`,
  async () => {
    const folder = join(home, "arm");
    const options = { ...OPTIONS, steps: 7, checkpointEvery: 3, tensorboard: true };
    // Killed in step 6, after the checkpoint of step 3: steps 4 to 6 are trained and logged twice.
    await expect(
      trainArm({
        ...tinyArm(folder),
        options,
        onStep: ({ step }) => {
          if (step === 5) throw new Error("killed");
        },
      }),
    ).rejects.toThrow("killed");
    await trainArm({ ...tinyArm(folder), options, resume: true });
    expect((await readdir(folder)).filter((name) => name.includes("tfevents"))).toHaveLength(2);
    const lines = (await readFile(join(folder, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
    const metrics = lines.map((line) => JSON.parse(line) as Record<string, number>);
    const { status, stdout, stderr } = spawnSync(PYTHON, ["-c", READER, folder], { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    const read = JSON.parse(stdout) as Record<string, [number, number][]>;
    expect(Object.keys(read).sort()).toEqual(["alignment_loss", "denoising_loss", "grad_norm", "loss", "seconds"]);
    for (const [tag, values] of Object.entries(read)) {
      expect(values, tag).toEqual(metrics.map((line) => [line["step"], Math.fround(line[tag]!)]));
    }
  },
);

test("without being asked for there are no event files", async () => {
  const folder = join(home, "arm");
  await trainArm(tinyArm(folder));
  expect((await readdir(folder)).filter((name) => name.includes("tfevents"))).toEqual([]);
});
