#!/usr/bin/env python3
"""Export a published image encoder to ONNX with the tokens that descry aligns to.

    python export_encoder.py dinov2-vit-b --out .descry/encoders/dinov2-vit-b.onnx

Input `pixel_values` [n,3,S,S] float32, normalized already; S = patch x tokens. Output: tokens [n,T,D], class token and registers first
where the model has them, or a map [n,D,H,W]. Final norms, the resampling of position embeddings (bicubic, anti-aliased, once, to the wanted
number of tokens; bilinear and not for PE) and the layer follow ldm/vision_encoder.py of iREPA @ 99ad4ac. Weights come from where the
libraries take them; MoCo v3 has to be downloaded by hand (--weights, a checkpoint of facebookresearch/moco-v3).
"""
import argparse
import os

import torch
from torch import nn


class Tokens(nn.Module):
    """A model and the function that takes the wanted tensor out of it."""

    def __init__(self, model, take):
        super().__init__()
        self.model, self.take = model, take

    def forward(self, pixel_values):
        return self.take(self.model, pixel_values)


def features(model, x):
    return model.forward_features(x)


def last_hidden_state(model, x):
    return model(pixel_values=x).last_hidden_state


def timm_model(name, size, **options):
    import timm

    # With another img_size, timm resamples the position embedding as it loads the weights.
    return timm.create_model(name, pretrained=True, img_size=size, num_classes=0, **options)


def dino(config, size, _):
    name = {"s": "small", "b": "base"}[config]
    return Tokens(timm_model(f"vit_{name}_patch16_224.dino", size), features)


def dinov2(config, size, _, registers=""):
    name = {"s": "small", "b": "base", "l": "large", "g": "giant"}[config]
    return Tokens(timm_model(f"vit_{name}_patch14_{registers}dinov2.lvd142m", size), features)


def dinov2reg(config, size, weights):
    return dinov2(config, size, weights, "reg4_")


def mae(config, size, _):
    model = timm_model("vit_large_patch16_224.mae", size)
    model.norm = nn.Identity()
    return Tokens(model, features)


