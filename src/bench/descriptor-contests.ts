import { fileURLToPath } from "node:url";
import type { ContestSetup } from "./contest-options.js";
import type { Contest } from "./run-contest.js";

const OWN_PROCESS = fileURLToPath(new URL("descriptor-process.js", import.meta.url));
/** Beside the sources, not among what is built: the built file lies one folder deeper than the source. */
const PEER_SCRIPT = fileURLToPath(new URL("../../../bench/peers/descriptors.py", import.meta.url));

/** Images of a batch of ours; peers describe one at a time, as their users do. */
const BATCH = 16;

/** Targets, and the peers that compute the same numbers, or (VLFeat) those of the same method. */
const CASES: readonly {
  readonly target: string;
  readonly peers: readonly { name: string; call: string; images: number }[];
}[] = [
  {
    target: "sift",
    peers: [
      { name: "OpenCV", call: "opencv-sift", images: 4 },
      { name: "VLFeat, flat window", call: "vlfeat-sift", images: 4 },
    ],
  },
  { target: "sift:oriented", peers: [{ name: "Kornia", call: "kornia-oriented", images: 1 }] },
  { target: "hog", peers: [{ name: "scikit-image", call: "skimage-hog 8 2 4", images: 1 }] },
  {
    target: "hog:d36_ppc8_cb2",
    peers: [
      { name: "scikit-image", call: "skimage-hog 9 8 2", images: 4 },
      { name: "VLFeat", call: "vlfeat-hog 9 8", images: 4 },
    ],
  },
];

/** Descriptors of 256×256 images on a grid of 16×16, milliseconds an image. */
export const descriptorContests = ({ threads, device, python }: ContestSetup): Contest[] =>
  CASES.map(({ target, peers }) => ({
    name: target,
    own: {
      name: "descry",
      command: process.execPath,
      args: [OWN_PROCESS, JSON.stringify({ target, batch: BATCH, threads, device })],
      items: BATCH,
    },
    peers: peers.map(({ name, call, images }) => ({
      name,
      command: python,
      args: [PEER_SCRIPT, call, String(images), String(threads)],
      items: images,
    })),
  }));
