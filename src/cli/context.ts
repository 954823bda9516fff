/** @file What a command sees of the world: injected, so that tests run commands without a process of their own. */

/** Where text goes. A real stream also says whether it is a terminal. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** Surroundings of a command line. */
export interface CliContext {
  /** Results. */
  readonly stdout: TextSink;
  /** Progress and errors. */
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Working folder, absolute. */
  readonly cwd: string;
  /** Aborted when the user interrupts. */
  readonly signal?: AbortSignal;
}
