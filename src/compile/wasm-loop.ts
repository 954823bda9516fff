/**
 * @file A loop over whole arrays as a WebAssembly module of four-lane instructions: each element is loaded once, every operation
 * of an expression is done on it in registers, and the results are stored. One pass over memory where a graph of single operators
 * takes one for each.
 */

/** Operations on lanes; operands are earlier values. */
export type LaneOp = "add" | "sub" | "mul" | "div" | "max" | "min" | "sqrt" | "neg" | "abs";

/** Values are numbered: first the arrays that are loaded, then the scalars, then the results of the steps. */
export interface LoopProgram {
  /** Arrays that are loaded. */
  readonly loads: number;
  readonly scalars: number;
  readonly steps: readonly { readonly op: LaneOp; readonly operands: readonly number[] }[];
  /** Value stored to each output array. Magnitudes below the smallest normal number are stored as zero. */
  readonly stores: readonly number[];
}

/**
 * Run over `count` elements, a multiple of 4.
 *
 * @param loads   byte offsets of the arrays in the memory, multiples of 16.
 * @param stores  of the outputs; an output may be one of the loaded arrays.
 */
export type Loop = (
  loads: readonly number[],
  stores: readonly number[],
  scalars: readonly number[],
  count: number,
) => void;

const OPCODE: Record<LaneOp, number> = {
  add: 0xe4,
  sub: 0xe5,
  mul: 0xe6,
  div: 0xe7,
  min: 0xe8,
  max: 0xe9,
  abs: 0xe0,
  neg: 0xe1,
  sqrt: 0xe3,
};
const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
const SMALLEST_NORMAL = 2 ** -126;

const unsigned = (value: number): number[] => {
  const bytes = [];
  let rest = value;
  do {
    const more = rest >= 0x80;
    bytes.push((rest % 0x80) | (more ? 0x80 : 0));
    rest = Math.floor(rest / 0x80);
  } while (rest > 0);
  return bytes;
};
const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, body: readonly number[]): number[] => [id, ...unsigned(body.length), ...body];
const text = (name: string): number[] => [...unsigned(name.length), ...Buffer.from(name, "latin1")];

const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
const ADD_I32 = [0x6a];
/** Alignment 2⁴, offset 0. */
const MEMORY = [0x04, 0x00];

/** The bytes of the module. It imports `e.m`, a memory, and exports `r`. */
function assemble({ loads, scalars, steps, stores }: LoopProgram): Uint8Array {
  const arrays = loads + stores.length;
  // Parameters: addresses of loads and stores, scalars, and the end of the loop in bytes. Then the position, and the values.
  const end = arrays + scalars;
  const position = end + 1;
  const localOf = (value: number): number => position + 1 + value;
  const normal = localOf(loads + scalars + steps.length);
  const locals = loads + scalars + steps.length + 1;
  const address = (array: number) => [...get(array), ...get(position), ...ADD_I32];
  const float = [...new Uint8Array(Float32Array.of(SMALLEST_NORMAL).buffer)];

  const code = [
    ...Array.from({ length: scalars }, (_, i) => [
      ...get(arrays + i),
      ...simd(0x13),
      ...set(localOf(loads + i)),
    ]).flat(),
    ...[0x43, ...float, ...simd(0x13), ...set(normal)],
    ...[0x03, 0x40],
    ...Array.from({ length: loads }, (_, i) => [...address(i), ...simd(0x00), ...MEMORY, ...set(localOf(i))]).flat(),
    ...steps.flatMap(({ op, operands }, i) => [
      ...operands.flatMap((operand) => get(localOf(operand))),
      ...simd(OPCODE[op]),
      ...set(localOf(loads + scalars + i)),
    ]),
    ...stores.flatMap((value, i) => [
      ...address(loads + i),
      ...get(localOf(value)),
      // Not (|x| < smallest normal), as a mask: a value that is not a number stays one.
      ...[...get(localOf(value)), ...simd(OPCODE.abs), ...get(normal), ...simd(0x43), ...simd(0x4f)],
      ...[...simd(0x0b), ...MEMORY],
    ]),
    ...[...get(position), 0x41, 0x10, ...ADD_I32, 0x22, ...unsigned(position)],
    ...[...get(end), 0x49, 0x0d, 0x00],
    ...[0x0b, 0x0b],
  ];
  const parameters = [...new Array<number>(arrays).fill(I32), ...new Array<number>(scalars).fill(F32), I32];
  const body = [...vector([[1, I32], [...unsigned(locals), V128]]), ...code]; // biome-ignore format: one line
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, ...vector(parameters.map((type) => [type])), 0x00]])),
    ...section(2, vector([[...text("e"), ...text("m"), 0x02, 0x00, 0x01]])),
    ...section(3, vector([[0x00]])),
    ...section(7, vector([[...text("r"), 0x00, 0x00]])),
    ...section(10, vector([[...unsigned(body.length), ...body]])),
  ]);
}

/** Compile a program into a loop over a memory. */
export async function compileLoop(program: LoopProgram, memory: WebAssembly.Memory): Promise<Loop> {
  const { instance } = await WebAssembly.instantiate(assemble(program), { e: { m: memory } });
  const run = instance.exports["r"] as (...values: number[]) => void;
  return (loads, stores, scalars, count) => {
    if (count > 0) run(...loads, ...stores, ...scalars, count * 4);
  };
}
