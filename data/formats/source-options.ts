import { UsageError } from "../errors.js";
import { nearestName } from "../nearest.js";

/** `PLACE?name=value&name=value`, taken apart. */
export interface SourcePlace {
  readonly place: string;
  readonly options: Readonly<Record<string, string>>;
}

/**
 * The options behind the path of a data source. A question mark that no `name=` follows belongs to the path, where it stands for
 * any letter.
 *
 * @param form  of the source, for errors.
 * @param known names of its options.
 * @throws {UsageError} an unknown option, one twice or one without a value.
 */
export function parseSourcePlace(form: string, rest: string, known: readonly string[]): SourcePlace {
  const [, place, tail] = /^(.*?)\?([A-Za-z]+=.*)$/s.exec(rest) ?? [undefined, rest, undefined];
  const options: Record<string, string> = {};
  for (const part of tail?.split("&") ?? []) {
    const [, name, value] = /^(.*?)=(.*)$/s.exec(part) ?? [undefined, part, ""];
    const where = `data source ${form}:${place}`;
    if (!known.includes(name!)) {
      const near = nearestName(name!, known);
      const meant = near === undefined ? {} : { hint: `did you mean ${near}?` };
      throw new UsageError(`${where}: unknown option "${name}"; there are: ${known.join(", ")}`, meant);
    }
    if (Object.hasOwn(options, name!)) throw new UsageError(`${where}: the option ${name} is given twice`);
    if (value === "") throw new UsageError(`${where}: the option ${name} has no value`);
    options[name!] = value!;
  }
  return { place: place!, options };
}
