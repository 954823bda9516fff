import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { ROOT, temporaryFolder } from "./run-cli.js";

test("native code keeps to itself: no identifier in the home folder, no upload queue, no log in the temporary folder", () => {
  const home = temporaryFolder();
  const { CI: _, ORT_DISABLE_TELEMETRY: __, ...env } = process.env; // both would silence it from outside
  const { stdout, status } = spawnSync(process.execPath, [path.join(ROOT, "dist/src/cli/bin.js"), "doctor"], {
    env: { ...env, HOME: home, TMPDIR: home, XDG_CACHE_HOME: home },
    encoding: "utf8",
  });
  expect(stdout).toContain("compiled and ran a product");
  expect(status).toBe(0);
  expect(readdirSync(home)).toEqual([]);
});
