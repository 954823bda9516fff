/**
 * Short names of targets, for tables and figures: encoders in files are long, so their folders and what stands behind `?` are left
 * out, unless two targets would look the same.
 *
 *   onnx:models/vit.onnx#tokens?mean=0.5&std=0.5 → onnx:vit.onnx#tokens
 */
export function targetLabels(targets: readonly string[]): string[] {
  const short = targets.map((target) =>
    target.replace(/onnx:([^(),]*\/)?/g, "onnx:").replace(/(\.onnx#\w+)\?[^()]*/g, "$1"),
  );
  return short.map((label, i) => (short.some((other, j) => j !== i && other === label) ? targets[i]! : label));
}
