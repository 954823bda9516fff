import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The script of a page, for a `<script>` element. */
export interface PageScript {
  readonly text: string;
  /** As a Content-Security-Policy names it: `sha256-…`. */
  readonly hash: string;
}

let script: PageScript | undefined;

/**
 * The script that every report carries, as `npm run build` bundles it from `page/`, with Vega-Lite and Vega in it.
 *
 * @throws {Error} it was not built.
 */
export function readPageScript(): PageScript {
  if (script === undefined) {
    const places = ["page.js", "../../dist/src/report/page.js"].map((name) =>
      fileURLToPath(new URL(name, import.meta.url)),
    );
    const file = places.find(existsSync);
    if (file === undefined) throw new Error(`not built: ${places[1]} is missing; run npm run build`);
    const text = readFileSync(file, "utf8");
    script = { text, hash: `sha256-${createHash("sha256").update(text).digest("base64")}` };
  }
  return script;
}
