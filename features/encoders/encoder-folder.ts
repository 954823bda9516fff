import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PublishedEncoder } from "./published-encoder.js";

/** Where exports of one's own are, and the lock file: `DESCRY_ENCODERS`, or `.descry/encoders` in the working folder. */
export function encoderFolder(): string {
  const given = process.env["DESCRY_ENCODERS"]?.trim();
  return given ? given : join(".descry", "encoders");
}

/** Where an encoder's own export is looked for, before the hub. */
export const ownExport = ({ name }: PublishedEncoder): string => join(encoderFolder(), `${name}.onnx`);

const SCRIPT = "features/encoders/export_encoder.py";

/** The script that makes exports; it is beside the sources, not among what is built. */
function exportScript(): string {
  const places = [`../../${SCRIPT}`, `../../../${SCRIPT}`].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((place) => existsSync(place)) ?? SCRIPT;
}

/** The command that makes an export, with what it needs. */
export function exportCommand(encoder: PublishedEncoder, tokensPerSide = 16): string {
  const size = tokensPerSide === 16 ? "" : ` --tokens ${tokensPerSide}`;
  return `python ${exportScript()} ${encoder.name}${size} --out ${ownExport(encoder)} (needs torch, onnxscript, ${encoder.python})`;
}
