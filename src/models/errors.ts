/** @file The models' own user error: this room depends on TensorFlow.js only, so it does not use data/errors.ts. */

/** A model configuration or input shape that cannot work. One line: what was wanted, what came. Printed, never a stack. */
export class ModelError extends Error {
  readonly tag: "ConfigError" | "ShapeError";

  constructor(tag: "ConfigError" | "ShapeError", message: string) {
    super(message);
    this.name = tag;
    this.tag = tag;
  }
}
