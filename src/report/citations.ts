/** @file What to cite for what a report shows. */
import type { RunRecord } from "./read-run.js";

export interface Citation {
  /** What it stands for here. */
  readonly use: string;
  readonly text: string;
  readonly url: string | null;
}

const arxiv = (id: string) => `https://arxiv.org/abs/${id}`;

const METHODS: readonly Citation[] = [
  {
    use: "spatial structure of targets, convolutional projector, spatial normalization (iREPA)",
    text: "What matters for Representation Alignment: Global Information or Spatial Structure? ICLR 2026, arXiv 2512.10794",
    url: arxiv("2512.10794"),
  },
  {
    use: "representation alignment (REPA)",
    text: "Representation Alignment for Generation: Training Diffusion Transformers Is Easier Than You Think. ICLR 2025, arXiv 2410.06940",
    url: arxiv("2410.06940"),
  },
  {
    use: "the diffusion transformer (SiT)",
    text: "SiT: Exploring Flow and Diffusion-based Generative Models with Scalable Interpolant Transformers. ECCV 2024, arXiv 2401.08740",
    url: arxiv("2401.08740"),
  },
];

const TARGETS: Readonly<Record<string, Citation>> = {
  sift: {
    use: "target sift",
    text: "D. G. Lowe. Distinctive Image Features from Scale-Invariant Keypoints. IJCV 60(2), 2004",
    url: null,
  },
  hog: {
    use: "target hog",
    text: "N. Dalal and B. Triggs. Histograms of Oriented Gradients for Human Detection. CVPR 2005",
    url: null,
  },
  vgg: {
    use: "target vgg",
    text: "K. Simonyan and A. Zisserman. Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015, arXiv 1409.1556",
    url: arxiv("1409.1556"),
  },
};

const METRIC_SOURCES: Readonly<Record<string, Citation>> = {
  frechet_distance: {
    use: "Fréchet distance",
    text: "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium. NeurIPS 2017, arXiv 1706.08500",
    url: arxiv("1706.08500"),
  },
  spatial_frechet_distance: {
    use: "sFID",
    text: "Generating Images with Sparse Representations. ICML 2021, arXiv 2103.03841",
    url: arxiv("2103.03841"),
  },
  cmmd: {
    use: "CMMD",
    text: "Rethinking FID: Towards a Better Evaluation Metric for Image Generation. CVPR 2024, arXiv 2401.09603",
    url: arxiv("2401.09603"),
  },
  kid: { use: "KID", text: "Demystifying MMD GANs. ICLR 2018, arXiv 1801.01401", url: arxiv("1801.01401") },
  precision: {
    use: "precision and recall",
    text: "Improved Precision and Recall Metric for Assessing Generative Models. NeurIPS 2019, arXiv 1904.06991",
    url: arxiv("1904.06991"),
  },
  inception_score: {
    use: "inception score",
    text: "Improved Techniques for Training GANs. NeurIPS 2016, arXiv 1606.03498",
    url: arxiv("1606.03498"),
  },
};

/** The works behind the targets, metrics and feature networks of some runs. */
export function citationsOf(runs: readonly RunRecord[]): Citation[] {
  const arms = runs.flatMap((run) => run.arms);
  const evaluations = arms.flatMap((arm) => arm.evaluations.map(({ record }) => record));
  const targets = new Set(arms.flatMap(({ align }) => (align === null ? [] : [align.target.split(/[:_-]/)[0]!])));
  const metrics = new Set(
    evaluations.flatMap((one) => Object.keys(one.metrics).filter((key) => one.metrics[key] !== null)),
  );
  const networks = new Map(evaluations.map(({ network }) => [network.name, network.cite]));
  return [
    ...METHODS.filter((_, i) => i === 2 || targets.size > 0),
    ...Object.keys(TARGETS).flatMap((name) => (targets.has(name) ? [TARGETS[name]!] : [])),
    ...Object.keys(METRIC_SOURCES).flatMap((key) => (metrics.has(key) ? [METRIC_SOURCES[key]!] : [])),
    ...[...networks].map(([name, text]) => ({ use: `feature network ${name}`, text, url: null })),
  ];
}
