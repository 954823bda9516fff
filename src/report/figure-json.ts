/** @file A figure inside the page: JSON that its script draws from, curves as columns of numbers with six digits. */
import type { Figure } from "./figure-specs.js";
import type { CurvePoint } from "./smooth.js";

interface Columns {
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** A figure as JSON that can stand in a `<script>`. */
export function packFigure(figure: Figure): string {
  return JSON.stringify(figure, (key, value: unknown) => {
    if (key === "repetitions") return (value as readonly (readonly CurvePoint[])[]).map(toColumns);
    return typeof value === "number" ? Number(value.toPrecision(6)) : value;
  }).replaceAll("<", "\\u003c");
}

/** The figure of {@link packFigure}. */
export function unpackFigure(text: string): Figure {
  return JSON.parse(text, (key, value: unknown) =>
    key === "repetitions" ? (value as readonly Columns[]).map(toPoints) : value,
  ) as Figure;
}

function toColumns(points: readonly CurvePoint[]): Columns {
  return { steps: points.map(({ step }) => step), values: points.map(({ value }) => value) };
}

function toPoints({ steps, values }: Columns): CurvePoint[] {
  return steps.map((step, i) => ({ step, value: values[i]! }));
}
