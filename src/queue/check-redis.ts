import { DescryError } from "../../data/errors.js";
import type { QueueAddress } from "./queue-address.js";

/** What BullMQ's scripts need. */
const OLDEST_VERSION = 5;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Make sure that a Redis answers, lets us in and is new enough: BullMQ would try for ever, in silence.
 *
 * @throws {DescryError} tag `QueueError`: what is wrong with it.
 */
export async function checkRedis({ redis, shown }: QueueAddress): Promise<void> {
  const { Redis } = await import("ioredis");
  const client = new Redis({
    ...redis,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
  });
  let said: unknown;
  client.on("error", (error) => {
    said = error;
  });
  try {
    await client.connect();
    await client.select(redis.db ?? 0);
    const version = /redis_version:(\S+)/.exec(await client.info("server"))?.[1] ?? "unknown";
    if (!(Number.parseInt(version, 10) >= OLDEST_VERSION)) {
      throw new DescryError("QueueError", `${shown}: wanted Redis ${OLDEST_VERSION} or newer, got ${version}`);
    }
  } catch (error) {
    // "Connection is closed." says less than the error event before it.
    throw error instanceof DescryError ? error : explain(shown, said ?? error);
  } finally {
    client.disconnect();
  }
}

function explain(shown: string, cause: unknown): DescryError {
  const said = cause instanceof Error ? cause.message : String(cause);
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  if (/WRONGPASS|NOAUTH|invalid (username|password)|AUTH/.test(said)) {
    const hint = "redis://:PASSWORD@HOST, or REDISCLI_AUTH in the environment";
    return new DescryError("QueueError", `${shown}: Redis refuses the password (${said})`, { hint, cause });
  }
  if (/DB index/.test(said)) {
    const hint = "choose a smaller number after the slash";
    return new DescryError("QueueError", `${shown}: Redis has no such database`, { hint, cause });
  }
  const hint = "start one (redis-server), or mend --queue";
  return new DescryError("QueueError", `${shown}: no Redis answers (${code ?? said})`, { hint, cause });
}
