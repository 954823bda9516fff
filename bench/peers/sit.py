"""SiT with REPA's and iREPA's projectors in PyTorch, written from the papers (SiT arXiv 2401.08740, REPA 2410.06940, iREPA
2512.10794), with the reference's parameter names: a peer of the benchmarks, and what exports are tested with."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def modulate(x, shift, scale):
    return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(b, t, d))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


def ada_layer_norm(width, parts):
    return nn.Sequential(nn.SiLU(), nn.Linear(width, parts * width))


class Block(nn.Module):
    def __init__(self, width, heads, mlp_ratio):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.mlp = Mlp(width, int(mlp_ratio * width))
        self.adaLN_modulation = ada_layer_norm(width, 6)

    def forward(self, x, c):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(c).chunk(6, dim=-1)
        x = x + gate1.unsqueeze(1) * self.attn(modulate(self.norm1(x), shift1, scale1))
        return x + gate2.unsqueeze(1) * self.mlp(modulate(self.norm2(x), shift2, scale2))


class PatchEmbedding(nn.Module):
    def __init__(self, channels, width, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class TimeEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t):
        freqs = torch.exp(-math.log(10000) * torch.arange(128, dtype=torch.float32, device=t.device) / 128)
        angles = t[:, None] * freqs[None]
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


class LabelEmbedding(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)

    def forward(self, y):
        return self.embedding_table(y)


class FinalLayer(nn.Module):
    def __init__(self, width, outputs):
        super().__init__()
        self.norm_final = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.linear = nn.Linear(width, outputs)
        self.adaLN_modulation = ada_layer_norm(width, 2)

    def forward(self, x, c):
        shift, scale = self.adaLN_modulation(c).chunk(2, dim=-1)
        return self.linear(modulate(self.norm_final(x), shift, scale))


class Projector(nn.Module):
    """Tokens [B,T,D] to the target's width: `mlp` as REPA, `conv` over the grid as iREPA, or `linear`."""

    def __init__(self, kind, width, target, kernel=None, hidden=2048):
        super().__init__()
        self.is_conv = kind == "conv"
        if kind == "conv":
            self.projection_layer = nn.Conv2d(width, target, kernel, padding=kernel // 2)
        elif kind == "linear":
            self.projection_layer = nn.Linear(width, target)
        else:
            layers = [nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, target)]
            self.projection_layer = nn.Sequential(*layers)

    def forward(self, x):
        if not self.is_conv:
            return self.projection_layer(x)
        side = math.isqrt(x.shape[1])
        grid = x.transpose(1, 2).reshape(x.shape[0], -1, side, side)
        return self.projection_layer(grid).flatten(2).transpose(1, 2)


class SiT(nn.Module):
    """Options: width, depth, heads, patch, mlpRatio, channels, size (pixels), classes; with a `projector` also kernel,
    projectorWidth, targetDim and alignDepth."""

    def __init__(self, o):
        super().__init__()
        self.o = o
        width, patch, channels = o["width"], o["patch"], o["channels"]
        self.grid = o["size"] // patch
        self.x_embedder = PatchEmbedding(channels, width, patch)
        self.pos_embed = nn.Parameter(torch.randn(1, self.grid**2, width) * 0.02, requires_grad=False)
        self.t_embedder = TimeEmbedding(width)
        self.y_embedder = LabelEmbedding(o["classes"], width)
        self.blocks = nn.ModuleList(Block(width, o["heads"], o["mlpRatio"]) for _ in range(o["depth"]))
        self.final_layer = FinalLayer(width, patch * patch * channels)
        kind = o.get("projector")
        sizes = () if kind is None else (width, o["targetDim"], o.get("kernel"), o.get("projectorWidth"))
        self.projectors = nn.ModuleList([] if kind is None else [Projector(kind, *sizes)])

    def forward(self, x, t, y):
        o = self.o
        h = self.x_embedder(x) + self.pos_embed
        c = self.t_embedder(t) + self.y_embedder(y)
        z = None
        for i, block in enumerate(self.blocks):
            h = block(h, c)
            if len(self.projectors) > 0 and i + 1 == o["alignDepth"]:
                z = self.projectors[0](h)
        v = self.final_layer(h, c)
        b, p, g, ch = v.shape[0], o["patch"], self.grid, o["channels"]
        v = v.reshape(b, g, g, p, p, ch).permute(0, 5, 1, 3, 2, 4).reshape(b, ch, g * p, g * p)
        return v, z
