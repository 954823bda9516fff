import { defineConfig } from "vitest/config";

// Native modules (onnxruntime, sharp) need real processes, not VM contexts or shared threads.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], pool: "forks", maxWorkers: 2, testTimeout: 120_000, hookTimeout: 120_000 },
});
