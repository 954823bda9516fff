/**
 * @file Worker threads that describe images side by side. Each has the descriptors ready for itself; images and tokens lie in shared
 * memory, and a worker has its next piece of work before it has done one, so that none waits for this thread.
 */
import { once } from "node:events";
import { SHARE_ENV, Worker } from "node:worker_threads";
import { builtFile } from "../data/built-file.js";
import { DescryError, ShapeError } from "../data/errors.js";
import { unpackThrown } from "../data/thrown.js";
import type { WorkerAnswer, WorkerRequest, WorkerSetup } from "./describe-protocol.js";
import type { Describer, DescriberOptions } from "./describer.js";
import type { Descriptor } from "./descriptor.js";
import { pair } from "./pair.js";
import { traceProgram } from "./trace-program.js";

export interface DescribeWorkersOptions extends DescriberOptions {
  readonly workers: number;
  /** Give a worker whole batches: an encoder takes them at once. @default false: pieces of {@link PIXELS_PER_PIECE} */
  readonly takesBatches?: boolean;
}

/** Pieces of work that a worker has been given: one that it does, and the next. */
const PIECES_AHEAD = 2;
/** Pixels in a piece of work, one image of 256×256: long enough that the messages do not count, and little to wait for at the end. */
const PIXELS_PER_PIECE = 256 ** 2;

/**
 * Start workers and wait until they are ready.
 *
 * @param descriptors loaded; those that are no programs are opened by their names, so none that depends on more than that.
 * @throws {DescryError} what a worker says, such as an image size that a descriptor cannot take.
 */
export async function openDescribeWorkers(
  descriptors: readonly Descriptor[],
  { sample, workers, takesBatches = false, ...options }: DescribeWorkersOptions,
): Promise<Describer> {
  const [height, width] = pair(options.imageSizePx);
  const [rows, cols] = pair(options.grid);
  const imageBytes = height * width * 3;
  const tokenSizes = descriptors.map(({ dim }) => rows * cols * dim);
  const inPiece = takesBatches ? options.batch : Math.floor(PIXELS_PER_PIECE / (height * width));
  const most = Math.max(1, Math.min(options.batch, inPiece));
  const computing = { ...options, batch: most };
  const targets = descriptors.map((one) => ("program" in one ? traceProgram(one, computing) : one.name));
  const memory = new SharedMemory();
  const pool = new WorkerPool(workers, { targets, computing, sample });
  return {
    notes: await pool.ready(),
    async describe(given, count, indices) {
      if (given.length !== count * imageBytes) {
        throw new ShapeError(
          `features ${descriptors.map(({ name }) => name).join(", ")}: want ${count} images of ${height} × ${width} × 3 bytes, got ${given.length} bytes`,
        );
      }
      const isShared = given.buffer instanceof SharedArrayBuffer;
      const images = isShared ? given : new Uint8Array(memory.take(given.length), 0, given.length);
      if (!isShared) images.set(given);
      const tokens = tokenSizes.map((size) => new Float32Array(memory.take(4 * count * size), 0, count * size));
      const pieces: Promise<void>[] = [];
      for (let first = 0; first < count; first += most) {
        const end = Math.min(first + most, count);
        pieces.push(
          pool.do({
            images: images.subarray(first * imageBytes, end * imageBytes),
            count: end - first,
            ...(indices !== undefined && { rows: indices.slice(first, end) }),
            tokens: tokens.map((all, i) => all.subarray(first * tokenSizes[i]!, end * tokenSizes[i]!)),
          }),
        );
      }
      await Promise.all(pieces);
      const own = tokens.map((all) => new Float32Array(all));
      // Not before: a worker of a piece that failed may still write.
      for (const { buffer } of isShared ? tokens : [images, ...tokens]) memory.give(buffer as SharedArrayBuffer);
      return own;
    },
    dispose: () => pool.dispose(),
  };
}

/** Shared memory that is used again: what is thrown away is not counted by the garbage collector, which lets it pile up. */
class SharedMemory {
  readonly #free: SharedArrayBuffer[] = [];

