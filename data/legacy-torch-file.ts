/**
 * @file Tensors of a file that `torch.save` wrote before PyTorch 1.6 (or with `_use_new_zipfile_serialization=False`): pickles of a
 * magic number, a version, the machine, the object and the keys of its storages, then the storages: u64 count, elements.
 *
 * Nothing of the pickle is executed: of the classes that it names, four are known and stand for data; any other is refused.
 *
 * @source torch/serialization.py (`_legacy_save`); Python's pickle protocol 2 (PEP 307, pickletools).
 */
import { readFile } from "node:fs/promises";
import { fileError } from "./atomic.js";
import { DataError, UnsupportedError } from "./errors.js";

/** float32, row-major. */
export interface TorchTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const VERSION = 1001;
const ITEM_BYTES: Readonly<Record<string, number>> = {
  FloatStorage: 4,
  DoubleStorage: 8,
  HalfStorage: 2,
  BFloat16Storage: 2,
  LongStorage: 8,
  IntStorage: 4,
  ShortStorage: 2,
  CharStorage: 1,
  ByteStorage: 1,
  BoolStorage: 1,
};

/** A class or function that a pickle names: never called. */
class Named {
  constructor(readonly name: string) {}
}

interface Storage {
  readonly type: string;
  readonly key: string;
}

class View {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

type Value = unknown;

/**
 * The float32 tensors of a state dict; those of other types (counters) are left out.
 *
 * @throws {DataError} the file cannot be read, or is not such a file. @throws {UnsupportedError} other content than a dict of tensors.
 */
export async function readLegacyTorchFile(path: string): Promise<Record<string, TorchTensor>> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fileError(error, "cannot read", path);
  }
  const damaged = (what: string) => new DataError(`${path}: ${what}`, { hint: "fetch it again" });
  try {
    const reader = new PickleReader(bytes, path);
    reader.next(); // the magic number: a pickle of its own that readers of other files stumble over
    const version = reader.next();
    if (version !== VERSION) throw damaged(`is version ${String(version)} of torch.save, wanted ${VERSION}`);
    reader.next(); // the machine's byte order and sizes: torch has been little-endian wherever it runs
    const object = reader.next();
    const keys = reader.next();
    if (!(object instanceof Map) || !Array.isArray(keys)) throw damaged("holds no state dict");
    const views = [...object].filter((item): item is [string, View] => item[1] instanceof View);
    const types = new Map(views.map(([, { storage }]) => [storage.key, storage.type]));
    const floats = readStorages(bytes, reader.offset, keys as string[], types, damaged);
    return Object.fromEntries(
      views.flatMap(([name, view]) =>
        view.storage.type === "FloatStorage"
          ? [[name, { shape: view.shape, data: elementsOf(name, view, floats.get(view.storage.key)!, damaged) }]]
          : [],
      ),
    );
  } catch (error) {
    if (error instanceof RangeError) throw damaged("ends too early");
    throw error;
  }
}

function readStorages(
  bytes: Buffer,
  start: number,
  keys: readonly string[],
  types: ReadonlyMap<string, string>,
  damaged: (what: string) => Error,
): Map<string, Float32Array> {
  const floats = new Map<string, Float32Array>();
  let at = start;
  for (const key of keys) {
    const type = types.get(key) ?? "";
    const itemBytes = ITEM_BYTES[type];
    if (itemBytes === undefined) throw damaged(`storage ${key} is of an unknown type ${type}`);
    const count = Number(bytes.readBigUInt64LE(at));
    const end = at + 8 + count * itemBytes;
    if (!(end <= bytes.length)) throw damaged("ends too early");
    if (type === "FloatStorage") floats.set(key, new Float32Array(Uint8Array.from(bytes.subarray(at + 8, end)).buffer));
    at = end;
  }
  if (at !== bytes.length) throw damaged(`has ${bytes.length - at} bytes too many`);
  return floats;
}

function elementsOf(
  name: string,
  { offset, shape, strides }: View,
  storage: Float32Array,
  damaged: (what: string) => Error,
) {
  const count = shape.reduce((product, side) => product * side, 1);
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) throw damaged(`tensor "${name}" is not contiguous`);
    expected *= shape[axis]!;
  }
  if (offset + count > storage.length) throw damaged(`tensor "${name}" reaches beyond its storage`);
  return storage.slice(offset, offset + count);
}

/** Pickles of protocol 2, one after the other. */
class PickleReader {
  #at = 0;
  readonly #stack: Value[] = [];
  readonly #marks: number[] = [];
  #memo = new Map<number, Value>();

  constructor(
    private readonly bytes: Buffer,
    private readonly name: string,
  ) {}

  get offset(): number {
    return this.#at;
  }

