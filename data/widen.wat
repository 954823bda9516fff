;; Numbers of a cache to float32, four lanes at a time. `data/widen.ts` holds this module in base64; a test compiles it again and
;; compares. Offsets are bytes in the imported memory; what is read and written beyond the end is less than 64 bytes.
(module
  (import "env" "memory" (memory 1))

  ;; Half floats (IEEE 754 binary16) from `from` to `end` become float32 from `to` on. Exact, subnormals and infinities included.
  (func (export "halves") (param $from i32) (param $to i32) (param $end i32)
    (local $half v128) (local $bits v128)
    (local $bias v128) (local $smallest v128) (local $largest v128) (local $normal v128)
    (local.set $bias (v128.const i32x4 0x38000000 0x38000000 0x38000000 0x38000000))
    (local.set $smallest (v128.const i32x4 0x38800000 0x38800000 0x38800000 0x38800000))
    (local.set $largest (v128.const i32x4 0x0f7fffff 0x0f7fffff 0x0f7fffff 0x0f7fffff))
    (local.set $normal (v128.const i32x4 0x00800000 0x00800000 0x00800000 0x00800000))
    (if (i32.ge_u (local.get $from) (local.get $end)) (then (return)))
    (loop $next
      (local.set $half (v128.load16x4_u (local.get $from)))
      ;; Exponent and mantissa where float32 has them; the exponent is 112 too small.
      (local.set $bits (i32x4.shl (v128.and (local.get $half) (v128.const i32x4 0x7fff 0x7fff 0x7fff 0x7fff)) (i32.const 13)))
      (v128.store (local.get $to)
        (v128.or
          (v128.bitselect
            ;; Subnormal, m · 2^-24: as 2^-14 · (1 + m / 1024), less 2^-14.
            (f32x4.sub (i32x4.add (local.get $bits) (local.get $smallest)) (local.get $smallest))
            ;; Others: 112 more, and again 112 more for what is infinite or not a number.
            (i32x4.add
              (i32x4.add (local.get $bits) (local.get $bias))
              (v128.and (i32x4.gt_s (local.get $bits) (local.get $largest)) (local.get $bias)))
            (i32x4.lt_s (local.get $bits) (local.get $normal)))
          (i32x4.shl (v128.and (local.get $half) (v128.const i32x4 0x8000 0x8000 0x8000 0x8000)) (i32.const 16))))
      (local.set $to (i32.add (local.get $to) (i32.const 16)))
      (br_if $next (i32.lt_u (local.tee $from (i32.add (local.get $from) (i32.const 8))) (local.get $end)))))

  ;; `count` vectors of `dim` bytes from `from` on, each with the pair (scale, offset) of float32 from `scales` on, become
  ;; byte · scale + offset, float32, from `to` on.
  (func (export "vectors") (param $from i32) (param $scales i32) (param $to i32) (param $count i32) (param $dim i32)
    (local $scale v128) (local $offset v128) (local $four v128) (local $i i32) (local $out i32)
    (if (i32.eqz (local.get $count)) (then (return)))
    (loop $vector
      (local.set $scale (v128.load32_splat (local.get $scales)))
      (local.set $offset (v128.load32_splat offset=4 (local.get $scales)))
      (local.set $i (i32.const 0))
      (local.set $out (local.get $to))
      (loop $next
        (local.set $four
          (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero (i32.add (local.get $from) (local.get $i))))))
        (v128.store (local.get $out)
          (f32x4.add (f32x4.mul (f32x4.convert_i32x4_u (local.get $four)) (local.get $scale)) (local.get $offset)))
        (local.set $out (i32.add (local.get $out) (i32.const 16)))
        (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (local.get $dim))))
      (local.set $from (i32.add (local.get $from) (local.get $dim)))
      (local.set $to (i32.add (local.get $to) (i32.shl (local.get $dim) (i32.const 2))))
      (local.set $scales (i32.add (local.get $scales) (i32.const 8)))
      (br_if $vector (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))
