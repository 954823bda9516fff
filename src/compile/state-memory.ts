/** @file Arrays that loops and ONNX Runtime share: views of WebAssembly memories, laid out before anything runs. */
import type { ArraySource, UpdateLoop } from "./plan-updates.js";
import { compileLoop, type Loop } from "./wasm-loop.js";

const PAGE = 65536;
/** A memory holds up to 4 GB; loops whose arrays do not fit into one get several memories. */
const MEMORY_BYTES = 2 ** 32 - 2 * PAGE;
const ALIGN = 64;

export interface StateMemory {
  /** State in these memories, by key. */
  readonly state: Readonly<Record<string, Float32Array>>;
  /** Arrays that the graph writes for the loops, by name. */
  readonly edges: Readonly<Record<string, Float32Array>>;
  /** Run all loops. @param scalarsOf the numbers of a loop, in its order. */
  update(scalarsOf: (loop: UpdateLoop) => readonly number[]): void;
}

const nameOf = (source: ArraySource): string => ("state" in source ? `state ${source.state}` : `edge ${source.edge}`);

/** Lay out and compile. @throws {RangeError} a single loop whose arrays have more than 4 GB together. */
export async function layOutUpdates(loops: readonly UpdateLoop[]): Promise<StateMemory> {
  interface Placed {
    readonly loop: UpdateLoop;
    readonly offsets: Map<string, number>;
  }
  const groups: { size: number; placed: Placed[] }[] = [];
  for (const loop of loops) {
    const names = new Set([...loop.loads.map(nameOf), ...loop.stores.map((key) => nameOf({ state: key }))]);
    const bytes = Math.ceil((loop.count * 4) / ALIGN) * ALIGN;
    const size = bytes * names.size;
    if (size > MEMORY_BYTES) throw new RangeError(`an update of ${loop.count} elements needs more than 4 GB at once`);
    let group = groups.at(-1);
    if (group === undefined || group.size + size > MEMORY_BYTES) {
      group = { size: 0, placed: [] };
      groups.push(group);
    }
    const start = group.size;
    const offsets = new Map([...names].map((name, i) => [name, start + i * bytes]));
    group.size += size;
    group.placed.push({ loop, offsets });
  }

  const state: Record<string, Float32Array> = {};
  const edges: Record<string, Float32Array> = {};
  const updates: ((scalarsOf: (loop: UpdateLoop) => readonly number[]) => void)[] = [];
  for (const { size, placed } of groups) {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(size / PAGE) });
    const compiled = new Map<string, Loop>();
    for (const { loop, offsets } of placed) {
      const { count, loads, stores, program } = loop;
      for (const [name, offset] of offsets) {
        const [kind, key] = [name.slice(0, name.indexOf(" ")), name.slice(name.indexOf(" ") + 1)];
        (kind === "state" ? state : edges)[key] = new Float32Array(memory.buffer, offset, count);
      }
      // The same optimizer for every parameter is one module.
      const shape = JSON.stringify(program);
      const run = compiled.get(shape) ?? (await compileLoop(program, memory));
      compiled.set(shape, run);
      const from = loads.map((source) => offsets.get(nameOf(source))!);
      const to = stores.map((key) => offsets.get(nameOf({ state: key }))!);
      // Arrays are padded to whole lines: the loop may work on what lies behind the last element.
      const lanes = Math.ceil(count / 4) * 4;
      updates.push((scalarsOf) => run(from, to, scalarsOf(loop), lanes));
    }
  }
  return {
    state,
    edges,
    update(scalarsOf) {
      for (const update of updates) update(scalarsOf);
    },
  };
}