  /** At least so many bytes, of any content. */
  take(bytes: number): SharedArrayBuffer {
    const fitting = this.#free.findIndex(({ byteLength }) => byteLength >= bytes && byteLength <= 2 * bytes);
    return fitting < 0 ? new SharedArrayBuffer(bytes) : this.#free.splice(fitting, 1)[0]!;
  }

  give(buffer: SharedArrayBuffer): void {
    this.#free.push(buffer);
  }
}

interface Piece {
  readonly request: WorkerRequest;
  resolve(): void;
  reject(error: Error): void;
}

interface PoolWorker {
  readonly thread: Worker;
  isReady: boolean;
  /** What it was given and has not answered. */
  readonly pieces: Piece[];
}

class WorkerPool {
  private readonly workers: PoolWorker[] = [];
  private readonly opened: Promise<readonly (string | undefined)[]>[] = [];
  private readonly waiting: Piece[] = [];
  private broken: Error | undefined;
  private isEnding = false;

  constructor(count: number, setup: WorkerSetup) {
    for (let i = 0; i < count; i++) this.opened.push(this.start(setup));
  }

  /** @returns the notes of the descriptors. */
  async ready(): Promise<readonly (string | undefined)[]> {
    try {
      return (await Promise.all(this.opened))[0]!;
    } catch (error) {
      await Promise.all(this.workers.map(({ thread }) => thread.terminate()));
      throw error;
    }
  }

  do(request: WorkerRequest): Promise<void> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    return new Promise((resolve, reject) => {
      this.waiting.push({ request, resolve, reject });
      this.handOut();
    });
  }

  /** Ends the workers when they have done what they were given. */
  async dispose(): Promise<void> {
    this.isEnding = true;
    const running = this.workers.filter(({ thread }) => thread.threadId >= 0);
    await Promise.all(
      running.map(async ({ thread }) => {
        const ended = once(thread, "exit");
        thread.postMessage(undefined satisfies WorkerRequest);
        await ended;
      }),
    );
  }

  private start(setup: WorkerSetup): Promise<readonly (string | undefined)[]> {
    // The environment is shared because ONNX Runtime's telemetry is switched off there.
    const script = builtFile("features/describe-worker.js");
    const thread = new Worker(script, { workerData: setup, env: SHARE_ENV, execArgv: [] });
    const worker: PoolWorker = { thread, isReady: false, pieces: [] };
    this.workers.push(worker);
    return new Promise((resolve, reject) => {
      const breakDown = (error: Error) => {
        reject(error);
        if (!this.isEnding) this.breakDown(error);
      };
      thread.on("message", (answer: WorkerAnswer) => {
        if (answer.kind === "ready") {
          worker.isReady = true;
          resolve(answer.notes);
        } else if (!worker.isReady) {
          breakDown(unpackThrown(answer as Extract<WorkerAnswer, { kind: "failed" }>));
        } else {
          const piece = worker.pieces.shift()!;
          if (answer.kind === "failed") piece.reject(unpackThrown(answer));
          else piece.resolve();
        }
        this.handOut();
      });
      thread.on("error", (error) => breakDown(error as Error));
      thread.on("exit", (code) =>
        breakDown(new DescryError("ProcessError", `a worker thread ended early, with code ${code}`)),
      );
    });
  }

  /** Give waiting pieces to the workers that have least to do. */
  private handOut(): void {
    while (this.waiting.length > 0) {
      const free = this.workers.filter(({ isReady, pieces }) => isReady && pieces.length < PIECES_AHEAD);
      if (free.length === 0) return;
      const worker = free.reduce((best, other) => (other.pieces.length < best.pieces.length ? other : best));
      const piece = this.waiting.shift()!;
      worker.pieces.push(piece);
      worker.thread.postMessage(piece.request);
    }
  }

  /** A worker is gone: nothing that waits will be done. */
  private breakDown(error: Error): void {
    this.broken ??= error;
    const lost = [...this.waiting.splice(0), ...this.workers.flatMap(({ pieces }) => pieces.splice(0))];
    for (const { reject } of lost) reject(this.broken);
  }
}
