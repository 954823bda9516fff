/** @file Targets of features that somebody computed elsewhere. Owns the target strings `features:DIR`. */
import { join } from "node:path";
import { DataError, UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { hasCrops } from "../../data/variants.js";
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
    isStored: true,
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
function matchRows(place: string, { features, mirrored, ids }: FeatureFiles, data: DescribedData): RowOf {
  const { source, flips = false, variants } = data;
  const { length } = source;
  if (hasCrops({ flips, variants })) {
    throw new DataError(
      `features:${place}: has no features of random crops, of which data.variants=${variants} makes some`,
      {
        hint: "data.variants=null, or a target that is computed here",
      },
    );
  }
  if (flips && mirrored === undefined) {
    throw new DataError(`features:${place}: has no features of the mirrored images`, {
      hint: 'data.flips=false, or add them as the tensor "mirrored" or the file mirrored.npy',
    });
  }
  if (ids === undefined && features.rows !== length) {
    throw new DataError(
      `features:${place}: features of ${features.rows} images, but ${source.name} has ${length} here`,
      { hint: "wanted one row an image in the order of the data source, or ids.txt with the image of each row" },
    );
  }
  const rows = ids === undefined ? undefined : rowsByName(join(place, "ids.txt"), ids, source);
  return (row) => {
    const image = row < length ? row : row - length;
    return { array: row < length ? "features" : "mirrored", row: rows === undefined ? image : rows[image]! };
  };
}

/**
 * Row of each image of the data source. A name is the id of the image, or the end of it: where folders lie differs between machines.
 *
 * @throws {DataError} an image without a row, two with the same, a name that is there twice.
 */
function rowsByName(file: string, names: readonly string[], source: ImageSource): number[] {
  const rowOfName = new Map(names.map((name, row) => [name, row]));
  if (rowOfName.size < names.length) {
    throw new DataError(`${file}: names "${names.find((name, row) => rowOfName.get(name) !== row)}" twice`);
  }
  const imageOfRow = new Map<number, string>();
  const missing: string[] = [];
  const rows = Array.from({ length: source.length }, (_, image) => {
    const id = source.id(image);
    const row = longestEnd(id, rowOfName);
    if (row === undefined) missing.push(id);
    else if (imageOfRow.has(row)) {
      throw new DataError(`${file}: "${names[row]}" is the end of "${imageOfRow.get(row)}" and of "${id}"`);
    } else imageOfRow.set(row, id);
    return row ?? -1;
  });
  if (missing.length === 0) return rows;
  throw new DataError(
    `${file}: lacks ${missing.length} of ${source.length} images of ${source.name}, such as "${missing[0]}"`,
    { hint: `its first line is "${names[0] ?? ""}"` },
  );
}

/** What is known of an id, or else of what is behind its first "/" or ":", and so on. */
function longestEnd(id: string, rows: ReadonlyMap<string, number>): number | undefined {
  for (let rest = id; ; ) {
    const row = rows.get(rest);
    const cut = rest.search(/[/\\:]/);
    if (row !== undefined || cut < 0) return row;
    rest = rest.slice(cut + 1);
  }
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
