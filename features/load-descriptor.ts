import { createHash } from "node:crypto";
import type { DescribedData, Descriptor, DownloadListener } from "./descriptor.js";

/** A descriptor with all that is known of it: itself, or loaded where it is in a file. @throws as its `load`. */
export const loadDescriptor = async (
  descriptor: Descriptor,
  data?: DescribedData,
  onDownload?: DownloadListener,
): Promise<Descriptor> => (descriptor.load === undefined ? descriptor : descriptor.load(data, onDownload));

/**
 * A combination whose parts are loaded when it is.
 *
 * @param combine makes the combination of its parts, loaded or not.
 */
export function combineLoaded(
  parts: readonly Descriptor[],
  combine: (parts: readonly Descriptor[]) => Descriptor,
): Descriptor {
  const combined = combine(parts);
  if (parts.every(({ load }) => load === undefined)) return combined;
  return {
    ...combined,
    async load(data, onDownload) {
      const loaded: Descriptor[] = [];
      for (const part of parts) loaded.push(await loadDescriptor(part, data, onDownload));
      const hash = createHash("sha256").update(JSON.stringify(loaded.map(({ fingerprint }) => fingerprint ?? null)));
      const isStored = loaded.some((part) => part.isStored === true);
      return { ...combine(loaded), fingerprint: hash.digest("hex"), ...(isStored && { isStored }) };
    },
  };
}
