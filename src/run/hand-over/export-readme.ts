import type { Experiment } from "../schema.js";
import type { OpenedStore } from "./export-stores.js";

/** What stands in the export's README.md: the layout, the conventions, and a data set for PyTorch in fifteen lines. */
export function exportReadme(experiment: Experiment, stores: readonly OpenedStore[]): string {
  const isLatent = stores.some(({ name }) => name === "latents");
  const target = stores.find((store) => store.target !== undefined)?.name;
  const seen = isLatent ? "latents" : "images";
  const example = [seen, ...(target === undefined ? [] : [target])].map((name) => `"${name}"`).join(", ");
  const [arm] = experiment.arms;
  return `# ${experiment.name}, for training with PyTorch

Written by \`descry export\`. \`export.json\` lists everything here by name; all tensors are plain safetensors.

| what                             | where                                                                                          |
| -------------------------------- | ---------------------------------------------------------------------------------------------- |
| ${`${seen}, features of targets`.padEnd(32)} | \`STORE/shard-*.safetensors\`, a tensor a column, \`[rows, …]\`; shard s begins with row s · \`shardRows\` |
| labels                           | \`labels.safetensors\`, tensor \`labels\` int64, one an image; names in \`classes\` of export.json    |
| initial weights of an arm        | \`arms/NAME/initial.safetensors\`, the names and shapes of the reference SiT's state_dict         |
| its recipe                       | \`arms/NAME/recipe.json\`: model, target, projector, optimizer, path                              |

Row = variant · \`length\` + image, the same in all stores: variant 0 is the centre crop, the next its mirror image if the experiment has
flips, others are random crops. (\`manifest.json\` is the checksum of a store, for descry.)

${FENCE}python
import json, random, torch
from pathlib import Path
from safetensors import safe_open

class Exported(torch.utils.data.Dataset):
    def __init__(self, folder, *stores):
        self.folder, self.index = Path(folder), json.loads((Path(folder) / "export.json").read_text())
        self.stores = [self.index["stores"][name] for name in stores]
    def __len__(self):
        return self.index["length"]
    def __getitem__(self, i):
        variant, item = random.randrange(min(store["rows"] for store in self.stores) // len(self)), {}
        for store in self.stores:
            shard, k = divmod(i + len(self) * variant, store["shardRows"])
            with safe_open(self.folder / store["folder"] / store["shards"][shard]["file"], "pt") as file:
                item |= {name: file.get_slice(name)[k : k + 1][0] for name in file.keys()}
        return item
${FENCE}

${FENCE}python
from safetensors.torch import load_file, save_file

data = Exported(".", ${example})
weights = load_file("arms/${arm!.name}/initial.safetensors")      # model.load_state_dict(weights)
save_file(ema.state_dict(), "ema.safetensors")           # then: descry import RUN --arm ${arm!.name} ema.safetensors
${FENCE}

Conventions, as in the REPA and iREPA code:

- ${
    isLatent
      ? "Latents: there are no pixels in this folder. Column `latent`, means [C,S,S], or [2C,S,S] with standard deviations behind them to draw z from; the model sees (z − bias) · scale, both in `stores.latents` of export.json."
      : "Pixels: uint8 [S,S,3]; the model sees them as [3,S,S] in −1 … 1: x / 127.5 − 1."
  }
- t = 0 is data and t = 1 is noise; linear path: x_t = (1 − t) · data + t · noise, and the model predicts noise − data.
- The label \`nullClass\` of a recipe means "no class"; a share \`labelDropout\` of the labels is replaced by it.
- Features: [T,D], T row by row. With \`spatialNorm\` = α they are (y − α · mean over T) / (standard deviation over T + 1e-6).
- Alignment loss: −\`coefficient\` · mean cosine of the projected tokens after block \`depth\` (1-based) and the features.
- A checkpoint comes back with \`descry import\`: plain names, or with \`module.\`, \`_orig_mod.\`, \`ema.\`, \`model.\` before them;
  projectors may be left out.
`;
}

const FENCE = "```";
