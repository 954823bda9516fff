import { widenHalfBytes } from "./widen.js";

const float32 = new Float32Array(1);
const float32Bits = new Uint32Array(float32.buffer);

/** Half floats (IEEE 754 binary16, as bits) to float32. Exact; what is not a number stays one. Returns a new array. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const result = new Float32Array(bits.length);
  widenHalfBytes(new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength), result);
  return result;
}

/**
 * Float32 to half floats (IEEE 754 binary16, as bits), to nearest, ties to even: beyond ±65520 becomes infinity, below 2^-25
 * zero; NaN stays NaN. About ten times as fast as the library, whose array goes through float64; a test holds it to the library.
 *
 * @param out  Where to write, at least as long as `values`. @default a new array
 */
export function float32ToFloat16(values: Float32Array, out: Uint16Array = new Uint16Array(values.length)): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < source.length; i++) {
    const bits = source[i]!;
    const sign = (bits >>> 16) & 0x8000;
    const magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000) {
      // 2^16 and more, infinity, NaN
      out[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
    } else if (magnitude < 0x38800000) {
      // Below 2^-14, subnormal as a half: adding 0.5 makes float32 round to multiples of 2^-24, the unit of subnormal halves.
      float32Bits[0] = magnitude;
      float32[0] = float32[0]! + 0.5;
      out[i] = sign | (float32Bits[0]! - 0x3f000000);
    } else {
      // Rebias the exponent (127 -> 15) and round the 13 bits that fall away; a carry runs into the exponent as it should.
      const odd = (magnitude >>> 13) & 1;
      out[i] = sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
    }
  }
  return out;
}

/** Brain floats (the upper 16 bits of a float32) to float32. Exact. Returns a new array. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const result = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) result[i] = bits[i]! << 16;
  return new Float32Array(result.buffer);
}
