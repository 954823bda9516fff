import type { ImageSource } from "../../../data/image-source.js";
import { type FeaturesRecord, openCachedStore } from "../features-record.js";

/**
 * The cached images of a run (of their variants the first) as an image source: what the model was trained on, whatever the files
 * that they came from are by now.
 *
 * @param sizePx of the cached images; `load` gives no other size.
 * @param cached which images of the source are rows, in order; `load` gives no others. @default all
 */
export async function openCachedSource(
  { source, images }: FeaturesRecord,
  sizePx: number,
  cached?: Uint32Array,
): Promise<ImageSource> {
  const store = await openCachedStore(images);
  const rows = cached === undefined ? undefined : new Map(Array.from(cached, (index, row) => [index, row]));
  const rowOf = (index: number): number => {
    const row = rows === undefined ? index : rows.get(index);
    if (row === undefined) throw new Error(`image ${index} is not cached in ${images.folder}`);
    return row;
  };
  const labels = await store.read(
    "label",
    Array.from({ length: cached?.length ?? source.length }, (_, i) => i),
  );
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
