import { DataError } from "../../../data/errors.js";
import { RANDOM_VGG } from "../../evaluate/network-name.js";
import { openFeatureNetwork } from "../../evaluate/open-feature-network.js";
import { openReferenceFile } from "../../evaluate/reference-file.js";
import { downloadProgress } from "../download-progress.js";
import type { ProgressSink } from "../progress.js";
import type { Experiment } from "../schema.js";

/**
 * What the evaluation would stumble over after hours of training: networks that cannot be opened (they are downloaded where they can be),
 * and a reference file that is not there, of another size, or with nothing for one of them.
 *
 * @throws {DescryError} the first of them.
 */
export async function checkEvaluation({ data, evaluate }: Experiment, progress: ProgressSink): Promise<void> {
  const { reference: path } = evaluate;
  const file = path === null ? undefined : await openReferenceFile(path);
  const sizePx = file?.images?.sizePx ?? data.sizePx;
  if (sizePx !== data.sizePx) {
    throw new DataError(`${path}: its images are ${sizePx} px, the samples will be ${data.sizePx} px (data.sizePx)`);
  }
  for (const name of [evaluate.network, ...evaluate.also]) {
    if (name === RANDOM_VGG && file === undefined) continue;
    const network = await openFeatureNetwork(name, { onDownload: downloadProgress(progress) });
    try {
      await file?.statisticsFor(network);
    } finally {
      await network.dispose();
    }
  }
}
