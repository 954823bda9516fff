/**
 * @file The published encoders: sizes, preprocessing and tokens exactly as the training code of iREPA has them, oddities included.
 *
 * Two rules are everyone's. Images are resized without anti-aliasing, but for DINOv3; a cubic has a = −3/4 and is not clamped. And an image
 * of R pixels becomes an input of 16·q patches a side, q = ⌊R/256⌋ and at least 1, which the published code leaves undefined.
 *
 * @source iREPA, ldm/vision_encoder.py @ 99ad4ac (arXiv 2512.10794); widths are those of the model cards. Exports that exist, their commits
 *   and hashes: as recorded by public projects by November 2026.
 */
import type { HubExport, PublishedEncoder, Statistics } from "./published-encoder.js";

const IMAGENET: Statistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
export const CLIP: Statistics = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};
const HALF: Statistics = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
/** The network normalizes by itself. */
const NONE: Statistics = { mean: [0, 0, 0], std: [1, 1, 1] };
/** The weights of the SSD detector: pixels from 0 to 255 less their mean. */
const CAFFE: Statistics = { mean: [0.48235, 0.45882, 0.40784], std: [1 / 255, 1 / 255, 1 / 255] };

/** What the encoders of one type share. */
type Common = Omit<PublishedEncoder, "name" | "title" | "dim">;

const tokens = { output: "last_hidden_state" } as const;
const bicubic = { interpolation: "bicubic", statistics: IMAGENET, ...tokens } as const;

const DINO: Common = { ...bicubic, patchPx: 16, prefix: 1, python: "timm" };
const DINOV2: Common = { ...bicubic, patchPx: 14, prefix: 1, python: "timm" };
const DINOV2_REG: Common = { ...DINOV2, prefix: 5 };
const DINOV3: Common = {
  ...bicubic,
  patchPx: 16,
  prefix: 5,
  interpolation: "bilinear-antialias",
  python: "transformers",
};
const SIGLIP: Common = {
  ...bicubic,
  patchPx: 16,
  prefix: 0,
  ownStatistics: HALF,
  python: "transformers",
};
const WEBSSL: Common = { ...bicubic, patchPx: 14, prefix: 1, python: "transformers" };
const MOCOV3: Common = { ...bicubic, patchPx: 16, prefix: 1, python: "timm" };
const PE: Common = {
  interpolation: "bilinear",
  statistics: HALF,
  ...tokens,
  patchPx: 14,
  prefix: 1,
  remark: "without the final norm",
  python: "github.com/facebookresearch/perception_models",
};
const TAIL_PE: Common = { ...PE, remark: "has no final norm" };
const CRADIO: Common = {
  interpolation: "bilinear",
  statistics: NONE,
  ...tokens,
  patchPx: 16,
  prefix: 0,
  remark: "normalizes by itself",
  python: "timm and einops",
};
const SAM: Common = {
  ...bicubic,
  patchPx: 16,
  fixedPx: 1024,
  output: "image_embeddings",
  prefix: 0,
  remark: "the neck's 64×64 map",
  python: "transformers",
};
const SAM2: Common = {
  ...bicubic,
  patchPx: 32,
  prefix: 0,
  remark: "images at twice their size, the last stage",
  python: "transformers",
};

const onHub = (repo: string, path: string, pinned?: HubExport["pinned"]): { hub: HubExport } => ({
  hub: { repo, path, ...(pinned === undefined ? {} : { pinned }) },
});
const dinov2Hub = (size: string, pinned?: HubExport["pinned"]) =>
  onHub(`onnx-community/dinov2-${size}`, "onnx/model.onnx", pinned);
const dinov3Hub = (size: string) => onHub(`onnx-community/dinov3-${size}-pretrain-lvd1689m-ONNX`, "onnx/model.onnx");
const siglipHub = (size: string) => onHub(`Xenova/siglip-${size}-patch16-256`, "onnx/vision_model.onnx");
const siglip2Hub = (size: string, pinned?: HubExport["pinned"]) =>
  onHub(`onnx-community/siglip2-${size}-patch16-256-ONNX`, "onnx/vision_model.onnx", pinned);

