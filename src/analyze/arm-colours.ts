/** The report's colours of arms on a light ground (`style.ts`), for figures that stand alone. */
const COLOURS = ["#0067b1", "#c44d00", "#007a5a", "#a62c7c", "#7a5b00", "#5a46b8", "#00808f"] as const;
const CONTROL = "#1b1d22";

/** @param colour place among the arms that are no controls; null: a control. */
export function armColour(colour: number | null): string {
  return colour === null ? CONTROL : COLOURS[colour % COLOURS.length]!;
}
