import { writeReport } from "../../report/write-report.js";

export interface ReportInput {
  readonly runFolder: string;
  /** Absolute. */
  readonly file: string;
}

export interface ReportResult {
  readonly sizeBytes: number;
}

/** Write the report of one run. */
export async function reportTask({ runFolder, file }: ReportInput): Promise<ReportResult> {
  const { bytes } = await writeReport({ runFolders: [runFolder], out: file });
  return { sizeBytes: bytes };
}
