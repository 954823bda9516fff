import { evaluationNames, firstEvaluation } from "../compare-arms.js";
import { gainFigures } from "../curve-figures.js";
import { type Html, html } from "../html.js";
import { part } from "../page-parts.js";
import { recoveryTable } from "../recovery-table.js";
import { eachSeed, type RunGroup, seedOf } from "../run-groups.js";
import { metricsTable, seedTable } from "../tables.js";
import type { SectionBody, SectionInput } from "./section.js";

/** The numbers of every evaluation, and what each arm gains. */
export async function resultsSection({ groups, maker, relativeTo }: SectionInput): Promise<SectionBody> {
  const tables = groups.flatMap((group) => {
    const names = evaluationNames(group.runs[0]!);
    const heading = groups.length > 1 ? html`<h3>${group.label}</h3>` : "";
    return [
      heading,
      ...(names.length === 0 ? ["evaluation"] : names).map((name) => groupTables(group, name, names.length > 1)),
      names[0] !== undefined && recoveryTable(group, names[0], relativeTo),
    ];
  });
  const gains = await gainFigures(groups, maker);
  return [
    part("results-tables", html`${tables}`),
    part(
      "results-gains",
      html`${gains.length > 0 && html`<h3>Gain over the control</h3><p class="note">To the right is better, whatever the direction of the metric.</p><div class="charts">${gains}</div>`}`,
    ),
  ];
}

function groupTables(group: RunGroup, name: string, several: boolean): Html {
  const network = firstEvaluation(group, name)?.network.name;
  const what = several ? `Generation metrics by ${network} (${name}.json).` : "Generation metrics.";
  if (group.runs.length === 1) return metricsTable(group, name, what);
  const seeds = eachSeed(group);
  return html`${seedTable(group, name, what)}
<details><summary>Each seed</summary>${seeds.map((one) => metricsTable(one, name, `Seed ${seedOf(one.runs[0]!)}.`))}</details>`;
}
