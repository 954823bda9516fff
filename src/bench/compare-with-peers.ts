/**
 * @file Our speed beside PyTorch's on the same work, machine and minutes: the processes take turns, and each turn gives one ratio,
 * so that what slows the machine down for a while slows all of them.
 */
import { fileURLToPath } from "node:url";
import type { Device } from "../compile/compile.js";
import type { BenchCase } from "./cases.js";
import { type LineWorker, startLineWorker } from "./line-worker.js";
import { type Spread, spreadOf } from "./statistics.js";

export interface PeerResult {
  readonly name: string;
  readonly version: string;
  readonly ms: Spread;
  /** The peer's time divided by ours, turn by turn: above 1, we are faster. */
  readonly ratio: Spread;
  readonly peakBytes: number | undefined;
}

export interface CaseResult {
  readonly name: string;
  readonly ms: Spread;
  readonly peakBytes: number | undefined;
  readonly peers: readonly PeerResult[];
  /** Peers that could not be run, and why. */
  readonly absent: readonly { readonly name: string; readonly why: string }[];
}

export interface CompareOptions {
  readonly turns: number;
  readonly threads: number;
  readonly device: Device;
  /** A Python that has torch. */
  readonly python: string;
  onTurn?(done: number): void;
}

const OWN_PROCESS = fileURLToPath(new URL("own-process.js", import.meta.url));
/** Beside the sources, not among what is built: the built file lies one folder deeper than the source. */
const PEER_SCRIPT = fileURLToPath(new URL("../../../bench/peers/sit_repa_step.py", import.meta.url));

/** Run one case. Peers that cannot be run are named with the reason; our own failure is an error. */
export async function compareWithPeers(work: BenchCase, options: CompareOptions): Promise<CaseResult> {
  const { turns, threads, device, python } = options;
  const own = await startLineWorker(process.execPath, [
    OWN_PROCESS,
    JSON.stringify({ ...work, threads, device } satisfies BenchCase & { threads: number; device: Device }),
  ]);
  const peers: { name: string; worker: LineWorker; ms: number[]; ratios: number[] }[] = [];
  const absent: { name: string; why: string }[] = [];
  const theirDevice = device === "cpu" || device === "tfjs-cpu" ? "cpu" : "cuda";
  for (const [name, compile] of [
    ["PyTorch, eager", false],
    ["PyTorch, torch.compile", true],
  ] as const) {
    try {
      const given = JSON.stringify({ ...work, threads, device: theirDevice, compile });
      peers.push({ name, worker: await startLineWorker(python, [PEER_SCRIPT, given]), ms: [], ratios: [] });
    } catch (error) {
      absent.push({ name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  const times: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const ours = await own.work();
    times.push(ours);
    for (const peer of peers) {
      const theirs = await peer.worker.work();
      peer.ms.push(theirs);
      peer.ratios.push(theirs / ours);
    }
    options.onTurn?.(turn + 1);
  }
  const results: PeerResult[] = [];
  for (const { name, worker, ms, ratios } of peers) {
    const { version } = worker;
    results.push({ name, version, ms: spreadOf(ms), ratio: spreadOf(ratios), peakBytes: await worker.end() });
  }
  return { name: work.name, ms: spreadOf(times), peakBytes: await own.end(), peers: results, absent };
}
