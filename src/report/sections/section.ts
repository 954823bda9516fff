import type { FigureMaker } from "../curve-figures.js";
import type { Html } from "../html.js";
import type { Part } from "../page-parts.js";
import type { RunRecord } from "../read-run.js";
import type { RunGroup } from "../run-groups.js";

/** What a section is made from. */
export interface SectionInput {
  readonly runs: readonly RunRecord[];
  readonly groups: readonly RunGroup[];
  readonly maker: FigureMaker;
  /** The arm that recovered gains are shares of; undefined: that with the largest gain. */
  readonly relativeTo: string | undefined;
}

/** What a section holds below its heading; null leaves it out. */
export type SectionBody = readonly (Part | Html)[] | null;
