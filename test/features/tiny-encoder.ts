/** An ONNX encoder whose tokens can be computed by hand. */
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;

/** Pixels of a patch. Not square, so that rows and columns cannot be swapped. */
export const PATCH = [4, 2] as const;

/**
 * `image` [batch,3,side,side] → AveragePool over patches of 4×2 → `map` [batch,3,side/4,side/2] → `patches` [batch,T,3];
 * `tokens` [batch,1+T,3]: their mean, as a class token, and then the patches; `scores` [batch,3].
 *
 * The outputs are `tokens` and `scores`, their sides not declared; the others are inner tensors.
 */
export function tinyEncoder(batch: number | string, side: number | string): Uint8Array {
  const dims = [batch, 3, side, side].map((dim) => (typeof dim === "number" ? { dimValue: dim } : { dimParam: dim }));
  const { FLOAT, INT64 } = onnx.TensorProto.DataType;
  const port = (name: string, dim: object[]) => ({ name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } });
  const ints = (name: string, values: readonly number[]) => ({
    name,
    type: onnx.AttributeProto.AttributeType.INTS,
    ints: [...values],
  });
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "tiny encoder",
      initializer: [
        { name: "shape", dataType: INT64, dims: [3], rawData: new Uint8Array(new BigInt64Array([0n, 3n, -1n]).buffer) },
      ],
      node: [
        {
          opType: "AveragePool",
          input: ["image"],
          output: ["map"],
          attribute: [ints("kernel_shape", PATCH), ints("strides", PATCH)],
        },
        { opType: "Reshape", input: ["map", "shape"], output: ["columns"] },
        { opType: "Transpose", input: ["columns"], output: ["patches"], attribute: [ints("perm", [0, 2, 1])] },
        { opType: "ReduceMean", input: ["patches"], output: ["class"], attribute: [ints("axes", [1])] },
        {
          opType: "Concat",
          input: ["class", "patches"],
          output: ["tokens"],
          attribute: [{ name: "axis", type: onnx.AttributeProto.AttributeType.INT, i: 1 }],
        },
        { opType: "Flatten", input: ["class"], output: ["scores"] },
      ],
      input: [port("image", dims)],
      output: [
        port("tokens", [dims[0]!, { dimParam: "length" }, { dimParam: "width" }]),
        port("scores", [dims[0]!, { dimValue: 3 }]),
      ],
    },
  }).finish();
}
