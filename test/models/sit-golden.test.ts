import tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { projectorParameterShapes, sitParameterShapes } from "../../src/models/parameters.js";
import { positionEmbedding } from "../../src/models/position-embedding.js";
import { project } from "../../src/models/projector.js";
import { sit } from "../../src/models/sit.js";
import {
  type GoldenSitCase,
  goldenConfig,
  hasGolden,
  readGolden,
  readGoldenJson,
  relativeError,
  toTensor,
  toTensors,
} from "./golden.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

// Skipped without the golden numbers, which are kept beside the project.
describe.skipIf(!hasGolden("sit"))("SiT against the reference's numbers", () => {
  const cases = Object.entries(
    hasGolden("sit") ? (readGoldenJson("sit") as unknown as Record<string, GoldenSitCase & { z_dims: number[] }>) : {},
  );

  test.each(cases)("%s: velocity and projection of one forward pass", (name, golden) => {
    const config = goldenConfig(golden);
    const { x, t, y, v, zs } = readGolden("sit", `${name}/fwd/`);
    tf.tidy(() => {
      const params = toTensors(readGolden("sit", `${name}/param/`));
      const result = sit(params, { x: toTensor(x!), t: toTensor(t!), y: toTensor(y!) }, config);
      expect(relativeError(result.v.dataSync(), v!.data)).toBeLessThan(1e-5);
      const projected = project(params, result.hidden!, {
        type: golden.projection_layer_type,
        kernel: golden.proj_kwargs_kernel_size,
      });
      expect(projected.shape).toEqual(zs!.shape);
      expect(relativeError(projected.dataSync(), zs!.data)).toBeLessThan(1e-5);
      // The hook is after its block, not before or after the next one.
      for (const other of [golden.encoder_depth - 1, golden.encoder_depth + 1]) {
        const { hidden } = sit(params, { x: toTensor(x!), t: toTensor(t!), y: toTensor(y!) }, config, {
          alignDepth: other,
        });
        expect(relativeError(hidden!.dataSync(), result.hidden!.dataSync())).toBeGreaterThan(1e-2);
      }
    });
  });

  test.each(cases)("%s: names and shapes are the reference's", (name, golden) => {
    const shapes = {
      ...sitParameterShapes(goldenConfig(golden)),
      ...projectorParameterShapes({
        type: golden.projection_layer_type,
        kernel: golden.proj_kwargs_kernel_size,
        width: golden.projector_dim,
        inputWidth: golden.hidden_size,
        targetWidth: golden.z_dims[0]!,
      }),
    };
    const want = Object.fromEntries(
      Object.entries(readGolden("sit", `${name}/param/`)).map(([key, { shape }]) => [key, shape]),
    );
    expect(shapes).toEqual(want);
  });

  test.each(cases)("%s: position embedding", (name, golden) => {
    const want = readGolden("sit", `${name}/param/pos_embed`)[""]!;
    const got = positionEmbedding(golden.input_size / golden.patch_size, golden.hidden_size);
    expect(relativeError(got, want.data)).toBeLessThan(1e-6);
  });
});
