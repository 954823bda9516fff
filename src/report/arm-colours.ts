/** Colours on a light ground and on a dark one. */
type Colour = readonly [light: string, dark: string];

/** Arms that are no controls; then they repeat. */
export const ARM_COLOURS: readonly Colour[] = [
  ["#0067b1", "#63b6ff"],
  ["#c44d00", "#ff9455"],
  ["#007a5a", "#45cf9f"],
  ["#a62c7c", "#f08ac4"],
  ["#7a5b00", "#dfc052"],
  ["#5a46b8", "#b3a4ff"],
  ["#00808f", "#54d3e3"],
];
/** Text, and controls. */
export const INK: Colour = ["#1b1d22", "#e7e8ea"];

/**
 * The colour of an arm in figures that stand alone, on a light ground.
 *
 * @param colour place among the arms that are no controls; null: a control.
 */
export function armColour(colour: number | null): string {
  return (colour === null ? INK : ARM_COLOURS[colour % ARM_COLOURS.length]!)[0];
}
