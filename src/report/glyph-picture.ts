import sharp from "sharp";
import { ShapeError } from "../../data/errors.js";
import type { OrientationHistograms } from "../../features/descriptor.js";
import { TOKEN_PX } from "./token-picture.js";

/** Pixels of the picture for each pixel of the image: strokes need room. */
const SCALE = 4;
/** Strokes below this share of the longest cannot be seen. */
const LEAST_SHARE = 0.04;

/**
 * Tokens of orientation histograms as glyphs over their image: in every cell of every token one stroke a bin, as long and as bright
 * as the bin's share of the largest value. Strokes of signed orientations start at the cell's centre and point where it gets
 * brighter, as in Lowe's figures; those of unsigned ones go through it along the edge, as in Dalal and Triggs'.
 *
 * The cells of a token are drawn within the token's own square, also where the descriptor looks beyond it.
 *
 * @param tokens [G²,D] float32. Read only.
 * @param image  [16·G,16·G,3] RGB, uint8. Read only.
 * @returns      a PNG of 64·G × 64·G pixels.
 * @throws {ShapeError} tokens that are not of that layout.
 */
export async function glyphPicture(
  tokens: Float32Array,
  image: Uint8Array,
  grid: number,
  layout: OrientationHistograms,
): Promise<Uint8Array> {
  const { cells, orientations } = layout;
  const dim = cells ** 2 * orientations;
  if (tokens.length !== grid ** 2 * dim) {
    throw new ShapeError(`glyphs: want ${grid ** 2}×${dim} values, got ${tokens.length}`);
  }
  const largest = tokens.reduce((most, value) => Math.max(most, value), 0);
  const cellPx = (TOKEN_PX * SCALE) / cells;
  const strokes: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const share = largest > 0 ? tokens[i]! / largest : 0;
    if (share < LEAST_SHARE) continue;
    const [token, cell, bin] = [Math.floor(i / dim), Math.floor((i % dim) / orientations), i % orientations];
    const x = (token % grid) * TOKEN_PX * SCALE + ((cell % cells) + 0.5) * cellPx;
    const y = Math.floor(token / grid) * TOKEN_PX * SCALE + (Math.floor(cell / cells) + 0.5) * cellPx;
    strokes.push(stroke([x, y], share * 0.5 * cellPx, bin, layout, share));
  }
  const sizePx = grid * TOKEN_PX;
  const side = sizePx * SCALE;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}" stroke="#ffffff" stroke-width="1.2" stroke-linecap="round">${strokes.join("")}</svg>`;
  const raw = { width: sizePx, height: sizePx, channels: 3 as const };
  const ground = await sharp(image, { raw }).resize(side, side, { kernel: "cubic" }).linear(0.4, 0).png().toBuffer();
  return sharp(ground)
    .composite([{ input: Buffer.from(svg) }])
    .png()
    .toBuffer();
}

function stroke(
  [x, y]: readonly [number, number],
  length: number,
  bin: number,
  { orientations, isSigned, firstDeg, isClockwise }: OrientationHistograms,
  share: number,
): string {
  const turn = isSigned ? 360 : 180;
  const angle = ((firstDeg + (bin * turn) / orientations) * Math.PI) / 180;
  // Pictures count y downwards, so clockwise angles are as they are.
  const gradient = [Math.cos(angle), (isClockwise ? 1 : -1) * Math.sin(angle)] as const;
  const [dx, dy] = isSigned ? gradient : [-gradient[1], gradient[0]];
  const from = isSigned ? [x, y] : [x - dx * length, y - dy * length];
  const points = [...from, x + dx * length, y + dy * length].map((value) => value.toFixed(1));
  const [x1, y1, x2, y2] = points;
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" opacity="${Math.min(1, 0.25 + share).toFixed(2)}"/>`;
}
