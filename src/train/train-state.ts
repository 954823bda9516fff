/**
 * @file What a training run remembers between steps: `model/NAME`, its moving average `ema/NAME`, and AdamW's moments
 * `opt/m/NAME` and `opt/v/NAME` of everything that is trained (the frozen `pos_embed` has none); with mixed precision also
 * `scaler/…`, see `loss-scale.ts`. The same keys are the tensors of a checkpoint, names and layouts of the reference's state_dict.
 */
import { randomStream } from "../../data/random.js";
import type { HostTensor, HostTensors, Signature } from "../compile/compile.js";
import { drawSit, initializeProjector } from "../models/initialize.js";
import {
  isFrozen,
  type ProjectorShapeOptions,
  projectorParameterShapes,
  sitParameterShapes,
} from "../models/parameters.js";
import { firstScalerState, SCALER_SIGNATURE } from "./loss-scale.js";
import type { TrainStepConfig } from "./options.js";

type StateConfig = Pick<TrainStepConfig, "model" | "targets" | "precision">;

/** Name before the parameters of the projector of target `index`. */
export const projectorPrefix = (index: number): string => `projectors.${index}.`;

/** Shapes of all parameters, projectors included, frozen ones too. */
export function parameterShapes({ model, targets }: StateConfig): Record<string, readonly number[]> {
  const shapes: Record<string, readonly number[]> = { ...sitParameterShapes(model) };
  targets.forEach((_, i) => {
    Object.assign(shapes, projectorParameterShapes(projectorShape({ model, targets }, i), projectorPrefix(i)));
  });
  return shapes;
}

/** Names of the parameters that are trained, in the order of `parameterShapes`. */
export const trainedNames = (config: StateConfig): string[] =>
  Object.keys(parameterShapes(config)).filter((name) => !isFrozen(name));

/** The state of a training step. */
export function stateSignature(config: StateConfig): Signature {
  const state: Record<string, { shape: readonly number[] }> = {};
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    const slots = isFrozen(name) ? ["model/", "ema/"] : ["model/", "ema/", "opt/m/", "opt/v/"];
    for (const slot of slots) state[slot + name] = { shape };
  }
  return config.precision === "mixed" ? { ...state, ...SCALER_SIGNATURE } : state;
}

/**
 * The state that starts from given parameters: the moving average is a copy, the moments are zero.
 *
 * @param parameters  all of `parameterShapes`. Not copied; and the moments are views of one array of zeros. To be read only.
 */
export function stateFromParameters(parameters: Readonly<Record<string, HostTensor>>): HostTensors {
  const state: HostTensors = {};
  const none = new Float32Array(Object.values(parameters).reduce((most, { data }) => Math.max(most, data.length), 0));
  for (const [name, value] of Object.entries(parameters)) {
    state[`model/${name}`] = value;
    state[`ema/${name}`] = value;
    if (isFrozen(name)) continue;
    const zeros = { data: none.subarray(0, value.data.length), shape: value.shape };
    state[`opt/m/${name}`] = zeros;
    state[`opt/v/${name}`] = zeros;
  }
  return state;
}

/**
 * The state before the first step. Each tensor has its own random stream `init/NAME`, so that arms with different projectors
 * start from the same model, and equal projectors are equal too.
 */
export function initialState(config: StateConfig, seed: number): HostTensors {
  return Object.assign({}, ...initialParts(config, seed));
}

/** The same a parameter at a time: what has been taken over can go, so that a large model is not in memory twice. */
export function* initialParts(config: StateConfig, seed: number): Generator<HostTensors> {
  const draw = (name: string) => randomStream(seed, `init/${name}`, 0);
  for (const [name, value] of drawSit(config.model, draw)) yield stateFromParameters({ [name]: value });
  for (let i = 0; i < config.targets.length; i++) {
    yield stateFromParameters(initializeProjector(projectorShape(config, i), draw, projectorPrefix(i)));
  }
  if (config.precision === "mixed") yield firstScalerState();
}

function projectorShape({ model, targets }: StateConfig, index: number): ProjectorShapeOptions {
  const { projector, dim } = targets[index]!;
  return { ...projector, inputWidth: model.width, targetWidth: dim };
}
