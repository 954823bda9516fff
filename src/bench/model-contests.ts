import { fileURLToPath } from "node:url";
import type { ContestSetup } from "./contest-options.js";
import type { BenchCase } from "./model-cases.js";
import type { Contest } from "./run-contest.js";

const OWN_PROCESS = fileURLToPath(new URL("model-process.js", import.meta.url));
/** Beside the sources, not among what is built: the built file lies one folder deeper than the source. */
const PEER_SCRIPT = fileURLToPath(new URL("../../../bench/peers/sit_repa_step.py", import.meta.url));

/** A training step, or a batch of samples, beside PyTorch, eager and compiled. Off the CPU, PyTorch uses CUDA. */
export function modelContest(work: BenchCase, { threads, device, python }: ContestSetup): Contest {
  const theirDevice = device === "cpu" || device === "tfjs-cpu" ? "cpu" : "cuda";
  const peer = (name: string, compile: boolean) => ({
    name,
    command: python,
    args: [PEER_SCRIPT, JSON.stringify({ ...work, threads, device: theirDevice, compile })],
  });
  return {
    name: work.name,
    own: {
      name: "descry",
      command: process.execPath,
      args: [OWN_PROCESS, JSON.stringify({ ...work, threads, device })],
    },
    peers: [peer("PyTorch, eager", false), peer("PyTorch, torch.compile", true)],
  };
}
