"""Numbers of the Inception of published FIDs, with made-up weights: what test/evaluate/inception.test.ts wants.

    python make_inception.py > inception.json     (made with torch 2.13.0, torchvision 0.28.0, numpy 2.4.6)

The network is torchvision's with the poolings of TensorFlow's graph of 2015 put in: averages without the border, a maximum in the last block.
Weights and images are hashes of their positions, which any language can repeat. Resizing is TensorFlow 1's, by its definition.
"""
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.models.inception as tv

COUNT, SIDE, SHOWN = 2, 50, 12


def uniforms(seed, count):
    """[count] in [0, 1): a mixing function of the positions."""
    x = np.arange(count, dtype=np.uint32) + np.uint32(seed * 0x9E3779B1 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return ((x ^ (x >> np.uint32(16))) / np.float64(2**32)).astype(np.float32)


def made_up(shapes):
    """Weights by name; names in order of the alphabet are numbered from 1."""
    state = {}
    for seed, name in enumerate(sorted(shapes), 1):
        shape = shapes[name]
        u = uniforms(seed, int(np.prod(shape)))
        if name.endswith("conv.weight") or name == "fc.weight":
            value = (2 * u - 1) * np.float32(np.sqrt(6 / np.prod(shape[1:])))
        elif name.endswith("running_var") or name.endswith("bn.weight"):
            value = np.float32(0.5) + u
        else:
            value = u - np.float32(0.5)
        state[name] = torch.from_numpy(value.reshape(shape))
    return state


class Poolings:
    """Stands for torch.nn.functional in torchvision's file."""

    last = False

    def __getattr__(self, name):
        return getattr(F, name)

    def avg_pool2d(self, x, kernel_size, stride, padding):
        if self.last:
            return F.max_pool2d(x, kernel_size=kernel_size, stride=stride, padding=padding)
        return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=False)


def resize(images, size):
    """TensorFlow 1: output i is source i * side / size, between the two pixels around it."""
    side = images.shape[1]
    at = np.arange(size) * side / size
    low = np.floor(at).astype(int)
    high, share = np.minimum(low + 1, side - 1), at - low
    rows = images[:, low] * (1 - share)[:, None, None] + images[:, high] * share[:, None, None]
    return rows[:, :, low] * (1 - share)[:, None] + rows[:, :, high] * share[:, None]


def main():
    model = tv.Inception3(num_classes=1008, aux_logits=False, transform_input=False, init_weights=False).eval()
    shapes = {name: tuple(p.shape) for name, p in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    state = made_up(shapes)
    model.load_state_dict(state, strict=False)
    tv.F = poolings = Poolings()
    model.Mixed_7c.register_forward_pre_hook(lambda *_: setattr(poolings, "last", True))
    taken = {}
    model.Mixed_6d.branch1x1.register_forward_hook(lambda m, i, y: taken.update(spatial=y))
    model.avgpool.register_forward_hook(lambda m, i, y: taken.update(pool=y))
    images = np.floor(uniforms(1000, COUNT * SIDE * SIDE * 3).astype(np.float64) * 256).reshape(COUNT, SIDE, SIDE, 3)
    x = torch.from_numpy(((resize(images, 299) - 128) / 128).transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        model(x)
        pool = taken["pool"].flatten(1)
        outputs = {
            "features": pool,
            "spatial": taken["spatial"][:, :7].permute(0, 2, 3, 1).flatten(1),
            "probabilities": torch.softmax(pool @ model.fc.weight.T, 1),
        }
    result = {"shapes": shapes}
    for name, value in outputs.items():
        flat = value.double().numpy()
        step = flat.shape[1] // SHOWN
        result[name] = {
            "width": flat.shape[1],
            "step": step,
            "values": [[float(f"{v:.7g}") for v in row[::step]] for row in flat],
            "sums": [float(f"{v:.8g}") for v in flat.sum(1)],
        }
    json.dump(result, sys.stdout, separators=(",", ":"))


main()
