import type { RedisOptions } from "ioredis";
import { UsageError } from "../../data/errors.js";

const DEFAULT_PORT = 6379;
const DEFAULT_PREFIX = "descry";
const FORM = "redis://HOST[:PORT][/DB], with a password redis://:PASSWORD@HOST, over TLS rediss://HOST";

/** Where a queue is. */
export interface QueueAddress {
  readonly redis: Pick<RedisOptions, "host" | "port" | "db" | "username" | "password" | "tls">;
  /** Of every key in Redis. */
  readonly prefix: string;
  /** For messages: as given, without the password. */
  readonly shown: string;
}

/**
 * Read `redis://[USER][:PASSWORD]@HOST[:PORT][/DB][?prefix=NAME]`, or `rediss://` for TLS.
 *
 * @param env without a password in the address, REDISCLI_AUTH is used, as by redis-cli.
 * @throws {UsageError} another form.
 */
export function parseQueueAddress(text: string, env: Readonly<Record<string, string | undefined>> = {}): QueueAddress {
  const wrong = (what: string) => new UsageError(`--queue: ${what}`, { hint: `wanted ${FORM}` });
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong("this is no address"); // not repeated: it may hold a password
  }
  const { protocol, hostname, port, pathname, searchParams, username, password } = url;
  if (protocol !== "redis:" && protocol !== "rediss:") throw wrong(`unknown form ${protocol}//`);
  if (hostname === "") throw wrong("a host is missing");
  const db = /^\/?(\d*)\/?$/.exec(pathname)?.[1];
  if (db === undefined) throw wrong(`${pathname} is no number of a database`);
  const unknown = [...searchParams.keys()].find((key) => key !== "prefix");
  if (unknown !== undefined) throw wrong(`unknown setting ?${unknown}=`);
  const prefix = searchParams.get("prefix") ?? DEFAULT_PREFIX;
  if (prefix === "" || prefix.includes(":")) throw wrong(`a prefix has at least one letter and no colon`);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const secret = password === "" ? env["REDISCLI_AUTH"] : decodeURIComponent(password);
  const shownPort = port === "" ? "" : `:${port}`;
  return {
    redis: {
      host,
      port: port === "" ? DEFAULT_PORT : Number(port),
      db: Number(db),
      ...(username === "" ? {} : { username: decodeURIComponent(username) }),
      ...(secret === undefined || secret === "" ? {} : { password: secret }),
      ...(protocol === "rediss:" ? { tls: { servername: host } } : {}),
    },
    prefix,
    shown: `${protocol}//${hostname}${shownPort}${db === "" ? "" : `/${db}`}${url.search}`,
  };
}
