import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../data/errors.js";

/** Where the Hugging Face hub is, where its files are kept, and as whom to ask for them. */
export interface HubSettings {
  /** Without a slash at the end. */
  readonly hubUrl: string;
  /** Holds `models--ORG--NAME`. */
  readonly cacheFolder: string;
  /** Nothing may be asked of the hub. */
  readonly isOffline: boolean;
  readonly accessToken?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const TRUE = new Set(["1", "on", "yes", "true"]);
const DEFAULT_URL = "https://huggingface.co";

/**
 * The settings of the hub's other clients, from the same variables: `HF_ENDPOINT`; `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`,
 * `XDG_CACHE_HOME`; `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`; `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, or else the token that
 * `hf auth login` has left in `HF_TOKEN_PATH` or `HF_HOME/token`.
 *
 * @throws {UsageError} a token that is none.
 */
export function readHubSettings(env: Environment = process.env): HubSettings {
  const given = (name: string) => (env[name]?.trim() ? env[name].trim() : undefined);
  const isTrue = (name: string) => TRUE.has(given(name)?.toLowerCase() ?? "");
  const home = given("HF_HOME") ?? join(given("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "huggingface");
  const accessToken =
    given("HF_TOKEN") ?? given("HUGGING_FACE_HUB_TOKEN") ?? readToken(given("HF_TOKEN_PATH") ?? join(home, "token"));
  if (accessToken !== undefined && !accessToken.startsWith("hf_")) {
    throw new UsageError("HF_TOKEN: a token of the Hugging Face hub begins with hf_", {
      hint: "yours are at https://huggingface.co/settings/tokens",
    });
  }
  return {
    hubUrl: (given("HF_ENDPOINT") ?? DEFAULT_URL).replace(/\/+$/, ""),
    cacheFolder: given("HF_HUB_CACHE") ?? given("HUGGINGFACE_HUB_CACHE") ?? join(home, "hub"),
    isOffline: isTrue("HF_HUB_OFFLINE") || isTrue("TRANSFORMERS_OFFLINE"),
    ...(accessToken === undefined ? {} : { accessToken }),
  };
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined; // nobody has logged in
  }
}
