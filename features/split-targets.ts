import { UsageError } from "../data/errors.js";

/**
 * The target strings of a list: split at commas, spaces around them left out.
 *
 *   "sift, concat(sift,hog)" → ["sift", "concat(sift,hog)"]
 *   "sift:vlfeat,flat,hog"   → ["sift:vlfeat,flat", "hog"]
 *
 * Commas within parentheses are the combination's. Options are joined by commas too: behind a target with options, what does not
 * begin with the name of a target is another option of it.
 *
 * @param names of all targets and combinations.
 * @throws {UsageError} parentheses that do not match, or an empty place in the list.
 */
export function splitTargets(list: string, names: readonly string[]): string[] {
  const targets: string[] = [];
  for (const piece of splitOutside(list)) {
    if (piece === "") throw new UsageError(`"${list}": an empty place in a list of targets`);
    const [name] = /^[^:(]*/.exec(piece)!;
    const begins = names.includes(name) || names.includes(name.replace(/[\d.]*$/, ""));
    const hasOptions = /^[^(]*:/.test(targets.at(-1) ?? "");
    if (hasOptions && !begins) targets.push(`${targets.pop()},${piece}`);
    else targets.push(piece);
  }
  return targets;
}

/** Pieces between the commas that stand in no parentheses. */
function splitOutside(list: string): string[] {
  const pieces: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= list.length; i++) {
    const character = list[i] ?? ",";
    if (character === "(") depth++;
    if (character === ")") depth--;
    if (depth < 0 || (i === list.length && depth > 0)) {
      throw new UsageError(`"${list}": ${depth < 0 ? 'a ")" too many' : 'a ")" is missing'}`, {
        hint: "for example concat(sift,hog)",
      });
    }
    if (character !== "," || depth > 0) continue;
    pieces.push(list.slice(start, i).trim());
    start = i + 1;
  }
  return pieces;
}
