/**
 * @file Whether the WebGPU device can be tested here. Without a graphics card it runs in software, on SwiftShader: Debian's
 * packages `chromium` and `libvulkan1` bring what that needs. Slow, and exact enough.
 */
import { existsSync } from "node:fs";
import tf from "@tensorflow/tfjs";
import { compileFunction, type Products } from "../../src/compile/compile.js";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Empty where WebGPU works; otherwise why not. Tests that skip say it. */
export const whyNoWebGpu: string = await probe("float32");

/** Empty where WebGPU has float16 products; otherwise why not. SwiftShader has none. */
export const whyNoHalf: string = whyNoWebGpu === "" ? await probe("float16") : whyNoWebGpu;

async function probe(products: Products): Promise<string> {
  // A machine with a card of its own uses that one; the Vulkan loader reads this when the first session is opened.
  if (process.env["VK_ICD_FILENAMES"] === undefined && existsSync(SWIFTSHADER)) {
    process.env["VK_ICD_FILENAMES"] = SWIFTSHADER;
  }
  try {
    const program = await compileFunction(
      ({ x }) => ({ y: tf.add(x!, 1) }),
      { x: { shape: [2] } },
      { name: "probe", device: "webgpu", products },
    );
    await program.dispose();
    return "";
  } catch (error) {
    const said = error instanceof Error ? error.message.slice(0, 200) : String(error);
    if (products === "float16") return `skipped: ${said}`;
    return `skipped, no WebGPU (install chromium and libvulkan1 for software rendering): ${said}`;
  }
}
