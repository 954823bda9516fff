import { CacheError } from "../../../data/errors.js";
import type { ImageSource } from "../../../data/image-source.js";
import { imagesOfRows } from "../compared-images.js";
import { type FeaturesRecord, openCachedStore } from "../features-record.js";

/**
 * The cached images of a run (of their variants the first) as an image source: what the model was trained on, whatever the files
 * that they came from are by now. In latent space `load` gives only those whose pixels were cached.
 *
 * @param sizePx of the cached images; `load` gives no other size. @param seed of the experiment.
 */
export async function openCachedSource(
  { source, images }: FeaturesRecord,
  sizePx: number,
  seed: number,
): Promise<ImageSource> {
  const store = await openCachedStore(images);
  const cached = imagesOfRows(store.header.rows, source.length, seed);
  const rows = new Map(Array.from(cached, (index, row) => [index, row]));
  const rowOf = (index: number): number => {
    const row = rows.get(index);
    if (row !== undefined) return row;
    throw new CacheError(`${images.folder}: lacks the pixels of image ${index}, which the evaluation compares`, {
      hint: "cache them: descry features RUN --again",
    });
  };
  const labels = await store.read("label", [...cached.keys()]);
  return {
    name: source.name,
    classes: source.classes,
    length: source.length,
    fingerprint: source.fingerprint,
    skipped: source.skipped,
    id: (index) => `row ${rowOf(index)} of ${images.folder}`,
    label: (index) => labels[rowOf(index)]!,
    async load(index, wantedPx, variant) {
      if (wantedPx !== sizePx || variant?.flip === true || variant?.crop !== undefined) {
        throw new Error(`cached images are centre crops of ${sizePx} pixels, upright; ${wantedPx} asked`);
      }
      return (await store.read("image", [rowOf(index)])) as Uint8Array;
    },
    close: () => store.close(),
  };
}