  /** The value of the next pickle. */
  next(): Value {
    this.#memo = new Map();
    this.#stack.length = 0;
    for (;;) {
      const code = String.fromCharCode(this.#byte());
      if (code === ".") return this.#stack.pop();
      this.#step(code);
    }
  }

  #step(code: string): void {
    const stack = this.#stack;
    switch (code) {
      case "\x80": // PROTO
        this.#byte();
        return;
      case "(":
        this.#marks.push(stack.length);
        return;
      case "}":
        stack.push(new Map());
        return;
      case "]":
      case ")":
        stack.push([]);
        return;
      case "N":
        stack.push(null);
        return;
      case "\x88":
      case "\x89":
        stack.push(code === "\x88");
        return;
      case "K":
        stack.push(this.#byte());
        return;
      case "M":
        stack.push(this.bytes.readUInt16LE(this.#skip(2)));
        return;
      case "J":
        stack.push(this.bytes.readInt32LE(this.#skip(4)));
        return;
      case "\x8a": // LONG1: little-endian two's complement
        stack.push(this.#long(this.#byte()));
        return;
      case "X": // BINUNICODE
        stack.push(this.#text(this.bytes.readUInt32LE(this.#skip(4))));
        return;
      case "U": // SHORT_BINSTRING, of Python 2
        stack.push(this.#text(this.#byte()));
        return;
      case "c":
        stack.push(new Named(`${this.#line()}.${this.#line()}`));
        return;
      case "q":
        this.#memo.set(this.#byte(), stack.at(-1));
        return;
      case "r":
        this.#memo.set(this.bytes.readUInt32LE(this.#skip(4)), stack.at(-1));
        return;
      case "h":
        stack.push(this.#memo.get(this.#byte()));
        return;
      case "j":
        stack.push(this.#memo.get(this.bytes.readUInt32LE(this.#skip(4))));
        return;
      case "t":
        stack.push(this.#sinceMark());
        return;
      case "\x85":
      case "\x86":
      case "\x87": {
        const count = code.charCodeAt(0) - 0x84;
        stack.push(stack.splice(stack.length - count, count));
        return;
      }
      case "a":
      case "e": {
        const items = code === "a" ? [stack.pop()] : this.#sinceMark();
        (stack.at(-1) as Value[]).push(...items);
        return;
      }
      case "s":
      case "u": {
        const items = code === "s" ? stack.splice(stack.length - 2, 2) : this.#sinceMark();
        const into = stack.at(-1);
        if (!(into instanceof Map)) throw this.#unlike("items of something else than a dict");
        for (let i = 0; i < items.length; i += 2) into.set(items[i], items[i + 1]);
        return;
      }
      case "b": // BUILD: attributes, such as a state dict's _metadata
        stack.pop();
        return;
      case "Q":
        stack.push(this.#storage(stack.pop()));
        return;
      case "R":
        stack.push(this.#made(stack.pop() as Value[], stack.pop()));
        return;
      default:
        throw this.#unlike(`pickle code 0x${code.charCodeAt(0).toString(16)}`);
    }
  }

  /** What a call that the pickle asks for would give; args before what is called, as they lie on the stack. */
  #made(args: Value[], called: Value): Value {
    const name = called instanceof Named ? called.name : "";
    switch (name) {
      case "collections.OrderedDict":
        return new Map(args[0] === undefined ? [] : (args[0] as [Value, Value][]));
      case "torch._utils._rebuild_tensor_v2": {
        const [storage, offset, shape, strides] = args as [Storage, number, number[], number[]];
        return new View(storage, offset, shape, strides);
      }
      case "torch._utils._rebuild_parameter":
        return args[0];
      default:
        throw this.#unlike(name === "" ? "a call of no function" : `a call of ${name}`);
    }
  }

  #storage(id: Value): Storage {
    const [kind, type, key, , , view] = id as [string, Named, string, string, number, Value];
    if (kind !== "storage" || view != null) throw this.#unlike("a storage that is a part of another");
    return { type: type.name.replace(/^torch\./, ""), key };
  }

  #unlike(what: string): UnsupportedError {
    return new UnsupportedError(`${this.name}: holds ${what}; wanted a state dict as torch.save writes it`);
  }

  #sinceMark(): Value[] {
    return this.#stack.splice(this.#marks.pop() ?? 0);
  }

  #skip(count: number): number {
    const start = this.#at;
    this.#at += count;
    if (this.#at > this.bytes.length) throw new RangeError("end of file");
    return start;
  }

  #byte(): number {
    return this.bytes[this.#skip(1)]!;
  }

  #text(length: number): string {
    const start = this.#skip(length);
    return this.bytes.toString("utf8", start, start + length);
  }

  #line(): string {
    const end = this.bytes.indexOf(10, this.#at);
    if (end < 0) throw new RangeError("end of file");
    const start = this.#skip(end + 1 - this.#at);
    return this.bytes.toString("latin1", start, end);
  }

  #long(length: number): number {
    const start = this.#skip(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[start + i]!);
    return Number(length === 0 ? 0n : BigInt.asIntN(8 * length, value));
  }
}
