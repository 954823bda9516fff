import { writeReport } from "../../report/write-report.js";

export interface ReportInput {
  readonly runFolders: readonly string[];
  /** Absolute. */
  readonly file: string;
}

export interface ReportResult {
  readonly sizeBytes: number;
}

/** Write one report of one or more runs. */
export async function reportTask({ runFolders, file }: ReportInput): Promise<ReportResult> {
  const { bytes } = await writeReport({ runFolders, out: file });
  return { sizeBytes: bytes };
}
