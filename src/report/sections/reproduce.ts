import { citationsOf } from "../citations.js";
import { html } from "../html.js";
import type { RunRecord } from "../read-run.js";
import { type RunGroup, seedOf } from "../run-groups.js";
import type { SectionBody, SectionInput } from "./section.js";

/** Commands, versions, machines and hashes, and what to cite. */
export function reproduceSection({ runs, groups }: SectionInput): SectionBody {
  const keys = [
    ...new Set(runs.flatMap(({ machine, versions }) => [...Object.keys(machine), ...Object.keys(versions)])),
  ];
  return [
    html`<p>Save each full configuration above under the name given here and run it. The run’s folder gets the name behind the arrow, which holds a hash of everything that changes results:</p>
<pre tabindex="0"><code>${groups.map((group) => group.runs.map((run) => `${runCommand(group, run)}   # → runs/${run.experiment.name}-${run.hash}\n`))}</code></pre>
<div class="scroll" tabindex="0" role="region" aria-label="Machine and versions"><table>
<caption>Machine and versions, as recorded when the run began. On the same processor with the same number of threads, training is repeatable to the bit; elsewhere to rounding.</caption>
<thead><tr><th scope="col" class="first">Run</th>${runs.map((run) => html`<th scope="col" class="text"><span class="name">${run.experiment.name}-${run.hash}</span><small>seed ${seedOf(run)}</small></th>`)}</tr></thead>
<tbody>${keys.map((key) => html`<tr><th scope="row">${key === "memoryBytes" ? "memory" : key}</th>${runs.map(({ machine, versions }) => html`<td class="text">${showFact(key, machine[key] ?? versions[key])}</td>`)}</tr>`)}
<tr><th scope="row">began</th>${runs.map(({ created }) => html`<td class="text">${created}</td>`)}</tr></tbody>
</table></div>
<h3>To cite</h3>
<ul class="cite">${citationsOf(runs).map(({ use, text, url }) => html`<li>${use}: ${url === null ? text : html`<a href="${url}">${text}</a>`}</li>`)}</ul>`,
  ];
}

/** The command that makes a run of a group from the configuration of the group's first. */
function runCommand({ label, runs }: RunGroup, { experiment }: RunRecord): string {
  const first = runs[0]!.experiment;
  const settings = [
    ["name", experiment.name, first.name],
    ["seed", experiment.seed, first.seed],
    ["sample.seed", experiment.sample["seed"], first.sample["seed"]],
  ].filter(([, value, usual]) => value !== usual);
  const overrides = settings.map(([key, value]) => ` --set ${quote(`${key}=${value}`)}`);
  return `npx descry run ${quote(`${label}.yaml`)}${overrides.join("")}`;
}

function showFact(key: string, value: string | number | undefined): string {
  if (value === undefined) return "–";
  return key === "memoryBytes" ? `${(Number(value) / 2 ** 30).toFixed(1)} GiB` : String(value);
}

function quote(text: string): string {
  return /^[\w./=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