def mocov3(config, size, weights):
    import timm
    from timm.models.vision_transformer import checkpoint_filter_fn

    if weights is None:
        raise SystemExit(f"mocov3: --weights wants vit-{config}-300ep.pth.tar of github.com/facebookresearch/moco-v3")
    name = {"s": "small", "b": "base", "l": "large"}[config]
    # Its small model has twelve heads, where timm's has six.
    heads = {"num_heads": 12} if config == "s" else {}
    model = timm.create_model(f"vit_{name}_patch16_224", img_size=size, num_classes=0, **heads)
    torch.serialization.add_safe_globals([argparse.Namespace])
    state = torch.load(weights, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    state = {key.removeprefix("module."): value for key, value in state.items()}
    if any(key.startswith("base_encoder.") for key in state):
        state = {key.removeprefix("base_encoder."): value for key, value in state.items() if key.startswith("base_encoder.")}
    state = {key: value for key, value in state.items() if not key.startswith("head")}
    model.load_state_dict(checkpoint_filter_fn(state, model), strict=True)
    return Tokens(model, features)


def dinov3(config, size, _):
    from transformers import DINOv3ViTModel

    return Tokens(DINOv3ViTModel.from_pretrained(f"facebook/dinov3-vit{config}-pretrain-lvd1689m"), last_hidden_state)


def siglip(config, size, _):
    from transformers import SiglipVisionModel

    name = {"b": "base-patch16-256", "l": "large-patch16-256", "so400m": "so400m-patch14-224"}[config]
    return Tokens(SiglipVisionModel.from_pretrained(f"google/siglip-{name}"), last_hidden_state)


def siglip2(config, size, _):
    from transformers import SiglipVisionModel

    name = {"b": "base", "l": "large", "so400m": "so400m", "g": "giant-opt"}[config]
    return Tokens(SiglipVisionModel.from_pretrained(f"google/siglip2-{name}-patch16-256"), last_hidden_state)


def interpolated(model, x):
    return model(pixel_values=x, interpolate_pos_encoding=True).last_hidden_state


def clip(config, size, _):
    from transformers import CLIPVisionModel, CLIPVisionModelWithProjection

    if config == EMBEDDING:
        model = CLIPVisionModelWithProjection.from_pretrained("openai/clip-vit-large-patch14-336")
        return Tokens(model, lambda model, x: model(pixel_values=x).image_embeds)

    # Hugging Face's last_hidden_state is the transformer's output; only the pooled one goes through the final norm.
    return Tokens(CLIPVisionModel.from_pretrained("openai/clip-vit-large-patch14"), last_hidden_state if size == 224 else interpolated)


def jepa(config, size, _):
    from transformers import IJepaModel

    return Tokens(IJepaModel.from_pretrained("facebook/ijepa_vith14_1k"), last_hidden_state if size == 224 else interpolated)


def webssl(config, size, _):
    from transformers import Dinov2Model

    return Tokens(Dinov2Model.from_pretrained(f"facebook/webssl-{config.replace('_', '-')}"), last_hidden_state)


def perception(name):
    from core.vision_encoder.pe import VisionTransformer  # github.com/facebookresearch/perception_models

    model = VisionTransformer.from_config(name, pretrained=True)
    return Tokens(model, lambda model, x: model.forward_features(x, norm=False))


def pe(config, size, _):
    name = {"t": "T16-384", "s": "S16-384", "b": "B16-224", "l": "L14-336", "g": "G14-448"}[config]
    return perception(f"PE-Core-{name}")


def langpe(config, size, _):
    return perception({"l": "PE-Lang-L14-448", "g": "PE-Lang-G14-448"}[config])


def spatialpe(config, size, _):
    return perception({"b": "PE-Spatial-B16-512", "l": "PE-Spatial-L14-448", "g": "PE-Spatial-G14-448"}[config])


def cradio(config, size, _):
    model = torch.hub.load("NVlabs/RADIO", "radio_model", version=f"c-radio_v3-{config}", trust_repo=True)
    return Tokens(model, lambda model, x: model(x)[1])  # summary, spatial features [n,T,D]


def sam(config, size, _):
    from transformers import SamModel

    name = {"b": "base", "l": "large", "h": "huge"}[config]
    return Tokens(SamModel.from_pretrained(f"facebook/sam-vit-{name}").vision_encoder, last_hidden_state)


def sam2(config, size, _):
    from transformers import Sam2Model

    name = {"s": "small", "b": "base-plus", "l": "large"}[config]
    backbone = Sam2Model.from_pretrained(f"facebook/sam2-hiera-{name}").vision_encoder.backbone
    return Tokens(backbone, lambda model, x: model(x).last_hidden_state.flatten(1, 2))  # [n,h,w,D] of the last stage


def vgg(config, size, _):
    from torchvision.models import VGG16_Weights, vgg16

    return Tokens(vgg16(weights=VGG16_Weights.IMAGENET1K_FEATURES).features[:24], lambda model, x: model(x))


# CLIP at 336 pixels: not for alignment; the embedding of the image [n,768], for CMMD.
EMBEDDING = "l-336"

# Patch and name of the output, as in encoder-table.ts.
TYPES = {
    "dino": (dino, 16, "last_hidden_state"),
    "dinov2": (dinov2, 14, "last_hidden_state"),
    "dinov2reg": (dinov2reg, 14, "last_hidden_state"),
    "dinov3": (dinov3, 16, "last_hidden_state"),
    "siglip": (siglip, 16, "last_hidden_state"),
    "siglip2": (siglip2, 16, "last_hidden_state"),
    "clip": (clip, 14, "last_hidden_state"),
    "mocov3": (mocov3, 16, "last_hidden_state"),
    "mae": (mae, 16, "last_hidden_state"),
    "jepa": (jepa, 14, "last_hidden_state"),
    "webssl": (webssl, 14, "last_hidden_state"),
    "pe": (pe, None, "last_hidden_state"),
    "langpe": (langpe, None, "last_hidden_state"),
    "spatialpe": (spatialpe, None, "last_hidden_state"),
    "cradio": (cradio, 16, "last_hidden_state"),
    "sam": (sam, 16, "image_embeddings"),
    "sam2": (sam2, 32, "last_hidden_state"),
    "vgg": (vgg, 16, "pool4"),
}


def patch_of(kind, config, patch):
    if (kind, config) == ("siglip", "so400m"):
        return 14
    if patch is None:
        return 16 if config in ("t", "s", "b") else 14
    return patch


def export(name, tokens, out, weights=None):
    kind, _, config = name.partition("-vit-")
    if kind not in TYPES:
        raise SystemExit(f"{name}: unknown; there are {', '.join(TYPES)}, such as dinov2-vit-b")
    make, patch, output = TYPES[kind]
    size = 1024 if kind == "sam" else patch_of(kind, config, patch) * tokens
    if config == EMBEDDING:
        size, output = 336, "image_embeds"
    model = make(config, size, weights).eval().float()
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    large = sum(p.numel() * p.element_size() for p in model.parameters()) > 1.9e9
    with torch.no_grad():
        torch.onnx.export(
            model,
            (torch.zeros(2, 3, size, size),),
            out,
            dynamo=True,
            input_names=["pixel_values"],
            output_names=[output],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            external_data=large,  # ONNX files end at 2 GB
            verbose=False,
        )
    print(f"{out}: pixel_values [n,3,{size},{size}] -> {output}")
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="such as dinov2-vit-b; descry targets --encoders lists them")
    parser.add_argument("--out", required=True)
    parser.add_argument("--tokens", type=int, default=16, help="a side: 16 for images of 256 pixels, 32 for 512")
    parser.add_argument("--weights", help="checkpoint, for mocov3")
    arguments = parser.parse_args()
    export(arguments.name, arguments.tokens, arguments.out, arguments.weights)
