/** @file A network in an ONNX file that takes images: opened and checked, its batches made, whatever batch and size it fixes. */
import { basename } from "node:path";
import { ShapeError, UsageError } from "../../data/errors.js";
import { type HostTensors, type ModelPort, openModel, type SessionOptions } from "../../src/compile/session.js";
import { type Preprocessing, toPlanes } from "./preprocessing.js";
import { readModel } from "./read-model.js";

/** Images at once where the model leaves that open. */
const BATCH = 16;

export interface ImageNetworkSpec extends Preprocessing {
  readonly file: string;
  /** Tensors of the graph, outputs or not. */
  readonly outputs: readonly string[];
}

export interface ImageNetwork {
  /** Side of its input. */
  readonly sizePx: number;
  /** Most images of one `run`. */
  readonly batch: number;
  /** SHA-256 (hex) of the file, and of those with its weights. */
  readonly sha256: string;
  /**
   * @param images [rows,sizePx,sizePx,3] RGB in 0…255; normalized here. Read only.
   * @param rows   1…batch.
   * @returns      every output, its first axis cut to `rows`.
   * @throws {ShapeError} an output whose first axis is not the images.
   */
  run(images: Float32Array, rows: number): Promise<HostTensors>;
  dispose(): Promise<void>;
}

/**
 * Open the network.
 *
 * @param what whose it is, for messages.
 * @throws {DataError} a file that cannot be read or is no ONNX model. @throws {UsageError} a tensor that the graph lacks; no size
 *   where the model fixes none, or another than it fixes. @throws {ShapeError} a model that does not take [n, 3, size, size].
 */
export async function openImageNetwork(
  spec: ImageNetworkSpec,
  what: string,
  options: SessionOptions = {},
): Promise<ImageNetwork> {
  const { file } = spec;
  const { model: source, sha256 } = await readModel(file, spec.outputs, what);
  const model = await openModel(source, options);
  try {
    const { input, sizePx, batch, isFixed } = inputOf(spec, model.inputs, what);
    return {
      sizePx,
      batch,
      sha256,
      async run(images, rows) {
        // A model with a fixed batch gets a full one.
        const given = isFixed ? batch : rows;
        const data = toPlanes(images, { rows, batch: given, sizePx }, spec);
        const results = await model.run({ [input]: { data, shape: [given, 3, sizePx, sizePx] } }, [
          ...new Set(spec.outputs),
        ]);
        return Object.fromEntries(
          Object.entries(results).map(([name, { data, shape }]) => {
            if (shape[0] !== given) {
              throw new ShapeError(`${what}: tensor "${name}" [${shape.join(", ")}] is not one of ${given} image(s)`);
            }
            const kept = data.subarray(0, (data.length / given) * rows);
            return [name, { data: kept, shape: [rows, ...shape.slice(1)] }];
          }),
        );
      },
      dispose: () => model.dispose(),
    };
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

/** The one input, its side and the batch. */
function inputOf(spec: ImageNetworkSpec, inputs: readonly ModelPort[], what: string) {
  const [port, ...others] = inputs;
  if (port === undefined || others.length > 0 || port.shape.length !== 4 || !accepts(port, 1, 3)) {
    const got = inputs.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(" and ");
    throw new ShapeError(`${what}: ${basename(spec.file)} should take one input [n, 3, size, size], it takes ${got}`);
  }
  const fixed = port.shape.slice(2).find((side) => typeof side === "number" && side > 0) as number | undefined;
  const sizePx = spec.sizePx ?? fixed;
  if (sizePx === undefined) {
    throw new UsageError(`${what}: ${basename(spec.file)} takes images of any size`, {
      hint: "say which, such as size=224",
    });
  }
  if (!accepts(port, 2, sizePx) || !accepts(port, 3, sizePx)) {
    throw new UsageError(`${what}: size=${sizePx}, but ${basename(spec.file)} takes [${port.shape.join(", ")}]`);
  }
  const first = port.shape[0];
  const isFixed = typeof first === "number" && first > 0;
  return { input: port.name, sizePx, isFixed, batch: isFixed ? first : BATCH };
}

/** Whether an axis is free, or fixed to this side. */
const accepts = ({ shape }: ModelPort, axis: number, side: number): boolean => {
  const given = shape[axis];
  return typeof given !== "number" || given <= 0 || given === side;
};
