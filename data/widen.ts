/**
 * @file What caches hold to float32, four lanes at a time: half floats, and bytes with a scale and an offset a vector. The loops are
 * WebAssembly, written in `widen.wat`, and work in a memory of their own. So that nothing is copied on the way, bytes are read from
 * disk right into a slot of that memory, and come out as floats from there; a slot stays in the processor's caches.
 */

/** `widen.wat`, compiled; a test compiles it again. */
export const MODULE =
  "AGFzbQEAAAABDwJgA39/fwBgBX9/f39/AAIPAQNlbnYGbWVtb3J5AgABAwMCAAEHFAIGaGFsdmVzAAAHdmVjdG9ycwABCu0CAuMBAQZ7/QwAAAA4AAAAOAAAADgAAAA4IQX9DAAAgDgAAIA4AACAOAAAgDghBv0M//9/D///fw///38P//9/DyEH/QwAAIAAAACAAAAAgAAAAIAAIQggACACTwRADwsDQCAA/QQDACEDIAP9DP9/AAD/fwAA/38AAP9/AAD9TkEN/asBIQQgASAEIAb9rgEgBv3lASAEIAX9rgEgBCAH/TsgBf1O/a4BIAQgCP05/VIgA/0MAIAAAACAAAAAgAAAAIAAAP1OQRD9qwH9UP0LBAAgAUEQaiEBIABBCGoiACACSQ0ACwuFAQIDewJ/IANFBEAPCwNAIAH9CQIAIQUgAf0JAgQhBkEAIQggAiEJA0AgACAIav1cAgD9iQH9qQEhByAJIAf9+wEgBf3mASAG/eQB/QsEACAJQRBqIQkgCEEEaiIIIARJDQALIAAgBGohACACIARBAnRqIQIgAUEIaiEBIANBAWsiAw0ACws=";

/** Bytes that a slot takes: half floats, or vectors of bytes. */
export const SLOT_BYTES = 2 ** 16;
/** Vectors that a slot takes at most: as many as it has room for scales. */
export const SLOT_VECTORS = SLOT_BYTES / 8;
const SLOTS = 16;
const PAGE_BYTES = 2 ** 16;
/** The loops go a little beyond the end. */
const MARGIN_BYTES = 64;
const STRIDE_BYTES = 2 * (SLOT_BYTES + MARGIN_BYTES);
/** One slot more than can be borrowed: for what is converted without waiting. */
const RESULTS_AT = (SLOTS + 1) * STRIDE_BYTES;
const MEMORY_BYTES = RESULTS_AT + 4 * SLOT_BYTES + MARGIN_BYTES;

/** Room for a piece of stored numbers. */
export interface Slot {
  /** Half floats, or vectors of bytes. */
  readonly bytes: Uint8Array;
  /** Pairs of float32 as bytes: scale and offset of each vector. */
  readonly scales: Uint8Array;
}

interface Loops {
  halves(from: number, to: number, end: number): void;
  vectors(from: number, scales: number, to: number, count: number, dim: number): void;
}

interface Scratch {
  readonly loops: Loops;
  readonly results: Float32Array;
  readonly free: Slot[];
  readonly own: Slot;
}

let scratch: Scratch | undefined;
const waiting: ((slot: Slot) => void)[] = [];

function openScratch(): Scratch {
  if (scratch !== undefined) return scratch;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(MEMORY_BYTES / PAGE_BYTES) });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(MODULE, "base64")), { env: { memory } });
  const { buffer } = memory;
  const [own, ...free] = Array.from({ length: SLOTS + 1 }, (_, i) => ({
    bytes: new Uint8Array(buffer, i * STRIDE_BYTES, SLOT_BYTES),
    scales: new Uint8Array(buffer, i * STRIDE_BYTES + STRIDE_BYTES / 2, SLOT_BYTES),
  }));
  const loops = instance.exports as unknown as Loops;
  scratch = { loops, results: new Float32Array(buffer, RESULTS_AT, SLOT_BYTES), free, own: own! };
  return scratch;
}

/** Waits for a slot that nobody uses and lends it. */
export async function withSlot<Result>(use: (slot: Slot) => Promise<Result>): Promise<Result> {
  const { free } = openScratch();
  const slot = free.pop() ?? (await new Promise<Slot>((resolve) => waiting.push(resolve)));
  try {
    return await use(slot);
  } finally {
    const next = waiting.shift();
    if (next === undefined) free.push(slot);
    else next(slot);
  }
}

/**
 * The half floats (IEEE 754 binary16, little-endian) at the beginning of a slot to float32. Exact; what is not a number stays one.
 *
 * @param out as many elements as there are half floats, at most `SLOT_BYTES` / 2.
 */
export function widenHalves({ bytes }: Slot, out: Float32Array): void {
  const { loops, results } = openScratch();
  loops.halves(bytes.byteOffset, RESULTS_AT, bytes.byteOffset + out.length * 2);
  out.set(results.subarray(0, out.length));
}

/**
 * The vectors [count, dim] at the beginning of a slot to float32: byte · scale + offset, in single precision.
 *
 * @param out count · dim elements, at most `SLOT_BYTES` and of `SLOT_VECTORS` vectors.
 */
export function widenVectors({ bytes, scales }: Slot, dim: number, out: Float32Array): void {
  const { loops, results } = openScratch();
  loops.vectors(bytes.byteOffset, scales.byteOffset, RESULTS_AT, out.length / dim, dim);
  out.set(results.subarray(0, out.length));
}

/**
 * Half floats from anywhere, as `widenHalves`.
 *
 * @param bytes two for each element of `out`.
 */
export function widenHalfBytes(bytes: Uint8Array, out: Float32Array): void {
  const { own } = openScratch();
  for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
    const piece = bytes.subarray(at, at + SLOT_BYTES);
    own.bytes.set(piece);
    widenHalves(own, out.subarray(at / 2, (at + piece.length) / 2));
  }
}
