/** @file All kernels that the engine can compile, registered once. */
import { registerKernels } from "../tracer.js";
import { convolutionKernels } from "./convolution.js";
import { elementwiseKernels } from "./elementwise.js";
import { indexingKernels } from "./indexing.js";
import { normalizationKernels } from "./normalization.js";
import { productKernels } from "./products.js";
import { reduceKernels } from "./reduce.js";
import { resizeKernels } from "./resize.js";
import { shapeKernels } from "./shape.js";

let registered = false;

export function registerAllKernels(): void {
  if (registered) return;
  registered = true;
  registerKernels(elementwiseKernels);
  registerKernels(shapeKernels);
  // After the elementwise ones: a sum with a bias belongs to the products.
  registerKernels(productKernels);
  registerKernels(reduceKernels);
  registerKernels(indexingKernels);
  registerKernels(normalizationKernels);
  registerKernels(resizeKernels);
  registerKernels(convolutionKernels);
}
