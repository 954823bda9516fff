import { describe, expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import { applyOverrides, parseOverride } from "../../src/run/overrides.js";

describe("parseOverride", () => {
  test.each([
    ["train.steps=100", ["train", "steps"], 100],
    ["data.source=imagefolder:a=b", ["data", "source"], "imagefolder:a=b"],
    ["train.betas=[0.9, 0.95]", ["train", "betas"], [0.9, 0.95]],
    ["arms.0.spatialNorm=null", ["arms", "0", "spatialNorm"], null],
    ["data.flips=false", ["data", "flips"], false],
    ["train.learningRate=2e-4", ["train", "learningRate"], 2e-4],
  ])("%s", (text, path, value) => {
    expect(parseOverride(text)).toMatchObject({ path, value });
  });

  test.each(["train.steps", "=3", ".steps=3", "train..steps=3", "__proto__.x=3", "train.betas=[0.9"])(
    "%s is refused",
    (text) => {
      expect(() => parseOverride(text)).toThrow(UsageError);
    },
  );
});

describe("applyOverrides", () => {
  const apply = (root: Record<string, unknown>, ...texts: string[]) =>
    applyOverrides(root, texts.map(parseOverride)).root;

  test("sets, makes sections, and leaves the input alone", () => {
    const root = { train: { steps: 3 } };
    expect(apply(root, "train.steps=4", "sample.count=8")).toEqual({ train: { steps: 4 }, sample: { count: 8 } });
    expect(root).toEqual({ train: { steps: 3 } });
  });

  test("arms are named by name or number", () => {
    const root = { arms: [{ name: "a" }, { name: "b" }] };
    expect(apply(root, "arms.b.kernel=3", "arms.0.kernel=1")).toEqual({
      arms: [
        { name: "a", kernel: 1 },
        { name: "b", kernel: 3 },
      ],
    });
  });

  test.each(["arms.c.kernel=3", "arms.2.kernel=3"])("%s: no such arm", (text) => {
    expect(() => apply({ arms: [{ name: "a" }, { name: "b" }] }, text)).toThrow(/known: a, b, or 0…1/);
  });

  test("a path through a value is refused", () => {
    expect(() => apply({ name: "x" }, "name.first=y")).toThrow(/--set name\.first: name is a value, not a section/);
  });
});
