import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HubSettings } from "./hub-settings.js";

/** A file of a model repository on the hub. */
export interface HubFile {
  /** `ORG/NAME`. */
  readonly repo: string;
  /** Below the repository's root, with slashes. */
  readonly path: string;
  /** Commit, branch or tag. @default "main" */
  readonly revision?: string;
}

/** A file in the hub's cache. */
export interface CachedHubFile {
  /** In the snapshot's folder: the other files of its folder are beside it. */
  readonly file: string;
  /** Commit. */
  readonly revision: string;
}

/** A full commit hash: what it names never changes. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** The repository's folder in the cache. */
export const repoFolder = ({ repo }: HubFile, { cacheFolder }: HubSettings): string =>
  join(cacheFolder, ["models", ...repo.split("/")].join("--"));

/** The file as the cache has it, asking nobody: a branch is what it was when it was last looked up. */
export function findCachedFile(wanted: HubFile, settings: HubSettings): CachedHubFile | undefined {
  const folder = repoFolder(wanted, settings);
  const { revision: asked = "main" } = wanted;
  const revision = isCommit(asked) ? asked : readRef(join(folder, "refs", asked));
  if (revision === undefined) return undefined;
  const file = join(folder, "snapshots", revision, ...wanted.path.split("/"));
  return existsSync(file) ? { file, revision } : undefined;
}

function readRef(file: string): string | undefined {
  try {
    const commit = readFileSync(file, "utf8").trim();
    return isCommit(commit) ? commit : undefined;
  } catch {
    return undefined; // never looked up
  }
}