const row = (
  common: Common,
  name: string,
  title: string,
  dim: number,
  own: Partial<PublishedEncoder> = {},
): PublishedEncoder => ({ ...common, name, title, dim, ...own });

export const ENCODERS: readonly PublishedEncoder[] = [
  row(DINO, "dino-vit-s", "DINO ViT-S/16", 384),
  row(DINO, "dino-vit-b", "DINO ViT-B/16", 768),

  row(DINOV2, "dinov2-vit-s", "DINOv2 ViT-S/14", 384, {
    ...dinov2Hub("small", {
      revision: "8b1f705a3a7f6f062f6bdd21986c1583d3ef105d",
      sha256: "f22797eabf810a75e41de68d378541ebea372122b25c4ce3ef25ff618250c20a",
    }),
  }),
  row(DINOV2, "dinov2-vit-b", "DINOv2 ViT-B/14", 768, {
    ...dinov2Hub("base", {
      revision: "31ef06cac16d5d301c5930d147002a058c85a5e4",
      sha256: "320d1012a6fc65b101fc85ca30ee7a47b2e4f6a2e8bd78fb9d7036def0e30cb0",
    }),
  }),
  row(DINOV2, "dinov2-vit-l", "DINOv2 ViT-L/14", 1024, dinov2Hub("large")),
  row(DINOV2, "dinov2-vit-g", "DINOv2 ViT-g/14", 1536),
  row(DINOV2_REG, "dinov2reg-vit-s", "DINOv2 ViT-S/14, 4 registers", 384, {
    ...dinov2Hub("with-registers-small", {
      revision: "ec7abea1a8757ec4f9f7b26399d31234ffaa6e6a",
      sha256: "815e440d222e60294bb5b165491c4760e7f08dc7ecd2488a5450e93d50887efe",
    }),
  }),
  row(DINOV2_REG, "dinov2reg-vit-b", "DINOv2 ViT-B/14, 4 registers", 768, dinov2Hub("with-registers-base")),
  row(DINOV2_REG, "dinov2reg-vit-l", "DINOv2 ViT-L/14, 4 registers", 1024),
  row(DINOV2_REG, "dinov2reg-vit-g", "DINOv2 ViT-g/14, 4 registers", 1536),

  row(DINOV3, "dinov3-vit-s16", "DINOv3 ViT-S/16", 384, dinov3Hub("vits16")),
  row(DINOV3, "dinov3-vit-s16plus", "DINOv3 ViT-S+/16", 384),
  row(DINOV3, "dinov3-vit-b16", "DINOv3 ViT-B/16", 768, dinov3Hub("vitb16")),
  row(DINOV3, "dinov3-vit-l16", "DINOv3 ViT-L/16", 1024, dinov3Hub("vitl16")),
  row(DINOV3, "dinov3-vit-h16plus", "DINOv3 ViT-H+/16", 1280),
  row(DINOV3, "dinov3-vit-7b16", "DINOv3 ViT-7B/16", 4096),

  row(SIGLIP, "siglip-vit-b", "SigLIP ViT-B/16", 768, siglipHub("base")),
  row(SIGLIP, "siglip-vit-l", "SigLIP ViT-L/16", 1024, siglipHub("large")),
  row(SIGLIP, "siglip-vit-so400m", "SigLIP So400m/14", 1152, { patchPx: 14 }),
  row(SIGLIP, "siglip2-vit-b", "SigLIP 2 ViT-B/16", 768, {
    ...siglip2Hub("base", {
      revision: "d1114256522a37ffa257a0a58017348ab0058db2",
      sha256: "f5cb16728a704703f05516ded628397e11dbca4de2eb5db04b0c0bcee988aa7a",
    }),
  }),
  row(SIGLIP, "siglip2-vit-l", "SigLIP 2 ViT-L/16", 1024, siglip2Hub("large")),
  row(SIGLIP, "siglip2-vit-so400m", "SigLIP 2 So400m/16", 1152, siglip2Hub("so400m")),
  row(SIGLIP, "siglip2-vit-g", "SigLIP 2 giant-opt/16", 1536, siglip2Hub("giant-opt")),

  row(DINO, "clip-vit-L", "OpenAI CLIP ViT-L/14", 1024, {
    patchPx: 14,
    statistics: CLIP,
    remark: "before the final norm and projection",
    python: "transformers",
  }),
  row(MOCOV3, "mocov3-vit-s", "MoCo v3 ViT-S/16", 384),
  row(MOCOV3, "mocov3-vit-b", "MoCo v3 ViT-B/16", 768),
  row(MOCOV3, "mocov3-vit-l", "MoCo v3 ViT-L/16", 1024),
  row(DINO, "mae-vit-l", "MAE ViT-L/16", 1024, { remark: "without the final norm" }),
  row(DINOV2, "jepa-vit-h", "I-JEPA ViT-H/14", 1280, {
    prefix: 0,
    python: "transformers",
    ...onHub("onnx-community/ijepa_vith14_1k", "onnx/model.onnx"),
  }),

  row(WEBSSL, "webssl-vit-dino300m_full2b_224", "WebSSL-DINO 300M", 1024),
  row(WEBSSL, "webssl-vit-dino1b_full2b_224", "WebSSL-DINO 1B", 1536),
  row(WEBSSL, "webssl-vit-dino2b_full2b_224", "WebSSL-DINO 2B", 2688),
  row(WEBSSL, "webssl-vit-dino3b_full2b_224", "WebSSL-DINO 3B", 3072),
  row(WEBSSL, "webssl-vit-dino5b_full2b_224", "WebSSL-DINO 5B", 3584),
  row(WEBSSL, "webssl-vit-dino7b_full8b_224", "WebSSL-DINO 7B", 4096),

  row(PE, "pe-vit-t", "PE-Core-T16-384", 192, { patchPx: 16 }),
  row(PE, "pe-vit-s", "PE-Core-S16-384", 384, { patchPx: 16 }),
  row(PE, "pe-vit-b", "PE-Core-B16-224", 768, { patchPx: 16 }),
  row(PE, "pe-vit-l", "PE-Core-L14-336", 1024),
  row(PE, "pe-vit-g", "PE-Core-G14-448", 1536, { prefix: 0 }),
  row(TAIL_PE, "langpe-vit-l", "PE-Lang-L14-448", 1024),
  row(TAIL_PE, "langpe-vit-g", "PE-Lang-G14-448", 1536, { prefix: 0 }),
  row(TAIL_PE, "spatialpe-vit-b", "PE-Spatial-B16-512", 768, { patchPx: 16 }),
  row(TAIL_PE, "spatialpe-vit-l", "PE-Spatial-L14-448", 1024),
  row(TAIL_PE, "spatialpe-vit-g", "PE-Spatial-G14-448", 1536, { prefix: 0 }),

  row(CRADIO, "cradio-vit-b", "C-RADIOv3-B", 768),
  row(CRADIO, "cradio-vit-l", "C-RADIOv3-L", 1024),
  row(CRADIO, "cradio-vit-h", "C-RADIOv3-H", 1280),
  row(CRADIO, "cradio-vit-g", "C-RADIOv3-g", 1536),

  row(SAM, "sam-vit-b", "SAM ViT-B", 256, onHub("Xenova/sam-vit-base", "onnx/vision_encoder.onnx")),
  row(SAM, "sam-vit-l", "SAM ViT-L", 256, onHub("Xenova/sam-vit-large", "onnx/vision_encoder.onnx")),
  row(SAM, "sam-vit-h", "SAM ViT-H", 256),
  row(SAM2, "sam2-vit-s", "SAM 2 Hiera-S", 768),
  row(SAM2, "sam2-vit-b", "SAM 2 Hiera-B+", 896),
  row(SAM2, "sam2-vit-l", "SAM 2 Hiera-L", 1152),

  {
    name: "vgg",
    title: "VGG-16 pool4, features of SSD",
    dim: 512,
    patchPx: 16,
    interpolation: "bilinear",
    statistics: IMAGENET,
    ownStatistics: CAFFE,
    output: "pool4",
    prefix: 0,
    python: "torchvision",
  },
];
