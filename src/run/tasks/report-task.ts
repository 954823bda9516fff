import { writeReport } from "../../report/write-report.js";

export interface ReportInput {
  readonly runFolders: readonly string[];
  /** Absolute. */
  readonly file: string;
  /** Arm that recovered gains are shares of. */
  readonly relativeTo?: string | undefined;
}

export interface ReportResult {
  readonly sizeBytes: number;
}

/** Write one report of one or more runs. */
export async function reportTask({ runFolders, file, relativeTo }: ReportInput): Promise<ReportResult> {
  const { bytes } = await writeReport({ runFolders, out: file, relativeTo });
  return { sizeBytes: bytes };
}
