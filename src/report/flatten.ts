/**
 * Nested settings → dotted keys: `{ train: { steps: 3 } }` → `train.steps: 3`. Lists and null are values.
 *
 * @returns in the order of the object.
 */
export function flattenSettings(value: unknown, prefix = ""): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (prefix !== "") flat.set(prefix, value);
    return flat;
  }
  for (const [key, item] of Object.entries(value)) {
    for (const entry of flattenSettings(item, prefix === "" ? key : `${prefix}.${key}`)) flat.set(...entry);
  }
  return flat;
}

/** The dotted keys in which some settings are not all the same; a key that one of them lacks counts as different. */
export function differingKeys(settings: readonly ReadonlyMap<string, unknown>[]): string[] {
  const keys = new Set(settings.flatMap((one) => [...one.keys()]));
  return [...keys].filter((key) => new Set(settings.map((one) => JSON.stringify(one.get(key)))).size > 1);
}

/** A setting in words: `–` where there is none. */
export function showSetting(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
