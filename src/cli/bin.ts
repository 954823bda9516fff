#!/usr/bin/env node
/** @file The program `descry`: gives `main` the process's streams and takes its exit code. */
import { main } from "./main.js";

const controller = new AbortController();
process.on("SIGINT", () => {
  if (controller.signal.aborted) process.exit(130); // the second Ctrl-C does not wait
  controller.abort();
});
process.on("SIGTERM", () => controller.abort());
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0); // the reader (`| head`) has had enough
  throw error;
});

process.exitCode = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: controller.signal,
});
