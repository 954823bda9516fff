/** A small ONNX network whose results can be computed by hand. */
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;

/**
 * `image` [batch, 3, side, side] → Relu → `inner` → GlobalAveragePool → `means` [batch, 3, 1, 1] → Flatten → `scores` [batch, 3]
 * (the only output).
 */
export function tinyOnnx(batch: number | string, side: number | string): Uint8Array {
  const dims = [batch, 3, side, side].map((dim) => (typeof dim === "number" ? { dimValue: dim } : { dimParam: dim }));
  const port = (name: string, dim: object[]) => ({
    name,
    type: { tensorType: { elemType: onnx.TensorProto.DataType.FLOAT, shape: { dim } } },
  });
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "tiny",
      node: [
        { opType: "Relu", input: ["image"], output: ["inner"] },
        { opType: "GlobalAveragePool", input: ["inner"], output: ["means"] },
        { opType: "Flatten", input: ["means"], output: ["scores"] },
      ],
      input: [port("image", dims)],
      output: [port("scores", [dims[0]!, { dimValue: 3 }])],
    },
  }).finish();
}
