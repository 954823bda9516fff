/**
 * @file The errors that a user can cause and mend. Each has a `tag`, so that callers switch on it and never on text; the
 * command line prints the message in one line and exits with 2. Any other error is a bug and shows its stack.
 */

/** What an error may carry besides its message. */
export interface ErrorDetails {
  /** What the user can do about it, appended to the message. */
  readonly hint?: string;
  /** The error underneath, kept for `--verbose`. */
  readonly cause?: unknown;
}

/** Base of all user errors: one line that says where, what was wanted, what came and what to do. */
export class DescryError extends Error {
  readonly tag: string;

  constructor(tag: string, message: string, { hint, cause }: ErrorDetails = {}) {
    super(hint === undefined ? message : `${message} — ${hint}`, cause === undefined ? undefined : { cause });
    this.name = tag;
    this.tag = tag;
  }
}

/** A wrong command line. */
export class UsageError extends DescryError {
  constructor(message: string, details?: ErrorDetails) {
    super("UsageError", message, details);
  }
}

/** A wrong experiment file: names the field, what was wanted and what was found. */
export class ConfigError extends DescryError {
  constructor(message: string, details?: ErrorDetails) {
    super("ConfigError", message, details);
  }
}

/** Tensors or grids that do not fit each other. */
export class ShapeError extends DescryError {
  constructor(message: string, details?: ErrorDetails) {
    super("ShapeError", message, details);
  }
}

/** Unreadable, damaged or missing input data: names the file. */
export class DataError extends DescryError {
  constructor(message: string, details?: ErrorDetails) {
    super("DataError", message, details);
  }
}

/** A cache or checkpoint that is damaged or belongs to something else: names the file. */
export class CacheError extends DescryError {
  constructor(message: string, details?: ErrorDetails) {
    super("CacheError", message, details);
  }
}

/** A folder that another process is writing, or has taken over: whoever can wait tries again when that one is done. */
export class BusyError extends CacheError {
  override readonly tag = "BusyError";
  override readonly name = "BusyError";
}

/** A value that is not finite: names the step and the tensor. */
export class NumericError extends DescryError {
  constructor(message: string, details?: ErrorDetails) {
    super("NumericError", message, details);
  }
}

/** Something that is asked for and not built or not installed: names it and what is. */
export class UnsupportedError extends DescryError {
  constructor(message: string, details?: ErrorDetails) {
    super("UnsupportedError", message, details);
  }
}
