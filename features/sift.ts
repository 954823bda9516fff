/**
 * @file The SIFT family: four conventions of one method, and its parameters. Owns the target strings `sift[:OPTIONS]`.
 *
 *   sift                       upright, OpenCV's convention
 *   sift:opencv                the same for key points without an angle; also sift:angle=-1
 *   sift:kornia                Kornia's convention, upright
 *   sift:oriented              the same in frames of the dominant orientation
 *   sift:vlfeat[,flat]         VLFeat's dense SIFT
 *
 * and any of `bins=4 orientations=8 clip=0.2 norm=bytes|unit|none root`, `size=PX` of the key point (not vlfeat), `angle=DEG`
 * (OpenCV's), `patch=41` (Kornia's), `bin=PX window=2 flat` (VLFeat's), joined by commas. Each convention is a file of its own.
 *
 * The iREPA code's encoder called `sift` is `sift:oriented` here; its `siftopencv` is `sift:opencv`.
 */
import tf from "@tensorflow/tfjs";
import { UsageError } from "../data/errors.js";
import type { DescriptorFamily, Grid, ProgramDescriptor } from "./descriptor.js";
import { binLayout, korniaSiftVotes } from "./kornia-sift.js";
import { openCvSiftOnProcessor, openCvSiftVotes } from "./opencv-sift.js";
import { normalizeSift, SIFT_NORMS, type SiftNormalization } from "./sift-normalize.js";
import { type OptionKind, type OptionValues, parseOptions, targetName } from "./target-options.js";
import { vlfeatSiftVotes } from "./vlfeat-sift.js";

const DEFAULTS = { bins: 4, orientations: 8, clip: 0.2, patch: 41, window: 2 } as const;
/** OpenCV's key points have this angle when they have none; it is then taken as one, of -1°. */
const NO_ANGLE_DEG = -1;

const whole = (min: number, max: number): OptionKind => ({ kind: "number", min, max, isWhole: true });
const real = (min: number, max: number): OptionKind => ({ kind: "number", min, max, isWhole: false });

const OPTIONS = {
  opencv: { kind: "switch" },
  kornia: { kind: "switch" },
  oriented: { kind: "switch" },
  vlfeat: { kind: "switch" },
  bins: whole(1, 16),
  orientations: whole(1, 72),
  size: real(1, 4096),
  bin: real(1, 4096),
  angle: real(-360, 360),
  patch: whole(5, 255),
  window: real(0.1, 100),
  flat: { kind: "switch" },
  clip: real(0.01, 1),
  norm: { kind: "choice", of: SIFT_NORMS },
  root: { kind: "switch" },
} as const satisfies Record<string, OptionKind>;

type OptionName = keyof typeof OPTIONS;

interface Convention {
  /** The options that it has besides those of all. */
  readonly own: readonly OptionName[];
  readonly norm: SiftNormalization["norm"];
  readonly summary: string;
}

const CONVENTIONS: Readonly<Record<"opencv" | "kornia" | "oriented" | "vlfeat", Convention>> = {
  opencv: { own: ["size", "angle", "opencv"], norm: "bytes", summary: "OpenCV's convention" },
  kornia: { own: ["size", "patch", "kornia"], norm: "unit", summary: "Kornia's convention, upright frames" },
  oriented: {
    own: ["size", "patch", "kornia", "oriented"],
    norm: "unit",
    summary: "Kornia's convention, frames of the dominant orientation",
  },
  vlfeat: { own: ["bin", "window", "flat", "vlfeat"], norm: "unit", summary: "VLFeat's dense SIFT" },
};
const OF_ALL: readonly OptionName[] = ["bins", "orientations", "clip", "norm", "root"];

