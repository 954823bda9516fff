"""Export encoders with random weights and a few blocks, as export_encoder.py does it, and write down what PyTorch makes of a picture.

    python random_exports.py DIR NAME...

For each name: DIR/NAME.onnx and DIR/NAME.bin, float32, the output for the input x[i] = sin(0.01 i) in order [1,3,S,S].
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../features/encoders"))
import torch

import any_torchvision  # before what imports torchvision
import timm
import torchvision
import transformers

create_model = timm.create_model
timm.create_model = lambda name, pretrained=False, **options: create_model(name.split(".")[0], depth=2, **options)

BLOCKS = {"num_hidden_layers": 2}
WIDTHS = {
    "facebook/dinov3-vits16-pretrain-lvd1689m": {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536, "num_register_tokens": 4},
    "google/siglip-base-patch16-256": {"image_size": 256},
    "google/siglip2-base-patch16-256": {"image_size": 256},
    "openai/clip-vit-large-patch14": {"hidden_size": 1024, "num_attention_heads": 16, "patch_size": 14},
    "facebook/ijepa_vith14_1k": {"hidden_size": 1280, "num_attention_heads": 16, "patch_size": 14, "image_size": 224},
    "facebook/webssl-dino300m-full2b-224": {"hidden_size": 1024, "num_attention_heads": 16, "patch_size": 14, "image_size": 224},
    "facebook/sam-vit-base": {"vision_config": {**BLOCKS, "global_attn_indexes": [1]}},
    "facebook/sam2-hiera-small": {},
}


def random_model(cls, name):
    config = cls.config_class(**{**({} if "vision_config" in WIDTHS[name] else BLOCKS), **WIDTHS[name]})
    if name.startswith("facebook/sam2"):
        config.vision_config.backbone_config.blocks_per_stage = [1, 1, 1, 1]
    return cls(config)


for cls in ("DINOv3ViTModel", "SiglipVisionModel", "CLIPVisionModel", "IJepaModel", "Dinov2Model", "SamModel", "Sam2Model"):
    getattr(transformers, cls).from_pretrained = classmethod(random_model)

vgg16 = torchvision.models.vgg16
torchvision.models.vgg16 = lambda weights: vgg16()

from export_encoder import export  # noqa: E402

folder, *names = sys.argv[1:]
for name in names:
    torch.manual_seed(0)
    weights = None
    if name.startswith("mocov3"):
        weights = os.path.join(folder, "mocov3.pth.tar")
        state = timm.create_model("vit_small_patch16_224", num_heads=12, num_classes=0).state_dict()
        torch.save({"state_dict": {f"module.base_encoder.{key}": value for key, value in state.items()}}, weights)
    out = os.path.join(folder, f"{name}.onnx")
    model = export(name, 16, out, weights)
    with torch.no_grad():
        # Random position embeddings, so that a wrong order of tokens shows.
        import onnx

        size = onnx.load(out, load_external_data=False).graph.input[0].type.tensor_type.shape.dim[2].dim_value
        x = torch.sin(0.01 * torch.arange(3 * size * size, dtype=torch.float64)).float().reshape(1, 3, size, size)
        model(x).contiguous().numpy().tofile(os.path.join(folder, f"{name}.bin"))
