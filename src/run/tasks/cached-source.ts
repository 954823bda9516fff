import type { ImageSource } from "../../../data/image-source.js";
import { type FeaturesRecord, openCachedStore } from "../features-record.js";

/**
 * The cached images of a run (not their mirror images) as an image source: what the model was trained on, whatever the files
 * that they came from are by now.
 *
 * @param sizePx of the cached images; `load` gives no other size.
 */
export async function openCachedSource({ source, images }: FeaturesRecord, sizePx: number): Promise<ImageSource> {
  const store = await openCachedStore(images);
  const labels = await store.read(
    "label",
    Array.from({ length: source.length }, (_, i) => i),
  );
  return {
    name: source.name,
    classes: source.classes,
    length: source.length,
    fingerprint: source.fingerprint,
    skipped: source.skipped,
    id: (index) => `row ${index} of ${images.folder}`,
    label: (index) => labels[index]!,
    async load(index, wantedPx, options) {
      if (wantedPx !== sizePx || options?.flip === true) {
        throw new Error(`cached images are ${sizePx} pixels and upright, ${wantedPx} asked`);
      }
      return (await store.read("image", [index])) as Uint8Array;
    },
    close: () => store.close(),
  };
}
