import { DataError, DescryError } from "../../data/errors.js";
import type { HubFile } from "./cached-file.js";
import type { HubSettings } from "./hub-settings.js";

/** Answers after which trying again makes sense: too many requests, and the server's own troubles. */
export const isPassing = (status: number | undefined): boolean =>
  status === undefined || status === 408 || status === 429 || status >= 500;

/** The status of an answer that the hub's client did not like; undefined: there was no answer. */
export const statusOf = (error: unknown): number | undefined => (error as { statusCode?: number } | null)?.statusCode;

/** What went wrong between us and the hub, in one line that says what to do. A {@link DescryError} comes back unchanged. */
export function hubError(error: unknown, { repo, path, revision }: HubFile, settings: HubSettings): DescryError {
  if (error instanceof DescryError) return error;
  const { hubUrl, accessToken } = settings;
  const what = `${repo}/${path}`;
  const page = `${hubUrl}/${repo}`;
  const fail = (says: string, hint: string) => new DataError(`${what}: ${says}`, { hint, cause: error });
  const status = statusOf(error);
  switch (status) {
    case undefined:
      return fail(
        `cannot reach ${hubUrl} (${reasonOf(error)})`,
        `is there a network? another address goes into HF_ENDPOINT`,
      );
    case 401:
      return accessToken === undefined
        ? fail(
            "the hub wants to know who asks (401)",
            `it is gated, private or not there: accept the terms at ${page}, then set HF_TOKEN to a token of yours`,
          )
        : fail(
            "the hub does not accept the token in HF_TOKEN (401)",
            "yours are at https://huggingface.co/settings/tokens",
          );
    case 403:
      return fail(
        `the hub does not let you read it (403)`,
        `it is gated: accept the terms at ${page}, and give HF_TOKEN a token of the same account that may read gated repositories`,
      );
    case 404:
      return fail(
        `the hub has no such file${revision === undefined ? "" : ` at ${revision}`} (404)`,
        `look at ${page}`,
      );
    default:
      return fail(`the hub answered with ${status}`, "run again later: what is downloaded is kept");
  }
}

/** A word for why there was no answer: the system's code where there is one. */
function reasonOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (code !== undefined) return code;
  }
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}
