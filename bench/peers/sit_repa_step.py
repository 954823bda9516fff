"""One SiT + REPA training step in PyTorch, as a peer for `descry bench train`.

Written from the papers (SiT arXiv 2401.08740, REPA 2410.06940, iREPA 2512.10794): forward, backward, gradient clipping,
AdamW, EMA; in float32, or with autocast to float16 and a loss scale ("precision": "mixed"). Protocol: one JSON line of options on the command line; prints "ready", then for every line on
standard input runs one step and prints its milliseconds, so that the caller can alternate it with its own.
"""

import copy
import json
import math
import sys
import time

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


class Block(nn.Module):
    def __init__(self, width, heads, mlp_ratio):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.fc1 = nn.Linear(width, int(mlp_ratio * width))
        self.fc2 = nn.Linear(int(mlp_ratio * width), width)
        self.ada = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x, c):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.ada(c).chunk(6, dim=-1)
        x = x + gate1.unsqueeze(1) * self.attn(modulate(self.norm1(x), shift1, scale1))
        h = self.fc2(F.gelu(self.fc1(modulate(self.norm2(x), shift2, scale2)), approximate="tanh"))
        return x + gate2.unsqueeze(1) * h


class SiT(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o = o
        width, patch, channels = o["width"], o["patch"], o["channels"]
        self.grid = o["size"] // patch
        tokens = self.grid**2
        self.embed = nn.Conv2d(channels, width, patch, patch)
        self.pos = nn.Parameter(torch.randn(1, tokens, width) * 0.02, requires_grad=False)
        self.time = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(o["classes"] + 1, width)
        self.blocks = nn.ModuleList(Block(width, o["heads"], o["mlpRatio"]) for _ in range(o["depth"]))
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.ada = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.head = nn.Linear(width, patch * patch * channels)
        projector = o.get("projector")
        if projector == "conv":
            self.project = nn.Conv2d(width, o["targetDim"], o["kernel"], padding=o["kernel"] // 2)
        elif projector == "mlp":
            hidden = o["projectorWidth"]
            self.project = nn.Sequential(
                nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, o["targetDim"])
            )

    def forward(self, x, t, y):
        o = self.o
        h = self.embed(x).flatten(2).transpose(1, 2) + self.pos
        freqs = torch.exp(-math.log(10000) * torch.arange(128, dtype=torch.float32, device=t.device) / 128)
        angles = t[:, None] * freqs[None]
        c = self.time(torch.cat([angles.cos(), angles.sin()], dim=-1)) + self.label(y)
        z = None
        for i, block in enumerate(self.blocks):
            h = block(h, c)
            if i + 1 == o["alignDepth"] and o.get("projector"):
                if o["projector"] == "conv":
                    grid = h.transpose(1, 2).reshape(h.shape[0], -1, self.grid, self.grid)
                    z = self.project(grid).flatten(2).transpose(1, 2)
                else:
                    z = self.project(h)
        shift, scale = self.ada(c).chunk(2, dim=-1)
        v = self.head(modulate(self.norm(h), shift, scale))
        b, p, g, ch = v.shape[0], o["patch"], self.grid, o["channels"]
        v = v.reshape(b, g, g, p, p, ch).permute(0, 5, 1, 3, 2, 4).reshape(b, ch, g * p, g * p)
        return v, z


def main():
    o = json.loads(sys.argv[1])
    torch.manual_seed(0)
    torch.set_num_threads(o["threads"])
    device = o.get("device", "cpu")
    is_mixed = o.get("precision") == "mixed"
    # As the reference, and as ONNX Runtime's CUDA kernels do.
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    autocast = torch.autocast(device, dtype=torch.float16, enabled=is_mixed)
    scaler = torch.amp.GradScaler(device, enabled=is_mixed)
    model = SiT(o).to(device)
    parameters = [p for p in model.parameters() if p.requires_grad]
    ema = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.999), weight_decay=0.0, eps=1e-8)
    forward = torch.compile(model) if o.get("compile") else model
    b = o["batch"]
    x = torch.randn(b, o["channels"], o["size"], o["size"], device=device)
    y = torch.randint(0, o["classes"], (b,), device=device)
    tokens = (o["size"] // o["patch"]) ** 2
    z = torch.randn(b, tokens, o["targetDim"], device=device)

    def step():
        noise = torch.randn_like(x)
        t = torch.rand(b, device=device)
        at = t.view(b, 1, 1, 1)
        xt = (1 - at) * x + at * noise
        with autocast:
            v, projected = forward(xt, t, y)
        loss = ((v.float() - (noise - x)) ** 2).mean()
        if projected is not None:
            cosine = (F.normalize(projected.float(), dim=-1) * F.normalize(z, dim=-1)).sum(-1).mean()
            loss = loss - o["coefficient"] * cosine
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        scaler.step(optimizer)
        scaler.update()
        with torch.no_grad():
            for average, parameter in zip(ema.parameters(), model.parameters()):
                average.mul_(0.9999).add_(parameter, alpha=1 - 0.9999)
        return loss.item()

    def sample():
        """Euler steps with classifier-free guidance: two halves of one batch."""
        with torch.no_grad():
            state = torch.randn(b, o["channels"], o["size"], o["size"], device=device)
            labels = torch.cat([y, torch.full_like(y, o["classes"])])
            times = torch.linspace(1, 0, o["steps"] + 1)
            for now, after in zip(times[:-1], times[1:]):
                both, _ = forward(torch.cat([state, state]), torch.full((2 * b,), float(now), device=device), labels)
                conditional, unconditional = both.chunk(2)
                velocity = unconditional + 1.5 * (conditional - unconditional)
                state = state + (float(after) - float(now)) * velocity
            return state.mean().item()

    work = sample if o.get("work") == "sample" else step
    work()
    print("ready", torch.__version__, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        print((time.perf_counter() - start) * 1000, flush=True)
    try:
        import resource

        print("peak_kb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
    except ImportError:
        pass


main()
