"""torchvision, also where it was installed without its native operators, which nothing here needs: import this before anything that imports it."""
import pathlib
import re
import sys
import sysconfig

import torch

try:
    import torchvision
except RuntimeError:
    for name in [name for name in sys.modules if name.startswith("torchvision")]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    source = pathlib.Path(sysconfig.get_paths()["purelib"], "torchvision/_meta_registrations.py").read_text()
    for name in set(re.findall(r'register_(?:meta|fake)\("(?:torchvision::)?(\w+)"', source)):
        library.define(f"{name}(Tensor a) -> Tensor")
    import torchvision
