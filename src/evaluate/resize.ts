import { type Interpolation, resizeImages } from "../../features/resize-images.js";

/** What networks without a resizing of their own look through. */
export const RESIZE_INTERPOLATION: Interpolation = "bilinear-antialias";

/** Its name, for records. */
export const RESIZE_RULE = "bilinear, half-pixel centres, antialiased";

/** Images of [count,size,size,3] uint8 → [count,target,target,3] float32 in 0…255, by {@link RESIZE_RULE}: see {@link resizeImages}. */
export const resizeBilinear = (images: Uint8Array, count: number, size: number, target: number): Float32Array =>
  resizeImages(images, { count, sizePx: size, targetPx: target, interpolation: RESIZE_INTERPOLATION });
