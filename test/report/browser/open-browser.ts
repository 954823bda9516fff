/** @file A real browser for tests: Debian's chromium, headless, which asks the network for nothing of its own. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { expect } from "vitest";

const EXECUTABLE = "/usr/bin/chromium";

/** Why tests in a browser are skipped here; undefined where they are not. */
export const NO_BROWSER = existsSync(EXECUTABLE) ? undefined : `${EXECUTABLE} is not here`;

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** What a page comes to show in the end; the machine may be busy with other tests. */
export const eventually = <Value>(read: () => Promise<Value>) => expect.poll(read, { timeout: 20_000 });
