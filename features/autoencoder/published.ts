/**
 * @file Autoencoders that papers name. Their weights are published for PyTorch only: nobody keeps an ONNX export of them alone that
 * could be downloaded and checked, so each is exported once by hand, into a folder under its name.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../data/errors.js";
import { encoderFolder } from "../encoders/encoder-folder.js";
import type { AutoencoderSettings } from "./autoencoder-name.js";

/**
 * Name → repository on the Hugging Face hub, of `diffusers` weights. Both are the KL autoencoder of Stable Diffusion: `mse`, fine-tuned
 * for squared error, is what REPA and iREPA encode with; `ema` is what REPA decodes with.
 */
export const PUBLISHED: Readonly<Record<string, string>> = {
  "sd-vae-ft-mse": "stabilityai/sd-vae-ft-mse",
  "sd-vae-ft-ema": "stabilityai/sd-vae-ft-ema",
};

/** Where the files of one are: beside the exports of encoders, in a folder of its own. */
const exportFolder = (name: string): string => join(encoderFolder(), name);

/**
 * The settings of a published autoencoder; whether its files are there is {@link checkExported}'s business.
 *
 * @source Rombach et al., arXiv 2112.10752: scale 0.18215; inputs and moments as in SPEC §1.1.
 */
export function publishedAutoencoder(name: string): AutoencoderSettings {
  return {
    name,
    encoder: { file: join(exportFolder(name), "encoder.onnx"), output: "moments" },
    decoder: { file: join(exportFolder(name), "decoder.onnx"), output: "image" },
    latents: "mean+logvar",
    pixels: "-1..1",
    channels: 4,
    downsampling: 8,
    scale: [0.18215],
    bias: [0],
  };
}

/** @throws {UsageError} a published autoencoder that was not exported: says how to do that. */
export function checkExported({ name, encoder, decoder }: AutoencoderSettings): void {
  const repository = Object.hasOwn(PUBLISHED, name) ? PUBLISHED[name] : undefined;
  const missing = [encoder.file, decoder.file].find((file) => !existsSync(file));
  if (repository === undefined || missing === undefined) return;
  throw new UsageError(`autoencoder "${name}": ${missing} is not here, and there is no ONNX export to download`, {
    hint: `make one: ${exportCommand(repository, exportFolder(name))}`,
  });
}

/**
 * One line for a shell whose Python has PyTorch and diffusers. The encoder is traced up to its moments, not to the draw from them;
 * both for any number of images of any size.
 */
export function exportCommand(repository: string, folder: string): string {
  const trace = (input: string, output: string, shape: string, file: string) =>
    `torch.onnx.export(v, torch.zeros(${shape}), "${folder}/${file}", input_names=["${input}"], output_names=["${output}"], ` +
    `dynamic_axes={"${input}": a, "${output}": a}, dynamo=False)`;
  const script = [
    "import torch, diffusers",
    `v = diffusers.AutoencoderKL.from_pretrained("${repository}").eval()`,
    'a = {0: "n", 2: "h", 3: "w"}',
    "v.forward = lambda x: v.quant_conv(v.encoder(x))",
    trace("image", "moments", "1, 3, 256, 256", "encoder.onnx"),
    "v.forward = lambda z: v.decoder(v.post_quant_conv(z))",
    trace("latent", "image", "1, 4, 32, 32", "decoder.onnx"),
  ];
  return `mkdir -p ${folder} && python -c '${script.join("; ")}'`;
}
