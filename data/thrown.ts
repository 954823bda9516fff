/** @file Errors on their way between processes and threads, where classes get lost. */
import * as errors from "./errors.js";

/** What is left of an error: plain JSON. */
export interface Thrown {
  /** Of a user's error; null: a bug. */
  readonly tag: string | null;
  readonly message: string;
  readonly stack: string;
}

type ErrorClass = new (message: string) => errors.DescryError;

export function packThrown(error: unknown): Thrown {
  const tag = (error as { tag?: unknown } | null)?.tag;
  return {
    tag: typeof tag === "string" ? tag : null,
    message: error instanceof Error ? error.message : String(error),
    stack: error instanceof Error ? (error.stack ?? "") : "",
  };
}

/** The error again: of its class where it is one of ours, with its stack where it is a bug. */
export function unpackThrown({ tag, message, stack }: Thrown): Error {
  if (tag !== null) {
    const known = (errors as unknown as Record<string, ErrorClass | undefined>)[tag];
    return known === undefined ? new errors.DescryError(tag, message) : new known(message);
  }
  const error = new Error(message);
  error.stack = stack;
  return error;
}
