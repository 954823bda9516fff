/** @file Targets of features that somebody computed elsewhere. Owns the target strings `features:DIR`. */
import { join } from "node:path";
import { DataError, UsageError } from "../../data/errors.js";
import type {
  DescribedData,
  DescriptorFamily,
  FeatureComputer,
  FeatureComputerOptions,
  OpenedDescriptor,
} from "../descriptor.js";
import { pair } from "../pair.js";
import { resampleTokens } from "../resample-tokens.js";
import { gridTokens, type TokenLayout, tokenLayout } from "../token-layout.js";
import { type FeatureFiles, findFeatureFiles, RowReader } from "./feature-files.js";

/** Raised when token order or resampling change. */
const VERSION = 1;

/** The features as they are named: what is in the files is not known before they are loaded. */
function storedFeatures(place: string): OpenedDescriptor {
  const load = (data?: DescribedData) => loadStored(place, data);
  return {
    name: `features:${place}`,
    dim: Number.NaN,
    version: VERSION,
    summary: `features computed elsewhere, of ${place}`,
    load,
    open: async (options) => (await load()).open(options),
  };
}

async function loadStored(place: string, data: DescribedData | undefined): Promise<OpenedDescriptor> {
  const name = `features:${place}`;
  const files = await findFeatureFiles(place);
  const { rows, shape } = files.features;
  const layout = tokenLayout(shape, {}, `target "${name}"`);
  const rowOf = data === undefined ? undefined : matchRows(place, files, data);
  return {
    name,
    dim: layout.dim,
    version: VERSION,
    fingerprint: files.sha256,
    summary: `features of ${rows} images computed elsewhere, of ${place}: ${layout.grid.join("×")} tokens, bilinear on other grids`,
    open: async (options) => openStored(name, files, layout, rowOf, options),
  };
}

/** Where the features of an image are: row of the data source → array and row. */
type RowOf = (row: number) => { readonly array: "features" | "mirrored"; readonly row: number };

/**
 * @throws {DataError} other images than those of the data source, or mirrored ones missing: what was computed for one order of images
 *   would be taken for another's.
 */
function matchRows(place: string, { features, mirrored, ids }: FeatureFiles, { source, flips }: DescribedData): RowOf {
  const { length } = source;
  if (flips === true && mirrored === undefined) {
    throw new DataError(`features:${place}: has no features of the mirrored images`, {
      hint: 'data.flips=false, or add them as the tensor "mirrored" or the file mirrored.npy',
    });
  }
  let rowOfImage = (image: number): number => image;
  if (ids === undefined) {
    if (features.rows !== length) {
      throw new DataError(
        `features:${place}: features of ${features.rows} images, but ${source.name} has ${length} here`,
        { hint: "wanted one row an image in the order of the data source, or ids.txt with the image of each row" },
      );
    }
  } else {
    const rows = new Map(ids.map((id, row) => [id, row]));
    if (rows.size < ids.length) {
      const twice = ids.find((id, row) => rows.get(id) !== row);
      throw new DataError(`${join(place, "ids.txt")}: names "${twice}" twice`);
    }
    const missing = Array.from({ length }, (_, image) => source.id(image)).filter((id) => !rows.has(id));
    if (missing.length > 0) {
      throw new DataError(
        `${join(place, "ids.txt")}: lacks ${missing.length} of ${length} images of ${source.name}, such as "${missing[0]}"`,
        { hint: `its first line is "${ids[0] ?? ""}"` },
      );
    }
    rowOfImage = (image) => rows.get(source.id(image))!;
  }
  return (row) =>
    row < length ? { array: "features", row: rowOfImage(row) } : { array: "mirrored", row: rowOfImage(row - length) };
}

function openStored(
  name: string,
  files: FeatureFiles,
  layout: TokenLayout,
  rowOf: RowOf | undefined,
  options: FeatureComputerOptions,
): FeatureComputer {
  const grid = pair(options.grid);
  const { dim } = layout;
  const size = grid[0] * grid[1] * dim;
  const reader = new RowReader();
  const isSameGrid = grid.join() === layout.grid.join();
  return {
    ...(isSameGrid ? {} : { note: `${layout.grid.join("×")} tokens resampled to ${grid.join("×")} (bilinear)` }),
    async compute(_images, count, rows) {
      if (rowOf === undefined || rows === undefined || rows.length !== count) {
        throw new UsageError(`${name}: are features of the images of a data set, not of any image`);
      }
      const features = new Float32Array(count * size);
      for (const [i, row] of rows.entries()) {
        const at = rowOf(row);
        const tokens = gridTokens(await reader.read(files[at.array]!, at.row), 1, layout);
        features.set(resampleTokens(tokens, 1, dim, layout.grid, grid), i * size);
      }
      return features;
    },
    dispose: () => reader.close(),
  };
}

export const storedFamily: DescriptorFamily = {
  name: "features",
  targets: [
    {
      pattern: "features:DIR",
      summary: "features computed elsewhere: .safetensors or .npy, [N,T,D] or [N,C,H,W], a row an image",
      dim: "theirs",
    },
  ],
  parse(options) {
    const place = options?.replace(/(?<=.)[/\\]+$/, "") ?? "";
    if (place === "") {
      throw new UsageError('target "features": want features:DIR', {
        hint: "DIR holds .safetensors or .npy files with a row an image",
      });
    }
    return storedFeatures(place);
  },
};
