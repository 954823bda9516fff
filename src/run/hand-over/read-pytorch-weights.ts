import { open } from "node:fs/promises";
import { DataError } from "../../../data/errors.js";
import { readSafetensors, readSafetensorsHeader, toFloat32 } from "../../../data/safetensors.js";
import type { HostTensors } from "../../compile/compile.js";

export type WeightsName = "ema" | "model";

export interface PytorchWeights {
  /** `ema/NAME`, `model/NAME`, float32. */
  readonly tensors: HostTensors;
  readonly weights: readonly WeightsName[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Names listed in an error. */
const SHOWN = 4;
const FLOATS = ["F32", "F16", "BF16", "F64"];

/**
 * The weights in a safetensors file that PyTorch wrote: plain names of the reference's state_dict, or with `ema` or `model` before
 * them; what DistributedDataParallel (`module.`) and torch.compile (`_orig_mod.`) put before names is taken off. Projectors may be
 * missing, and may be called as REPA calls them (`projectors.0.2.weight`). The moments of our own checkpoints are left out.
 *
 * @param shapes all parameters of the arm, projectors included.
 * @param usual  what weights without `ema` or `model` before their names are.
 * @throws {DataError} not such a file; names that are missing or unexpected, or shapes and types that differ: the first few of them.
 */
export async function readPytorchWeights(
  file: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  usual: WeightsName,
): Promise<PytorchWeights> {
  await refusePickle(file);
  const header = await readSafetensorsHeader(file);
  const found = new Map<WeightsName, Map<string, string>>();
  const unexpected: string[] = [];
  for (const key of Object.keys(header.tensors)) {
    if (key.startsWith("opt/")) continue;
    const { weights, name } = splitKey(key, usual);
    const names = found.get(weights) ?? new Map<string, string>();
    const twin = names.get(name);
    if (twin !== undefined) throw new DataError(`${file}: "${twin}" and "${key}" are the same parameter, ${name}`);
    if (shapes[name] === undefined) unexpected.push(key);
    else found.set(weights, names.set(name, key));
  }
  const missing = [...found].flatMap(([weights, names]) =>
    Object.keys(shapes)
      .filter((name) => !names.has(name) && !name.startsWith("projectors."))
      .map((name) => (found.size > 1 ? `${weights}: ${name}` : name)),
  );
  const faults = [
    ...(found.size === 0 ? ["no parameter of the model"] : []),
    ...(missing.length === 0 ? [] : [`missing: ${few(missing)}`]),
    ...(unexpected.length === 0 ? [] : [`unexpected: ${few(unexpected)}`]),
  ];
  if (faults.length > 0) {
    throw new DataError(`${file}: is not of this arm's model: ${faults.join("; ")}`, {
      hint: "wanted the names of arms/NAME/initial.safetensors in the export, for the model that its recipe describes",
    });
  }
  const unlike = [...found.values()].flatMap((names) =>
    [...names].flatMap(([name, key]) => {
      const { shape, dtype } = header.tensors[key]!;
      const want = shapes[name]!;
      if (FLOATS.includes(dtype) && shape.join() === want.join()) return [];
      return [`${key} is ${dtype} [${shape}], wanted floats [${want}]`];
    }),
  );
  if (unlike.length > 0) throw new DataError(`${file}: is not of this arm's model: ${few(unlike)}`);

  const tensors: HostTensors = {};
  for (const [weights, names] of found) {
    for (const [name, key] of names) {
      const tensor = (await readSafetensors(file, [key])).tensors[key]!;
      const data = toFloat32(tensor);
      if (!data.every(Number.isFinite)) throw new DataError(`${file}: ${key} holds numbers that are not finite`);
      tensors[`${weights}/${name}`] = { data, shape: [...tensor.shape] };
    }
  }
  return { tensors, weights: [...found.keys()].sort(), metadata: header.metadata };
}

const few = (texts: readonly string[]): string =>
  texts.length <= SHOWN ? texts.join(", ") : `${texts.slice(0, SHOWN).join(", ")} and ${texts.length - SHOWN} more`;

/** `module.ema._orig_mod.blocks.0.x` → ema, `blocks.0.x`. */
function splitKey(key: string, usual: WeightsName): { weights: WeightsName; name: string } {
  let weights = usual;
  let name = key;
  for (;;) {
    const [prefix, word] = /^(module|_orig_mod|ema|model)[./]/.exec(name) ?? [];
    if (prefix === undefined) break;
    if (word === "ema" || word === "model") weights = word;
    name = name.slice(prefix.length);
  }
  return { weights, name: name.replace(/^(projectors\.\d+\.)(\d)/, "$1projection_layer.$2") };
}

/** What torch.save writes is a zip file, or before PyTorch 1.6 a pickle that begins with its magic number. */
async function refusePickle(file: string): Promise<void> {
  let start: Buffer;
  try {
    const handle = await open(file, "r");
    start = Buffer.alloc(4);
    await handle.read(start, 0, 4, 0).finally(() => handle.close());
  } catch {
    // What cannot be read is said where it is read.
    return;
  }
  if (start.toString("latin1") !== "PK\x03\x04" && start.toString("latin1") !== "\x80\x02\x8a\x0a") return;
  throw new DataError(`${file}: is a file of torch.save, wanted safetensors`, {
    hint: 'save_file(torch.load(FILE)["ema"], "ema.safetensors"), with safetensors.torch.save_file',
  });
}
