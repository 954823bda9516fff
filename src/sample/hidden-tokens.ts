import type { Tensors } from "../compile/compile.js";
import { compileStep } from "../compile/compile-step.js";
import { sitParameterShapes } from "../models/parameters.js";
import { sit } from "../models/sit.js";
import { gridSide, type SitConfig } from "../models/sit-sizes.js";
import type { SampleParameters, SitNetworkOptions } from "./network.js";

export interface HiddenInputs {
  /** Noised samples, [B,C,H,W]. */
  readonly x: Float32Array;
  /** Their one time, 0 data … 1 noise. */
  readonly t: number;
  /** [B] class indices. */
  readonly labels: Int32Array;
}

/** A SiT that shows what its blocks make of samples. Calls must not overlap. */
export interface HiddenTokens {
  /** @returns for each block asked for, in their order, its tokens [B,T,D]. */
  read(parameters: SampleParameters, inputs: HiddenInputs): Promise<Float32Array[]>;
  dispose(): Promise<void>;
}

/**
 * Compile a SiT for looking into it.
 *
 * @param blocks 1-based.
 * @throws {ModelError} a configuration that does not fit together.
 */
export async function openHiddenTokens(
  config: SitConfig,
  blocks: readonly number[],
  { batch, device, threads }: SitNetworkOptions,
): Promise<HiddenTokens> {
  const { channels, sizePx } = config;
  const shape = [batch, channels, sizePx, sizePx];
  const shapes = sitParameterShapes(config);
  const step = await compileStep(
    (state, { x, t, y }) => {
      const outputs: Tensors = {};
      sit(state, { x: x!, t: t!, y: y! }, config, {
        onBlock: (tokens, depth) => {
          if (blocks.includes(depth)) outputs[`block${depth}`] = tokens;
        },
      });
      return { state, outputs };
    },
    {
      state: Object.fromEntries(Object.entries(shapes).map(([name, dims]) => [name, { shape: dims }])),
      inputs: { x: { shape }, t: { shape: [batch] }, y: { shape: [batch], dtype: "int32" } },
    },
    {
      name: "hidden tokens",
      ...(device === undefined ? {} : { device }),
      ...(threads === undefined ? {} : { threads }),
    },
  );
  const size = batch * gridSide(config) ** 2 * config.width;
  return {
    async read(parameters, { x, t, labels }) {
      step.setState(Object.fromEntries(Object.keys(shapes).map((name) => [name, parameters[name]!])));
      const outputs = await step.run({
        x: { data: x, shape },
        t: { data: new Float32Array(batch).fill(t), shape: [batch] },
        y: { data: labels, shape: [batch] },
      });
      return blocks.map((depth) => (outputs[`block${depth}`]!.data as Float32Array).slice(0, size));
    },
    dispose: () => step.dispose(),
  };
}
