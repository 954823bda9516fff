/** @file What a parity suite is: one kind of golden file, replayed tensor by tensor. */

/** One tensor compared. */
export interface Comparison {
  /** Key in the golden file. */
  readonly key: string;
  /** NaN when the suite does not cover it; see `detail`. */
  readonly error: number;
  readonly tolerance: number;
  /** What was counted besides, or why it was not compared. */
  readonly detail?: string;
  /** The tensor needs something that descry does not have yet. */
  readonly notBuilt?: boolean;
}

export interface ParitySuite {
  readonly name: string;
  /** Files that it reads, in the golden folder; it runs when the first is there. */
  readonly files: readonly string[];
  /** @throws {DescryError} a file that is missing or damaged. */
  run(folder: string): Promise<Comparison[]>;
}

/** Largest difference, relative to the largest magnitude of the reference (absolute where that is zero). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  return absoluteError(actual, expected) / (largest(expected) || 1);
}

/** Largest difference. Infinite where a value is not a number, or the lengths differ. */
export function absoluteError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, difference);
  }
  return worst;
}

const largest = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
};
