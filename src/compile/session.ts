/** @file The only door to ONNX Runtime: models opened from bytes or files, run on host tensors. */
import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import { openDirectSession } from "./direct-session.js";
import { DeviceError, SignatureError } from "./errors.js";

// Since 1.29 the official builds report to their maker what is run, and keep an identifier of the machine in the home folder
// (microsoft/onnxruntime#27379). What is run here is nobody else's business. Read when the first session is opened.
process.env["ORT_DISABLE_TELEMETRY"] = "1";

// What goes wrong is thrown, in one line; the runtime's own log would say it a second time, with paths of its build machine.
ort.env.logLevel = "fatal";

/** A native session and its tensors, for this folder only. */
export type Session = ort.InferenceSession;
export type NativeTensor = ort.Tensor;

export type DType = "float32" | "int32" | "bool";

/** A tensor in host memory: row-major, as many elements as its shape says. int32 → Int32Array, bool → Uint8Array. */
export interface HostTensor {
  readonly data: Float32Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
}

export type HostTensors = Record<string, HostTensor>;

/** Devices that native code runs on. */
export type NativeDevice = "cpu" | "webgpu" | "cuda";

export interface SessionOptions {
  readonly device?: NativeDevice;
  /** Threads of one operator; 0 or absent: all that the process may use. */
  readonly threads?: number;
  /** Outputs that stay in the device's memory (webgpu only). */
  readonly keepOnDevice?: readonly string[];
  /** Refuse a model with operators that the device has not, and that would run on the CPU. @default false */
  readonly isAllOnDevice?: boolean;
}

/** What to do about a device that cannot be opened. */
const DEVICE_HINT: Partial<Record<NativeDevice, string>> = {
  webgpu:
    "no GPU was found: on Linux it needs a Vulkan driver (libvulkan1 and the card's own); descry doctor shows what is there",
  cuda: "Linux x64, CUDA 12, cuDNN 9 and ONNX Runtime's CUDA files are needed: ONNXRUNTIME_NODE_INSTALL=true npm rebuild onnxruntime-node",
};

/** What a model takes or gives: dimensions are numbers, or names where they vary. */
export interface ModelPort {
  readonly name: string;
  readonly shape: readonly (number | string)[];
  /** ONNX Runtime's name of the element type, such as "float32" or "int64". */
  readonly dtype: string;
}

export interface OpenedModel {
  readonly inputs: readonly ModelPort[];
  readonly outputs: readonly ModelPort[];
  /** Run on host tensors; `fetches` (default: all outputs) names what to compute. Copies nothing it was given. */
  run(feeds: HostTensors, fetches?: readonly string[]): Promise<HostTensors>;
  dispose(): Promise<void>;
}

type ArrayOf<D extends DType> = { float32: Float32Array; int32: Int32Array; bool: Uint8Array }[D];

/** A zero-filled array for `count` elements of a type. */
export function hostArray<D extends DType>(dtype: D, count: number): ArrayOf<D> {
  const array =
    dtype === "float32" ? new Float32Array(count) : dtype === "int32" ? new Int32Array(count) : new Uint8Array(count);
  return array as ArrayOf<D>;
}

/** ONNX Runtime's view of host memory: shares `data`, copies nothing. */
export const ortTensor = (dtype: DType, data: HostTensor["data"], shape: readonly number[]): ort.Tensor =>
  new ort.Tensor(dtype, data as never, [...shape]);

// Moments of a young optimizer are denormal by the million, and those cost a hundred times as much.
const CONFIG = { set_denormal_as_zero: "1" };

const threadsOf = ({ threads }: SessionOptions): number =>
  threads !== undefined && threads > 0 ? threads : availableParallelism();

/** A session whose results have a place in host memory before it runs. */
export interface HostSession {
  readonly inputNames: readonly string[];
  /** Read `feeds`, write into the arrays of `results`. @throws {DeviceError} one line, beginning with `name`. */
  run(feeds: HostTensors, results: HostTensors, name: string): Promise<void>;
  dispose(): Promise<void>;
}

/** Open a session on host memory: directly on the cpu where that works, else through the binding. @throws {DeviceError} as below. */
export async function openHostSession(
  model: Uint8Array,
  device: "cpu" | "cuda",
  options: Pick<SessionOptions, "threads"> = {},
): Promise<HostSession> {
  let direct: Awaited<ReturnType<typeof openDirectSession>>;
  try {
    direct = device === "cpu" ? await openDirectSession(model, threadsOf(options), CONFIG) : undefined;
  } catch (cause) {
    throw cannotOpen(model, device, cause);
  }
  if (direct !== undefined) {
    return {
      inputNames: direct.inputNames,
      async run(feeds, results, name) {
        try {
          direct.run(feeds, results);
        } catch (cause) {
          throw cannotRun(name, cause);
        }
      },
      dispose: async () => direct.dispose(),
    };
  }
  const session = await openSession(model, { ...options, device });
  const tensors = (values: HostTensors): Record<string, ort.Tensor> =>
    Object.fromEntries(
      Object.entries(values).map(([key, { data, shape }]) => [key, ortTensor(dtypeOfArray(data), data, shape)]),
    );
  return {
    inputNames: session.inputNames,
    async run(feeds, results, name) {
      await runSession(session, tensors(feeds), tensors(results), name);
    },
    dispose: () => session.release(),
  };
}

const dtypeOfArray = (data: HostTensor["data"]): DType =>
  data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "bool";

