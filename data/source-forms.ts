/** What a data set can be called; `photos` comes with the packages, the others have a path. */
export const SOURCE_FORMS = [
  "photos",
  "imagefolder:DIR",
  "webdataset:GLOB",
  "parquet:GLOB",
  "cifar:PATH",
  "npz:FILE",
] as const;

/** What stands before the colon. */
export type SourceName = (typeof SOURCE_FORMS)[number] extends infer Form
  ? Form extends `${infer Name}:${string}`
    ? Name
    : never
  : never;
