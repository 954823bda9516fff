import { DataError, UnsupportedError } from "../../../data/errors.js";
import { openLatentDecoder } from "../../../features/autoencoder/open-decoder.js";
import { parseAutoencoder } from "../../../features/autoencoder/parse-autoencoder.js";
import { type SampleDecoder, sampleArm } from "../../sample/sample-arm.js";
import { verifyCheckpoint } from "../../train/checkpoint.js";
import { type AlongPoint, alongCount } from "../along-training.js";
import { type LatentsRecord, readFeaturesRecord } from "../features-record.js";
import { weightsFile } from "../hand-over/imported-record.js";
import type { ProgressSink } from "../progress.js";
import { armFiles } from "../run-folder.js";
import type { Experiment } from "../schema.js";
import { sitConfigOf } from "../space.js";
import { taskLabel } from "../steps/step.js";

export interface SampleInput {
  readonly runFolder: string;
  readonly experiment: Experiment;
  readonly arm: string;
  /** A point along the training; absent: its end. */
  readonly point?: AlongPoint;
}

/** Draw the samples of one arm. */
export async function sampleTask(
  { runFolder, experiment, arm, point }: SampleInput,
  progress: ProgressSink,
): Promise<null> {
  const { sample, train } = experiment;
  const { source, latents } = await readFeaturesRecord(runFolder);
  const checkpoint = point?.weights ?? (await weightsFile(runFolder, arm, train.steps));
  await verifyCheckpoint(checkpoint);
  const count = point === undefined ? sample.count : alongCount(experiment);
  const label = point === undefined ? arm : `${arm}, step ${point.step}`;
  const task = progress.task(taskLabel("sample", label), count, "images");
  const decoder = latents === undefined ? undefined : await openSampleDecoder(experiment, latents);
  const drawing = sampleArm({
    ...sample,
    count,
    checkpoint,
    config: sitConfigOf(experiment, source.classes.length),
    ...(decoder === undefined ? {} : { decoder }),
    path: train.path,
    outFolder: point?.folder ?? armFiles(runFolder, arm).folder,
    threads: train.threads,
    device: train.device,
    onProgress: (done) => task.update(done),
  });
  const record = await drawing.finally(() => decoder?.network.dispose());
  const guidance = sample.guidance > 1 ? `, guidance ${sample.guidance}` : "";
  task.finish(`${record.count} images, ${sample.sampler} ${sample.steps} steps${guidance}, ${record.seconds} s`);
  return null;
}

/** @throws {DataError} another decoder than the one that was there when the latents were cached. */
export async function openSampleDecoder({ data, train }: Experiment, latents: LatentsRecord): Promise<SampleDecoder> {
  const { autoencoder: name, decoderSha256, scale, bias } = latents;
  const settings = parseAutoencoder(name);
  const { device } = train;
  if (device === "tfjs-cpu" || device === "tfjs-gpu") {
    throw new UnsupportedError(`autoencoders run on cpu, webgpu or cuda, not on ${device}`);
  }
  const network = await openLatentDecoder(settings, data.sizePx, { device, threads: train.threads });
  if (network.sha256 === decoderSha256) return { name, network, scaling: { scale, bias } };
  await network.dispose();
  throw new DataError(`${settings.decoder.file}: is not the decoder that was there when the latents were cached`, {
    hint: "put it back, or cache anew: descry features RUN --again",
  });
}
