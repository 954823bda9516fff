/**
 * @file Random numbers from a counter-based generator, Philox4x32-10: every number is a pure function of (seed, stream, step,
 * position). The same on every machine, and after a resume, whatever was drawn elsewhere.
 *
 * @source Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
import { createHash } from "node:crypto";

export interface RandomStream {
  /** n numbers in [0, 1), multiples of 2⁻²⁴. */
  uniform(n: number): Float32Array;
  /** n standard normal numbers (Box–Muller in float64, rounded to float32). */
  normal(n: number): Float32Array;
  /** n whole numbers in 0 … bound−1, without bias. @throws {RangeError} a bound outside 1 … 2³¹. */
  integers(n: number, bound: number): Int32Array;
  /** 0 … n−1 in random order (Fisher–Yates). */
  permutation(n: number): Uint32Array;
}

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function highProduct(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16);
  const middle2 = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(middle2 / 0x10000)) >>> 0;
}

/**
 * One block of Philox4x32-10: four 32-bit words from a counter of four words and a key of two.
 *
 * @param out gets the four words.
 */
export function philox(counter: Uint32Array, key: readonly [number, number], out: Uint32Array): void {
  let [c0, c1, c2, c3] = counter as unknown as [number, number, number, number];
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = highProduct(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = highProduct(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/**
 * The stream of numbers named by (seed, stream, step). Successive calls go on where the last one stopped.
 *
 * @param seed a whole number, 0 … 2⁵³−1.
 * @param stream what the numbers are for, such as "train/noise"; different names are independent.
 * @param step a whole number, 0 … 2³²−1: training step, image, …
 * @throws {RangeError} a seed or step outside its range.
 */
export function randomStream(seed: number, stream: string, step: number): RandomStream {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed must be a whole number from 0, got ${seed}`);
  if (!Number.isInteger(step) || step < 0 || step > 0xffffffff) {
    throw new RangeError(`step must be a whole number from 0 to 2^32-1, got ${step}`);
  }
  // Seed and name make the key; the step is one half of the counter, the position the other.
  const digest = createHash("sha256").update(`${seed}\0${stream}`).digest();
  const key: [number, number] = [digest.readUInt32LE(0), digest.readUInt32LE(4)];
  const counter = Uint32Array.of(0, 0, step, digest.readUInt32LE(8));
  const block = new Uint32Array(4);
  let used = 4;

  const word = (): number => {
    if (used === 4) {
      philox(counter, key, block);
      counter[0]!++;
      if (counter[0] === 0) counter[1]!++;
      used = 0;
    }
    return block[used++]!;
  };
  const integer = (bound: number): number => {
    // Words of the last, incomplete round of the bound would favour small numbers.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const value = word();
      if (value < limit) return value % bound;
    }
  };

  return {
    uniform(n) {
      const values = new Float32Array(n);
      for (let i = 0; i < n; i++) values[i] = (word() >>> 8) / 2 ** 24;
      return values;
    },
    normal(n) {
      const values = new Float32Array(n);
      for (let i = 0; i < n; i += 2) {
        // 1 − u lies in (0, 1], so its logarithm is finite.
        const radius = Math.sqrt(-2 * Math.log((word() + 1) / 2 ** 32));
        const angle = 2 * Math.PI * (word() / 2 ** 32);
        values[i] = radius * Math.cos(angle);
        if (i + 1 < n) values[i + 1] = radius * Math.sin(angle);
      }
      return values;
    },
    integers(n, bound) {
      if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 31) {
        throw new RangeError(`bound must be a whole number from 1 to 2^31, got ${bound}`);
      }
      return Int32Array.from({ length: n }, () => integer(bound));
    },
    permutation(n) {
      const order = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
  };
}
