import { createHash } from "node:crypto";
import { DataError } from "./errors.js";
import type { ImageSource } from "./image-source.js";

/** Some images of a source, in the order given; the source stays the caller's. */
export function subsetSource(source: ImageSource, indices: Uint32Array): ImageSource {
  const at = (index: number): number => {
    const own = indices[index];
    if (own === undefined) throw new DataError(`${source.name}: there is no image ${index} of these ${indices.length}`);
    return own;
  };
  const hash = createHash("sha256").update(`${source.fingerprint}\n`).update(indices);
  return {
    name: source.name,
    classes: source.classes,
    length: indices.length,
    fingerprint: hash.digest("hex"),
    skipped: source.skipped,
    id: (index) => source.id(at(index)),
    label: (index) => source.label(at(index)),
    load: async (index, sizePx, variant) => source.load(at(index), sizePx, variant),
    close: async () => {},
  };
}
