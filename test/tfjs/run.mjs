/**
 * @file `npm run test:tfjs`: TensorFlow.js's own tests on the engine's kernels. `-- --only PATTERN` runs the files that match.
 *
 * Vite loads TypeScript and TensorFlow.js's ES modules, whose imports Node does not resolve; engine and tests must share one
 * copy of TensorFlow.js, so the CommonJS package that the engine imports elsewhere is replaced by the same modules.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

// The tests' own helper calls `require` inside an ES module, as a bundler would let it.
globalThis.require = createRequire(import.meta.url);

const REPLACED = {
  "@tensorflow/tfjs": `
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js";
import "@tensorflow/tfjs-backend-cpu";
export default tf;
`,
  // Node offers this CommonJS package whole; the ES modules want its members.
  seedrandom: `export const { alea } = require("seedrandom");`,
};

const vite = await createServer({
  configFile: false,
  root: fileURLToPath(new URL("../..", import.meta.url)),
  logLevel: "error",
  server: { middlewareMode: true, hmr: false, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
  ssr: { noExternal: [/@tensorflow/, "seedrandom"] },
  plugins: [
    {
      name: "one-copy-of-tfjs",
      enforce: "pre",
      resolveId: (id) => (id in REPLACED ? `\0${id}` : undefined),
      load: (id) => REPLACED[id.slice(1)],
    },
  ],
});
const { runConformance } = await vite.ssrLoadModule("/test/tfjs/conformance.ts");
process.exitCode = await runConformance(process.argv.slice(2));
await vite.close();
