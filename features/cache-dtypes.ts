/** Number formats of cached features. */
export const CACHE_DTYPES = ["F16", "F32", "U8"] as const;

/**
 * On disk. F16 keeps three digits; U8 keeps a cosine of at least 0.999 to every token, with a scale and an offset for each
 * (`quantise`). All are read as float32.
 */
export type CacheDtype = (typeof CACHE_DTYPES)[number];
