/**
 * @file Our speed beside that of peers on the same work, machine and minutes: processes take turns, and each turn gives one ratio,
 * so that what slows the machine down for a while slows all of them.
 */
import { type LineWorker, startLineWorker } from "./line-worker.js";
import { type Spread, spreadOf } from "./statistics.js";

/** A process that can do the work; see `line-worker.ts`. */
export interface Contestant {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Items of one piece of work (images, …): times are for one of them. @default 1 */
  readonly items?: number;
}

export interface Contest {
  readonly name: string;
  readonly own: Contestant;
  readonly peers: readonly Contestant[];
}

export interface PeerResult {
  readonly name: string;
  readonly version: string;
  readonly ms: Spread;
  /** The peer's time divided by ours, turn by turn: above 1, we are faster. */
  readonly ratio: Spread;
  readonly peakBytes: number | undefined;
}

export interface ContestResult {
  readonly name: string;
  readonly ms: Spread;
  readonly peakBytes: number | undefined;
  readonly peers: readonly PeerResult[];
  /** Peers that could not be run, and why. */
  readonly absent: readonly { readonly name: string; readonly why: string }[];
}

export interface ContestOptions {
  readonly turns: number;
  onTurn?(done: number): void;
}

/** Run one contest. Peers that cannot be run are named with the reason; our own failure is an error. */
export async function runContest(contest: Contest, { turns, onTurn }: ContestOptions): Promise<ContestResult> {
  const own = await startLineWorker(contest.own.command, contest.own.args);
  const peers: { peer: Contestant; worker: LineWorker; ms: number[]; ratios: number[] }[] = [];
  const absent: { name: string; why: string }[] = [];
  for (const peer of contest.peers) {
    try {
      peers.push({ peer, worker: await startLineWorker(peer.command, peer.args), ms: [], ratios: [] });
    } catch (error) {
      absent.push({ name: peer.name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  const times: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const ours = (await own.work()) / (contest.own.items ?? 1);
    times.push(ours);
    for (const { peer, worker, ms, ratios } of peers) {
      const theirs = (await worker.work()) / (peer.items ?? 1);
      ms.push(theirs);
      ratios.push(theirs / ours);
    }
    onTurn?.(turn + 1);
  }
  const results: PeerResult[] = [];
  for (const { peer, worker, ms, ratios } of peers) {
    const { version } = worker;
    results.push({
      name: peer.name,
      version,
      ms: spreadOf(ms),
      ratio: spreadOf(ratios),
      peakBytes: await worker.end(),
    });
  }
  return { name: contest.name, ms: spreadOf(times), peakBytes: await own.end(), peers: results, absent };
}
