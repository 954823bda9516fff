import { basename } from "node:path";
import onnxProto from "onnx-proto";
import { DataError, UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";

/** Names listed in an error. */
const SHOWN = 12;

/** What ONNX Runtime opens, and the files with weights beside it. */
export interface ModelWithOutputs {
  /** The path, where nothing had to be changed: only so are weights in files beside it found. */
  readonly model: string | Uint8Array;
  /** Files that hold weights, as named in the model: relative to its folder. */
  readonly weightFiles: readonly string[];
}

/**
 * A model with any of its tensors among its outputs, whether or not they are.
 *
 * @param bytes of the file.
 * @param what  whose model it is, for messages.
 * @throws {DataError} bytes that are no model. @throws {UsageError} a tensor that the graph lacks, with the nearest name.
 */
export function modelWithOutputs(
  file: string,
  bytes: Uint8Array,
  wanted: readonly string[],
  what: string,
): ModelWithOutputs {
  const { ModelProto } = onnxProto.onnx;
  let model: InstanceType<typeof ModelProto>;
  try {
    model = ModelProto.decode(bytes);
  } catch (cause) {
    throw new DataError(`${what}: ${file}: is not an ONNX model`, { cause });
  }
  const graph = model.graph;
  if (graph === null || graph === undefined) throw new DataError(`${what}: ${file}: has no graph`);
  const weightFiles = new Set(
    (graph.initializer ?? []).flatMap(({ externalData }) =>
      (externalData ?? []).flatMap(({ key, value }) => (key === "location" && value ? [value] : [])),
    ),
  );
  const outputs = (graph.output ?? []).flatMap(({ name }) => name ?? []);
  const missing = [...new Set(wanted)].filter((name) => !outputs.includes(name));
  if (missing.length === 0) return { model: file, weightFiles: [...weightFiles] };
  const inner = (graph.node ?? []).flatMap((node) => node.output ?? []).filter((name) => name !== "");
  for (const name of missing) {
    if (inner.includes(name)) continue;
    const nearest = nearestName(name, [...outputs, ...inner]);
    const tail = inner.length > SHOWN ? `, and ${inner.length - SHOWN} inner tensors before` : "";
    throw new UsageError(
      `${what}: ${basename(file)} has no tensor "${name}"; outputs: ${outputs.join(", ")}; last inner tensors: ${inner.slice(-SHOWN).join(", ")}${tail}`,
      nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` },
    );
  }
  graph.output = [...(graph.output ?? []), ...missing.map((name) => ({ name }))];
  return { model: ModelProto.encode(model).finish(), weightFiles: [...weightFiles] };
}