/** Dense SIFT with some options. Version 3 of all conventions. */
function sift(text: string | undefined): ProgramDescriptor {
  const values = parseOptions("sift", text, OPTIONS);
  const convention = conventionOf(values);
  const { own, norm: byDefault, summary } = CONVENTIONS[convention];
  const other = Object.keys(values).find((name) => ![...OF_ALL, ...own].includes(name as OptionName));
  if (other !== undefined) {
    throw new UsageError(`target "sift:${text}": "${other}" is no option of ${summary}`, {
      hint: `it has ${[...OF_ALL, ...own].join(", ")}`,
    });
  }
  const number = (name: OptionName): number | undefined => values[name] as number | undefined;
  const bins = number("bins") ?? DEFAULTS.bins;
  const orientations = number("orientations") ?? DEFAULTS.orientations;
  const patch = number("patch") ?? DEFAULTS.patch;
  const window = number("window") ?? DEFAULTS.window;
  const angleDeg = uniqueAngle(number("angle") ?? (values["opencv"] === true ? NO_ANGLE_DEG : 0));
  const normalization: SiftNormalization = {
    norm: (values["norm"] as SiftNormalization["norm"] | undefined) ?? byDefault,
    clip: number("clip") ?? DEFAULTS.clip,
    isRoot: values["root"] === true,
  };
  const isKornia = convention === "kornia" || convention === "oriented";
  if (isKornia && binLayout(bins, patch).count !== bins) {
    throw new UsageError(`target "sift:${text}": ${bins} bins do not fit a patch of ${patch} samples`, {
      hint: `for example patch=${DEFAULTS.patch} with bins=${DEFAULTS.bins}`,
    });
  }
  const sizes = { bins, orientations, sizePx: number("size") };
  const openCv = { ...sizes, turnDeg: (360 - angleDeg) % 360 };
  const votes = (images: tf.Tensor4D, grid: Grid): tf.Tensor3D => {
    switch (convention) {
      case "opencv":
        return openCvSiftVotes(images, grid, openCv);
      case "kornia":
        return korniaSiftVotes(images, grid, { ...sizes, patch, isOriented: false });
      case "oriented":
        return korniaSiftVotes(images, grid, { ...sizes, patch, isOriented: true });
      case "vlfeat":
        return vlfeatSiftVotes(images, grid, {
          bins,
          orientations,
          binPx: number("bin"),
          window,
          isFlat: values["flat"] === true,
        });
    }
  };
  return {
    name: targetName("sift", [
      ["opencv", convention === "opencv" && angleDeg === NO_ANGLE_DEG],
      ["kornia", convention === "kornia"],
      ["oriented", convention === "oriented"],
      ["vlfeat", convention === "vlfeat"],
      ["flat", values["flat"] === true],
      ["angle", angleDeg === NO_ANGLE_DEG ? undefined : angleDeg, 0],
      ["bins", bins, DEFAULTS.bins],
      ["orientations", orientations, DEFAULTS.orientations],
      ["size", number("size")],
      ["bin", number("bin")],
      ["window", window, DEFAULTS.window],
      ["patch", patch, DEFAULTS.patch],
      ["clip", normalization.clip, DEFAULTS.clip],
      ["norm", normalization.norm, byDefault],
      ["root", normalization.isRoot],
    ]),
    dim: bins ** 2 * orientations,
    version: 3,
    summary: `dense ${normalization.isRoot ? "RootSIFT" : "SIFT"}, ${summary}: ${bins}×${bins} bins of ${orientations} orientations`,
    // Turned frames, and Kornia's order of the channels, are not drawn.
    ...((convention === "vlfeat" || (convention === "opencv" && Math.abs(angleDeg) <= 1)) && {
      histograms: { cells: bins, orientations, isSigned: true, firstDeg: 0, isClockwise: convention === "vlfeat" },
    }),
    program: (images, grid) => tf.tidy(() => normalizeSift(votes(images, grid), normalization)),
    ...(convention === "opencv" && {
      onProcessor(imageSizePx, grid) {
        const { pass, program } = openCvSiftOnProcessor(imageSizePx, grid, openCv);
        return { pass, program: (made) => tf.tidy(() => normalizeSift(program(made), normalization)) };
      },
    }),
  };
}

function conventionOf(values: OptionValues): keyof typeof CONVENTIONS {
  if (values["vlfeat"] === true) return "vlfeat";
  if (values["oriented"] === true) return "oriented";
  return values["kornia"] === true ? "kornia" : "opencv";
}

/** The same angle, above -180 and up to 180 degrees. */
function uniqueAngle(angleDeg: number): number {
  const turned = angleDeg - 360 * Math.ceil((angleDeg - 180) / 360);
  return turned + 0;
}

export const siftFamily: DescriptorFamily = {
  name: "sift",
  targets: [
    { pattern: "sift", summary: "upright dense SIFT in OpenCV's convention, whole numbers 0…255", dim: "128" },
    {
      pattern: "sift:opencv",
      summary: "dense SIFT of OpenCV key points without an angle (a frame turned by 1°): iREPA's siftopencv",
      dim: "128",
    },
    { pattern: "sift:kornia", summary: "upright dense SIFT in Kornia's convention, unit norm", dim: "128" },
    {
      pattern: "sift:oriented",
      summary: "Kornia's SIFT in frames of the dominant orientation: iREPA's sift",
      dim: "128",
    },
    { pattern: "sift:vlfeat[,flat]", summary: "VLFeat's dense SIFT, Gaussian or flat window, unit norm", dim: "128" },
    {
      pattern: "sift:…,bins=4,orientations=8,size=PX,clip=0.2,norm=bytes|unit|none,root",
      summary: "parameters of each; angle=DEG of OpenCV's, patch=41 of Kornia's, bin=PX,window=2 of VLFeat's",
      dim: "bins² · orientations",
    },
  ],
  parse: sift,
};
