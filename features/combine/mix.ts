import { UsageError } from "../../data/errors.js";
import { type CombinationFamily, onePart } from "./combination.js";

/** Of the published code: the default of its constructor, which nothing overrides. */
const DEFAULT_ALPHA = "0.1";
const EXAMPLE = "mix(onnx:FILE#OUTPUT?mean=0.5&std=0.5&drop=1,alpha=0.1)";

/**
 * An encoder's tokens drawn towards its class token: α·CLS + (1 − α)·token, the `dinov2mixed` of iREPA's code. Every token gets the
 * same, which takes contrast between them away.
 */
export const mixFamily: CombinationFamily = {
  name: "mix",
  options: ["alpha"],
  targets: [
    {
      pattern: "mix(TARGET,alpha=A)",
      summary: `an encoder's tokens with a share A of its class token (0.1), for targets onnx:… with drop=1 or more`,
      dim: "same",
    },
  ],
  combine(number, parts, options) {
    const text = options.get("alpha") ?? DEFAULT_ALPHA;
    const alpha = text.trim() === "" ? Number.NaN : Number(text);
    if (number !== "" || !(alpha >= 0 && alpha <= 1)) {
      const got = number === "" ? `alpha=${text}` : `mix${number}`;
      throw new UsageError(`mix: wanted alpha=A with A from 0 to 1, got "${got}"`, { hint: `for example ${EXAMPLE}` });
    }
    const part = onePart(EXAMPLE, parts);
    if (part.mixClassToken === undefined) {
      throw new UsageError(`mix: ${part.name} has no class token to mix in`, {
        hint: "it takes an encoder whose first token is one and is dropped: onnx:FILE#OUTPUT?…&drop=1",
      });
    }
    return part.mixClassToken(alpha);
  },
};
