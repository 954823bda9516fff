"""The other side of test/run/hand-over.test.ts: trains an exported arm for some steps and saves it as DistributedDataParallel would.

    python hand_over.py EXPORT ARM OUT

Reads the data with the Dataset of the export's own README.md. Writes OUT/ema.safetensors (names with `module.`),
OUT/both.safetensors (`ema.` and `model.`, with `_orig_mod.`), and OUT/forward.safetensors: x, t, y and the velocity of the averaged
weights.
"""

import copy
import json
import pathlib
import re
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"))
from sit import SiT

folder, name, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
readme = (folder / "README.md").read_text()
exec(re.search(r"```python\n(.*?)```", readme, re.S).group(1))

recipe = json.loads((folder / "arms" / name / "recipe.json").read_text())
align, train, model_options = recipe["align"], recipe["train"], recipe["model"]
options = {**model_options, "size": model_options["sizePx"]}
if align is not None:
    options |= {
        "projector": align["projector"],
        "kernel": align["kernel"],
        "projectorWidth": align["projectorWidth"],
        "targetDim": align["dim"],
        "alignDepth": align["depth"],
    }
torch.manual_seed(0)
torch.set_num_threads(1)
model = SiT(options)
model.load_state_dict(load_file(folder / "arms" / name / "initial.safetensors"))
ema = copy.deepcopy(model)
data = Exported(folder, "images", *([] if align is None else [align["store"]]))
labels = load_file(folder / "labels.safetensors")["labels"]
assert len(data) == len(labels) == data.index["length"]
assert all(int(data[i]["label"]) == int(labels[i]) for i in range(len(data)))

optimizer = torch.optim.AdamW(
    [p for p in model.parameters() if p.requires_grad], lr=0.01, betas=train["betas"], weight_decay=train["weightDecay"]
)
loader = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True, drop_last=True)
for step, batch in zip(range(3), loader):
    x = batch["image"].permute(0, 3, 1, 2).float() / 127.5 - 1
    noise, t = torch.randn_like(x), torch.rand(len(x))
    at = t.view(-1, 1, 1, 1)
    velocity, projected = model((1 - at) * x + at * noise, t, batch["label"].long())
    loss = ((velocity - (noise - x)) ** 2).mean()
    if align is not None:
        target = batch["features"].float()
        if align["spatialNorm"] is not None:
            target = (target - align["spatialNorm"] * target.mean(1, keepdim=True)) / (target.std(1, keepdim=True) + 1e-6)
        loss = loss - align["coefficient"] * F.cosine_similarity(projected, target, dim=-1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for average, parameter in zip(ema.parameters(), model.parameters()):
            average.lerp_(parameter, 0.5)

out.mkdir(parents=True, exist_ok=True)
plain = {key: value for key, value in ema.state_dict().items() if not key.startswith("projectors.")}
save_file({f"module.{key}": value for key, value in plain.items()}, out / "ema.safetensors", {"step": "3"})
both = {f"ema._orig_mod.{key}": value for key, value in ema.state_dict().items()}
both |= {f"module.model.{key}": value for key, value in model.state_dict().items()}
save_file(both, out / "both.safetensors")
x, t = torch.randn(4, *x.shape[1:]), torch.full((4,), 0.3)
y = torch.arange(4) % options["classes"]
with torch.no_grad():
    v, _ = ema(x, t, y)
assert v.abs().mean() > 1e-3
save_file({"x": x, "t": t, "y": y.to(torch.int32), "v": v.contiguous()}, out / "forward.safetensors")
print(loss.item())
