/** @param scores [rows, classes], logits. @returns new, [rows, classes]: probabilities, of which each row sums to 1. */
export function softmax(scores: ArrayLike<number>, rows: number): Float32Array {
  const classes = scores.length / rows;
  const probabilities = new Float32Array(scores.length);
  for (let start = 0; start < scores.length; start += classes) {
    let most = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) most = Math.max(most, scores[start + c]!);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp(scores[start + c]! - most);
    for (let c = 0; c < classes; c++) probabilities[start + c] = Math.exp(scores[start + c]! - most) / sum;
  }
  return probabilities;
}
