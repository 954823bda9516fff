import { expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import { parseQueueAddress } from "../../src/queue/queue-address.js";

test("every part of an address, and its defaults", () => {
  expect(parseQueueAddress("redis://head")).toEqual({
    redis: { host: "head", port: 6379, db: 0 },
    prefix: "descry",
    shown: "redis://head",
  });
  expect(parseQueueAddress("rediss://me:p%40ss@10.0.0.1:7000/3?prefix=lab")).toEqual({
    redis: { host: "10.0.0.1", port: 7000, db: 3, username: "me", password: "p@ss", tls: { servername: "10.0.0.1" } },
    prefix: "lab",
    shown: "rediss://10.0.0.1:7000/3?prefix=lab",
  });
  expect(parseQueueAddress("redis://[::1]:7000").redis).toEqual({ host: "::1", port: 7000, db: 0 });
});

test("the environment's password, where the address has none", () => {
  const env = { REDISCLI_AUTH: "from-env" };
  expect(parseQueueAddress("redis://head", env).redis.password).toBe("from-env");
  expect(parseQueueAddress("redis://:given@head", env).redis.password).toBe("given");
});

test("what is no address is named without its password", () => {
  const cases: [string, RegExp][] = [
    ["head:6379", /unknown form head:\/\//],
    ["http://:secret@head", /unknown form http:\/\//],
    ["redis://", /a host is missing/],
    ["redis://:secret@head:x", /this is no address/],
    ["redis://head/lab", /\/lab is no number of a database/],
    ["redis://head?db=3", /unknown setting \?db=/],
    ["redis://head?prefix=a:b", /a prefix has at least one letter and no colon/],
    ["redis://head?prefix=", /a prefix has at least one letter/],
  ];
  for (const [text, message] of cases) {
    let error: unknown;
    try {
      parseQueueAddress(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error, text).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain("secret");
  }
});
