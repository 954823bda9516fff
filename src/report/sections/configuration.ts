import { experimentYaml } from "../experiment-yaml.js";
import { html } from "../html.js";
import { differenceTable } from "../tables.js";
import type { SectionBody, SectionInput } from "./section.js";

/** The settings in which the arms differ, and all of them. */
export function configurationSection({ groups }: SectionInput): SectionBody {
  return [
    html`${differenceTable(groups)}
${groups.map(
  (group) =>
    html`<details><summary>Full configuration of ${group.label}</summary><pre tabindex="0"><code>${experimentYaml(group.runs[0]!.experiment)}</code></pre></details>`,
)}`,
  ];
}
