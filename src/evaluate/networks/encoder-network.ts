/**
 * @file Published encoders as networks to look through, by their name as a target: the class token where there is one (as FD-DINOv2 does),
 * else the mean over the patches; and the CLIP encoder of CMMD, whose embedding of the image is taken.
 *
 * Images are resized by an antialiased cubic, as Pillow does it and the published tools have it, and normalized with the statistics of the
 * weights: both may differ from what the training code of REPA does to align with the same encoder.
 *
 * @source Stein et al. 2023, Exposing flaws of generative model evaluation metrics, arXiv 2306.04675 (FD-DINOv2: ViT-L/14, class token);
 *   Jayasumana et al. 2024, Rethinking FID, arXiv 2401.09603 (CMMD: CLIP ViT-L/14 at 336 px).
 */
import { inputSide } from "../../../features/encoders/input-side.js";
import { locateEncoder } from "../../../features/encoders/locate-encoder.js";
import type { PublishedEncoder } from "../../../features/encoders/published-encoder.js";
import type { FeatureNetwork, NetworkOptions } from "../feature-network.js";
import { CMMD_ENCODER } from "../network-name.js";
import { openPooledNetwork } from "./onnx-network.js";

/** Encoders see what they see of images of 256 pixels. */
const IMAGE_PX = 256;

/** @throws as {@link locateEncoder} and `openImageNetwork`; {ShapeError} an export of another width. */
export async function openEncoderNetwork(
  encoder: PublishedEncoder,
  options: NetworkOptions = {},
): Promise<FeatureNetwork> {
  const { name, title, output, dim, prefix, statistics, ownStatistics } = encoder;
  const { file, origin } = await locateEncoder(encoder, options.onDownload, "feature network");
  const spec = {
    file,
    output,
    ...(ownStatistics ?? statistics),
    sizePx: inputSide(encoder, IMAGE_PX),
    pool: prefix > 0 ? "cls" : "mean",
  } as const;
  const taken =
    encoder === CMMD_ENCODER ? "embedding of the image" : prefix > 0 ? "class token" : "mean over the patches";
  const facts = {
    name,
    cite: `${title}, ${taken}; ${origin}`,
    interpolation: "bicubic-antialias",
    resizeRule: "bicubic, half-pixel centres, antialiased",
    dim,
    gaussianMmd: encoder === CMMD_ENCODER ? "cmmd" : "gaussian_mmd",
  } as const;
  return openPooledNetwork(spec, facts, options);
}
