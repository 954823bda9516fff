"""A state dict in the file format of PyTorch before 1.6: what test/data/legacy-torch-file.test.ts reads.

    python make_legacy_torch.py > legacy-torch.txt      (made with torch 2.13.0)
"""
import base64
import collections
import io
import textwrap

import torch

shared = torch.arange(10, dtype=torch.float32) / 4
state = collections.OrderedDict(
    weight=torch.arange(6, dtype=torch.float32).reshape(2, 3) - 2.5,
    part=shared[3:7].reshape(2, 2),
    counter=torch.tensor(7),
    half=torch.ones(3, dtype=torch.float16),
    scalar=torch.tensor(0.125),
    parameter=torch.nn.Parameter(torch.tensor([1.5, -1.5])),
)
state._metadata = collections.OrderedDict({"": {"version": 1}})
file = io.BytesIO()
torch.save(state, file, _use_new_zipfile_serialization=False)
print("\n".join(textwrap.wrap(base64.b64encode(file.getvalue()).decode(), 120)))
