import { defineConfig } from "vite";

// The script that every report carries: src/report/page with Vega-Lite and Vega, in one file without imports.
export default defineConfig({
  publicDir: false,
  logLevel: "warn",
  build: {
    outDir: "dist/src/report",
    emptyOutDir: false,
    target: "es2022",
    lib: { entry: "src/report/page/main.ts", formats: ["iife"], name: "descryReport", fileName: () => "page.js" },
  },
});