/** Open an ONNX Runtime session. @throws {DeviceError} what ONNX Runtime says about the model or the device, in one line. */
export async function openSession(
  model: string | Uint8Array,
  options: SessionOptions = {},
): Promise<ort.InferenceSession> {
  const device = options.device ?? "cpu";
  const sessionOptions: ort.InferenceSession.SessionOptions = {
    executionProviders: [device],
    graphOptimizationLevel: "all",
    executionMode: "sequential",
    // One block planned for all activations cannot reuse what the first run left in the arena: a third more memory, no faster.
    enableMemPattern: false,
    intraOpNumThreads: threadsOf(options),
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: {
      session: { ...CONFIG, ...(options.isAllOnDevice ? { disable_cpu_ep_fallback: "1" } : {}) },
    },
    ...(options.keepOnDevice === undefined || options.keepOnDevice.length === 0
      ? {}
      : {
          preferredOutputLocation: Object.fromEntries(options.keepOnDevice.map((key) => [key, "gpu-buffer" as const])),
        }),
  };
  try {
    return typeof model === "string"
      ? await ort.InferenceSession.create(model, sessionOptions)
      : await ort.InferenceSession.create(model, sessionOptions);
  } catch (cause) {
    throw cannotOpen(model, device, cause);
  }
}

function cannotOpen(model: string | Uint8Array, device: NativeDevice, cause: unknown): DeviceError {
  const what = typeof model === "string" ? model : "the compiled graph";
  const hint = DEVICE_HINT[device];
  const said = `ONNX Runtime cannot open ${what}${device === "cpu" ? "" : ` on ${device}`}: ${oneLine(cause)}`;
  return new DeviceError(hint === undefined ? said : `${said} — ${hint}`, cause);
}

const cannotRun = (name: string, cause: unknown): DeviceError =>
  new DeviceError(`${name}: ONNX Runtime failed: ${oneLine(cause)}`, cause);

/** Run a session; errors become one line. */
export async function runSession(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  fetches: Record<string, ort.Tensor | null>,
  name: string,
): Promise<ort.InferenceSession.OnnxValueMapType> {
  try {
    return await session.run(feeds, fetches);
  } catch (cause) {
    throw cannotRun(name, cause);
  }
}

/** Without line breaks, and without the place in ONNX Runtime's source where a check failed. */
const oneLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause))
    .replaceAll(/\s*\n\s*/g, " ")
    .replace(/^\/\S+:\d+ .* was false\. /, "")
    .trim();

/** The values of a result on the host. */
export function hostTensor(value: ort.OnnxValue): HostTensor {
  const tensor = value as ort.Tensor;
  return { data: tensor.data as HostTensor["data"], shape: tensor.dims };
}

/**
 * Open somebody else's ONNX model, from a file or from bytes.
 *
 * Feeds are host tensors; where the model wants int64 or float16 they are refused, as is any name, rank or fixed side that
 * does not fit. Results in other types than float32, int32 and bool are converted to float32 (int64 exactly up to 2^24).
 */
export async function openModel(pathOrBytes: string | Uint8Array, options: SessionOptions = {}): Promise<OpenedModel> {
  const session = await openSession(pathOrBytes, options);
  const name = typeof pathOrBytes === "string" ? pathOrBytes : "model";
  const ports = (metadata: readonly ort.InferenceSession.ValueMetadata[]): ModelPort[] =>
    metadata.map((port) => ({
      name: port.name,
      shape: port.isTensor ? port.shape : [],
      dtype: port.isTensor ? port.type : "not a tensor",
    }));
  const inputs = ports(session.inputMetadata);
  const outputs = ports(session.outputMetadata);

  return {
    inputs,
    outputs,
    async run(feeds, fetches = outputs.map((port) => port.name)) {
      const given: Record<string, ort.Tensor> = {};
      for (const port of inputs) {
        const feed = feeds[port.name];
        if (feed === undefined) throw new SignatureError(`${name}: input "${port.name}" is missing`);
        const fits =
          feed.shape.length === port.shape.length &&
          feed.shape.every((side, axis) => typeof port.shape[axis] !== "number" || port.shape[axis] === side);
        if (!fits) {
          throw new SignatureError(`${name}: input "${port.name}" wants [${port.shape}], got [${feed.shape}]`);
        }
        given[port.name] = ortTensor(dtypeOf(name, port), feed.data, feed.shape);
      }
      for (const fetch of fetches) {
        if (!outputs.some((port) => port.name === fetch)) {
          const known = outputs.map((port) => port.name).join(", ");
          throw new SignatureError(`${name}: there is no output "${fetch}"; there are: ${known}`);
        }
      }
      const wanted = Object.fromEntries(fetches.map((fetch) => [fetch, null]));
      const results = await runSession(session, given, wanted, name);
      return Object.fromEntries(fetches.map((fetch) => [fetch, toHost(results[fetch] as ort.Tensor)]));
    },
    dispose: () => session.release(),
  };
}

function dtypeOf(name: string, port: ModelPort): DType {
  if (port.dtype === "float32" || port.dtype === "int32" || port.dtype === "bool") return port.dtype;
  throw new SignatureError(`${name}: input "${port.name}" wants ${port.dtype}; float32, int32 and bool can be fed`);
}

function toHost(tensor: ort.Tensor): HostTensor {
  if (tensor.type === "float32" || tensor.type === "int32" || tensor.type === "bool") return hostTensor(tensor);
  return { data: Float32Array.from(tensor.data as ArrayLike<number | bigint>, Number), shape: tensor.dims };
}
