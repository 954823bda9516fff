/** @file What `arms/ARM/film/film.json` holds. */
import { z } from "zod";

/** Files of a step in the film's folder. */
export function filmFrame(what: "samples" | "maps", step: number): string {
  return `${what}-${String(step).padStart(7, "0")}.png`;
}

export const filmSchema = z.object({
  format: z.literal(1),
  sampler: z.object({
    sampler: z.string(),
    steps: z.int().min(1),
    guidance: z.number(),
    guidanceInterval: z.array(z.number()),
    seed: z.int(),
  }),
  weights: z.string(),
  /** N: samples a frame. */
  samples: z.int().min(1),
  maps: z.object({
    /** Places of the images in their source. */
    images: z.array(z.int().min(0)).min(1),
    /** Tokens a side. */
    grid: z.int().min(1),
    /** 1-based. */
    blocks: z.array(z.int().min(1)).min(1),
    /** Null for a control. */
    alignedBlock: z.int().min(1).nullable(),
    /** Time of the noise on the images, 0 data … 1 noise. */
    noise: z.number(),
    /** What the colours are turned to; null: they are as they come. */
    target: z.string().nullable(),
    spatialNorm: z.number().nullable(),
  }),
  /** Steps with a picture of samples and one of maps, in order. */
  frames: z.array(z.int().min(1)),
});
export type FilmRecord = z.output<typeof filmSchema>;
