/** @file The engine's own errors: it depends on npm libraries only, so that it can be used on its own. */

/** Base of the engine's user errors. `tag` tells them apart; the message is one line. */
export class CompileError extends Error {
  readonly tag: string;

  constructor(tag: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = tag;
    this.tag = tag;
  }
}

/** A TensorFlow.js kernel, dtype or option that the engine cannot turn into ONNX. Names it and what is supported. */
export class UnsupportedOpError extends CompileError {
  constructor(message: string, cause?: unknown) {
    super("UnsupportedOpError", message, cause);
  }
}

/** Inputs, outputs or state that differ from the compiled signature. Raised before anything runs. */
export class SignatureError extends CompileError {
  constructor(message: string, cause?: unknown) {
    super("SignatureError", message, cause);
  }
}

/** A device or session that could not be opened or run. */
export class DeviceError extends CompileError {
  constructor(message: string, cause?: unknown) {
    super("DeviceError", message, cause);
  }
}
