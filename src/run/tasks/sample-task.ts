import { sampleArm } from "../../sample/sample-arm.js";
import { verifyCheckpoint } from "../../train/checkpoint.js";
import { readFeaturesRecord } from "../features-record.js";
import type { ProgressSink } from "../progress.js";
import { armFiles, checkpointFile } from "../run-folder.js";
import type { Experiment } from "../schema.js";
import { taskLabel } from "../steps/step.js";
import { sitConfigOf } from "./model-config.js";

export interface SampleInput {
  readonly runFolder: string;
  readonly experiment: Experiment;
  readonly arm: string;
}

/** Draw the samples of one arm from its last checkpoint. */
export async function sampleTask({ runFolder, experiment, arm }: SampleInput, progress: ProgressSink): Promise<null> {
  const { sample, train } = experiment;
  const { source } = await readFeaturesRecord(runFolder);
  const checkpoint = checkpointFile(runFolder, arm, train.steps);
  await verifyCheckpoint(checkpoint);
  const task = progress.task(taskLabel("sample", arm), sample.count, "images");
  const record = await sampleArm({
    ...sample,
    checkpoint,
    config: sitConfigOf(experiment, source.classes.length),
    path: train.path,
    outFolder: armFiles(runFolder, arm).folder,
    threads: train.threads,
    device: train.device,
    onProgress: (done) => task.update(done),
  });
  const guidance = sample.guidance > 1 ? `, guidance ${sample.guidance}` : "";
  task.finish(`${record.count} images, ${sample.sampler} ${sample.steps} steps${guidance}, ${record.seconds} s`);
  return null;
}
