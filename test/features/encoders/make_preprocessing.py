"""What PyTorch makes of a picture before each encoder sees it: python make_preprocessing.py > preprocessing.json

Written from the description of iREPA's preprocessing, with the operators and the constants of torch, torchvision, timm, open_clip and
transformers; nothing of descry is used. The picture of side R has (37 y^2 + 91 x + 13 x y + 50 c + 7 (x // 8) (y // 4)) % 256 at row y, column x.
"""
import json

import torch

import any_torchvision  # before what imports torchvision
import torchvision

import open_clip
import timm
import transformers
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch.nn.functional import interpolate
from torchvision.models import VGG16_Weights
from torchvision.transforms import InterpolationMode, Normalize
from torchvision.transforms.v2.functional import resize

imagenet = Normalize(IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
half = Normalize([0.5] * 3, [0.5] * 3)
siglip_processor = transformers.SiglipImageProcessor()
siglip_own = Normalize(siglip_processor.image_mean, siglip_processor.image_std)
vgg_preset = VGG16_Weights.IMAGENET1K_FEATURES.transforms()
vgg_own = Normalize(vgg_preset.mean, vgg_preset.std)


def normalize_then(mode, normalize=imagenet):
    return lambda x, side: interpolate(normalize(x / 255), size=(side, side), mode=mode, align_corners=False)


def then_normalize(mode, normalize):
    return lambda x, side: normalize(interpolate(x / 255, size=(side, side), mode=mode, align_corners=False))


def dinov3(x, side):
    return imagenet(resize(x / 255, [side, side], InterpolationMode.BILINEAR, antialias=True))


# Encoder -> (side of the input for 256 pixels, or the same for all; the function).
ENCODERS = {
    "dino-vit-b": (256, normalize_then("bicubic")),
    "dinov2-vit-b": (224, normalize_then("bicubic")),
    "dinov2reg-vit-l": (224, normalize_then("bicubic")),
    "dinov3-vit-b16": (256, dinov3),
    "siglip-vit-b": (256, normalize_then("bicubic")),
    "siglip-vit-so400m": (224, normalize_then("bicubic")),
    "siglip-vit-b:own-stats": (256, normalize_then("bicubic", siglip_own)),
    "siglip2-vit-g": (256, normalize_then("bicubic")),
    "clip-vit-L": (224, then_normalize("bicubic", Normalize(OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))),
    "mocov3-vit-b": (256, normalize_then("bicubic")),
    "mae-vit-l": (256, normalize_then("bicubic")),
    "jepa-vit-h": (224, normalize_then("bicubic")),
    "webssl-vit-dino1b_full2b_224": (224, normalize_then("bicubic")),
    "pe-vit-b": (256, then_normalize("bilinear", half)),
    "pe-vit-g": (224, then_normalize("bilinear", half)),
    "langpe-vit-l": (224, then_normalize("bilinear", half)),
    "spatialpe-vit-g": (224, then_normalize("bilinear", half)),
    "cradio-vit-l": (256, then_normalize("bilinear", lambda x: x)),
    "sam-vit-b": (None, then_normalize("bicubic", imagenet)),
    "sam2-vit-s": (512, then_normalize("bicubic", imagenet)),
    "vgg": (256, then_normalize("bilinear", imagenet)),
    "vgg:own-stats": (256, then_normalize("bilinear", vgg_own)),
}

SAMPLES = 20
cases = []
for name, (base, preprocess) in ENCODERS.items():
    for image_px in (96, 256, 384, 512):
        y, x = torch.meshgrid(torch.arange(image_px), torch.arange(image_px), indexing="ij")
        planes = [(37 * y * y + 91 * x + 13 * x * y + 50 * c + 7 * (x // 8) * (y // 4)) % 256 for c in range(3)]
        image = torch.stack(planes)[None].to(torch.uint8)
        side = 1024 if base is None else base * max(1, image_px // 256)
        result = preprocess(image.double(), side)[0]
        at = [(7919 * k * k + 104729 * k + image_px) % result.numel() for k in range(SAMPLES - 2)] + [0, result.numel() - 1]
        values = [float(f"{result.flatten()[i].item():.6g}") for i in at]
        cases.append({"encoder": name, "imagePx": image_px, "sidePx": side, "at": at, "values": values})

made_by = {module.__name__: module.__version__ for module in (torch, torchvision, timm, open_clip, transformers)}
lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
print(f'{{"command":"python make_preprocessing.py > preprocessing.json","versions":{json.dumps(made_by)},"cases":[\n{lines}\n]}}')
