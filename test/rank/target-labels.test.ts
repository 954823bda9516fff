import { expect, test } from "vitest";
import { targetLabels } from "../../src/rank/target-labels.js";

test("encoders lose their folders and options, other targets nothing", () => {
  expect(
    targetLabels([
      "sift:vlfeat,flat",
      "concat(sift,hog)",
      "onnx:../a/vit.onnx#tokens?mean=0.5,0.4,0.3&std=0.5",
      "concat(sift,onnx:/a/b/vit.onnx#map?mean=0.5&std=0.5)",
    ]),
  ).toEqual(["sift:vlfeat,flat", "concat(sift,hog)", "onnx:vit.onnx#tokens", "concat(sift,onnx:vit.onnx#map)"]);
});

test("two that would look the same keep their full names", () => {
  const twins = ["onnx:a/vit.onnx#tokens?mean=0&std=1", "onnx:b/vit.onnx#tokens?mean=0&std=1"];
  expect(targetLabels([...twins, "sift"])).toEqual([...twins, "sift"]);
});
