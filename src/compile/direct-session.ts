/**
 * @file ONNX Runtime's C interface, called without its Node binding, for graphs on the cpu whose results have a place already.
 *
 * The binding writes a result where it is told to and then copies it into a new array all the same: half a gigabyte for each
 * training step of a SiT-B/2. Here nothing is copied. The library is the one that the binding has loaded, so there is one
 * runtime in the process. Numbers of functions: their order in `OrtApi` of onnxruntime_c_api.h, which only ever grows.
 *
 * Runs are synchronous, as the binding's are. (An asynchronous call would use a thread on which the setting for numbers below the
 * smallest normal one may not hold; not tried.)
 */
import { createRequire } from "node:module";
import path from "node:path";
import type { TypeObject } from "koffi";
import { CompileError } from "./errors.js";
import type { HostTensors } from "./session.js";

type Koffi = typeof import("koffi")["default"];
type Pointer = bigint;
/** A C function; those that can fail give a status, null for success. */
type Call = (...values: unknown[]) => unknown;

/** The interface as of 1.16: every later library still gives it. */
const API_VERSION = 16;
const SEQUENTIAL = 0;
const ALL_OPTIMIZATIONS = 99;
const FATAL = 4;
const [DEVICE_ALLOCATOR, DEFAULT_MEMORY] = [0, 0];
/** `ONNXTensorElementDataType`. */
const ELEMENT = { Float32Array: 1, Int32Array: 6, Uint8Array: 9 } as const;

/** Index in `OrtApi`, and the arguments after which `*` is a pointer. Those named `release` and the message return no status. */
const FUNCTIONS = {
  message: [2, "const char *", "*"],
  createEnv: [3, "*", "int", "const char *", "*"],
  createSession: [8, "*", "*", "*", "size_t", "*", "*"],
  run: [9, "*", "*", "*", "const char **", "*", "size_t", "const char **", "size_t", "*"],
  createOptions: [10, "*", "*"],
  setMode: [13, "*", "*", "int"],
  disableMemoryPattern: [17, "*", "*"],
  setLogLevel: [22, "*", "*", "int"],
  setOptimization: [23, "*", "*", "int"],
  setThreads: [24, "*", "*", "int"],
  setInterOpThreads: [25, "*", "*", "int"],
  countInputs: [30, "*", "*", "*"],
  inputName: [36, "*", "*", "size_t", "*", "*"],
  createTensor: [49, "*", "*", "*", "size_t", "*", "size_t", "int", "*"],
  createCpuMemory: [69, "*", "int", "int", "*"],
  freeBytes: [76, "*", "*", "*"],
  defaultAllocator: [78, "*", "*"],
  releaseStatus: [93, "void", "*"],
  releaseSession: [95, "void", "*"],
  releaseValue: [96, "void", "*"],
  releaseOptions: [100, "void", "*"],
  setConfig: [130, "*", "*", "const char *", "const char *"],
} as const;

/** The library beside the binding, by platform. */
const LIBRARY: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libonnxruntime.so.1",
  darwin: "libonnxruntime.1.dylib",
  win32: "onnxruntime.dll",
};

interface Runtime {
  readonly koffi: Koffi;
  readonly call: Readonly<Record<keyof typeof FUNCTIONS, Call>>;
  readonly env: Pointer;
  readonly cpuMemory: Pointer;
  readonly allocator: Pointer;
}

/** A session on the cpu. */
export interface DirectSession {
  readonly inputNames: readonly string[];
  /** Read `feeds`, write into the arrays of `results`. Blocks. @throws {CompileError} what ONNX Runtime says. */
  run(feeds: HostTensors, results: HostTensors): void;
  dispose(): void;
}

let loading: Promise<Runtime | CompileError> | undefined;

/** The runtime, or why it cannot be called directly; then the binding does the work. */
const loadOnce = (): Promise<Runtime | CompileError> => {
  loading ??= load().catch((cause: unknown) => {
    const said = cause instanceof Error ? cause.message : String(cause);
    return new CompileError("CompileError", said.split("\n")[0]!.trim(), cause);
  });
  return loading;
};

/** Why graphs on the cpu run through the Node binding here, in a line; undefined where they do not. */
export async function whyNotDirect(): Promise<string | undefined> {
  const runtime = await loadOnce();
  return runtime instanceof CompileError ? runtime.message : undefined;
}

