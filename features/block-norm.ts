import tf from "@tensorflow/tfjs";

/** The norms of a HOG block in scikit-image, by the names that target strings give them. */
export const BLOCK_NORMS = ["l1", "l1-sqrt", "l2", "l2-hys"] as const;
export type BlockNorm = (typeof BLOCK_NORMS)[number];

const EPS = 1e-5;
const HYS_CLIP = 0.2;

/**
 * Normalize each block.
 *
 *   l1       v / (Σv + ε)               l1-sqrt  √ of it
 *   l2       v / √(Σv² + ε²)            l2-hys   l2, clipped at 0.2, and l2 again
 *
 * @param blocks [N,blocks,D], not negative.
 */
export function normalizeBlocks(blocks: tf.Tensor, norm: BlockNorm): tf.Tensor {
  const l1 = () => tf.div(blocks, tf.add(tf.sum(blocks, -1, true), EPS));
  const l2 = (x: tf.Tensor) => tf.div(x, tf.sqrt(tf.add(tf.sum(tf.square(x), -1, true), EPS ** 2)));
  switch (norm) {
    case "l1":
      return l1();
    case "l1-sqrt":
      return tf.sqrt(l1());
    case "l2":
      return l2(blocks);
    case "l2-hys":
      return l2(tf.minimum(l2(blocks), HYS_CLIP));
  }
}
