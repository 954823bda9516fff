import { UsageError } from "../data/errors.js";

/**
 * The target strings of a list: split at the commas that stand in no parentheses, spaces around them left out.
 *
 *   "sift, concat(sift,hog)" → ["sift", "concat(sift,hog)"]
 *
 * @throws {UsageError} parentheses that do not match, or an empty place in the list.
 */
export function splitTargets(list: string): string[] {
  const targets: string[] = [];
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
    const target = list.slice(start, i).trim();
    if (target === "") throw new UsageError(`"${list}": an empty place in a list of targets`);
    targets.push(target);
    start = i + 1;
  }
  return targets;
}