async function load(): Promise<Runtime> {
  process.env["ORT_DISABLE_TELEMETRY"] = "1"; // as in session.ts, which need not have been loaded: `descry doctor`
  const { default: koffi } = await import("koffi");
  const name = LIBRARY[process.platform];
  if (name === undefined) throw new Error(`no name is known for ONNX Runtime's library on ${process.platform}`);
  const main = createRequire(import.meta.url).resolve("onnxruntime-node");
  const file = path.resolve(path.dirname(main), "../bin/napi-v6", process.platform, process.arch, name);
  const base = koffi.load(file).func("OrtGetApiBase", "void *", [])() as Pointer;
  const [getApi] = koffi.decode(base, koffi.array("void *", 1)) as Pointer[];
  const api = koffi.call(getApi, koffi.proto("void *", ["uint32_t"]), API_VERSION) as Pointer | null;
  if (api === null) throw new Error(`${name} has no interface of version ${API_VERSION}`);
  const last = Math.max(...Object.values(FUNCTIONS).map(([index]) => index));
  const table = koffi.decode(api, koffi.array("void *", last + 1)) as Pointer[];
  const typeOf = (type: string): string => (type === "*" ? "void *" : type);
  const call = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([key, [index, result, ...parameters]]) => {
      const proto: TypeObject = koffi.proto(typeOf(result), parameters.map(typeOf));
      return [key, koffi.decode(table[index], proto) as Call];
    }),
  ) as Runtime["call"];
  const made = (create: Call, ...values: unknown[]): Pointer => pointerFrom(call, create, ...values);
  return {
    koffi,
    call,
    // One for the process; the runtime counts its users, and the binding is another.
    env: made(call.createEnv, FATAL, "descry"),
    cpuMemory: made(call.createCpuMemory, DEVICE_ALLOCATOR, DEFAULT_MEMORY),
    allocator: made(call.defaultAllocator),
  };
}

/** @throws {Error} the message of a status, which is released. */
function check(call: Runtime["call"], status: unknown): void {
  if (status === null) return;
  const message = call.message(status) as string;
  call.releaseStatus(status);
  throw new Error(message);
}

/** Call a function whose last argument is where a pointer goes. */
function pointerFrom(call: Runtime["call"], create: Call, ...values: unknown[]): Pointer {
  const place = new BigUint64Array(1);
  check(call, create(...values, place));
  return place[0]!;
}

/**
 * Open a model that is in memory.
 *
 * @param threads of one operator.
 * @param config  configuration entries, without `session.` before their names.
 * @returns undefined where the library cannot be called directly.
 * @throws  {Error} what ONNX Runtime says about the model.
 */
export async function openDirectSession(
  model: Uint8Array,
  threads: number,
  config: Readonly<Record<string, string>>,
): Promise<DirectSession | undefined> {
  const runtime = await loadOnce();
  if (runtime instanceof CompileError) return undefined;
  const { koffi, call, env, cpuMemory, allocator } = runtime;
  const done = (status: unknown): void => check(call, status);
  const made = (create: Call, ...values: unknown[]): Pointer => pointerFrom(call, create, ...values);

  const options = made(call.createOptions);
  let session: Pointer;
  try {
    done(call.setMode(options, SEQUENTIAL));
    done(call.disableMemoryPattern(options));
    done(call.setLogLevel(options, FATAL));
    done(call.setOptimization(options, ALL_OPTIMIZATIONS));
    done(call.setThreads(options, threads));
    done(call.setInterOpThreads(options, 1));
    for (const [key, value] of Object.entries(config)) done(call.setConfig(options, `session.${key}`, value));
    session = made(call.createSession, env, model, model.byteLength, options);
  } finally {
    call.releaseOptions(options);
  }

  const count = new BigUint64Array(1);
  done(call.countInputs(session, count));
  const inputNames = Array.from({ length: Number(count[0]) }, (_, index) => {
    const name = made(call.inputName, session, index, allocator);
    const text = koffi.decode.string(name);
    done(call.freeBytes(allocator, name));
    return text;
  });

  return {
    inputNames,
    run(feeds, results) {
      const [fed, wanted] = [Object.keys(feeds), Object.keys(results)];
      // Values are views that live as long as the call; none of the arrays can move or go meanwhile.
      const values: Pointer[] = [];
      try {
        for (const { data, shape } of [...Object.values(feeds), ...Object.values(results)]) {
          const type = ELEMENT[data.constructor.name as keyof typeof ELEMENT];
          const sides = BigInt64Array.from(shape, BigInt);
          values.push(made(call.createTensor, cpuMemory, data, data.byteLength, sides, sides.length, type));
        }
        const inputs = BigUint64Array.from(values.slice(0, fed.length));
        const outputs = BigUint64Array.from(values.slice(fed.length));
        done(call.run(session, null, fed, inputs, fed.length, wanted, wanted.length, outputs));
      } finally {
        for (const value of values) call.releaseValue(value);
      }
    },
    dispose: () => void call.releaseSession(session),
  };
}
