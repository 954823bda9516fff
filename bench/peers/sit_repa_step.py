"""One SiT + REPA training step in PyTorch, as a peer for `descry bench train`.

The model is in sit.py: forward, backward, gradient clipping, AdamW, EMA; in float32, or with autocast to float16 and a loss scale
("precision": "mixed"). Protocol: one JSON line of options on the command line; prints "ready", then for every line on standard
input runs one step and prints its milliseconds, so that the caller can alternate it with its own.
"""

import copy
import json
import sys
import time

import torch
import torch.nn.functional as F
from sit import SiT


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
