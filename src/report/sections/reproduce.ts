import { citationsOf } from "../citations.js";
import { type Html, html } from "../html.js";
import type { RunRecord } from "../read-run.js";
import { type HashedInput, reproductionHashes } from "../reproduction-hashes.js";
import { type RunGroup, seedOf } from "../run-groups.js";
import type { SectionBody, SectionInput } from "./section.js";

/** Commands, hashes, versions and machines, and what to cite. */
export async function reproduceSection({ runs, groups }: SectionInput): Promise<SectionBody> {
  const keys = [
    ...new Set(runs.flatMap(({ machine, versions }) => [...Object.keys(machine), ...Object.keys(versions)])),
  ];
  return [
    html`<p>Save each full configuration above under the name given here and run it. The run’s folder gets the name behind the arrow, which holds a hash of everything that changes results:</p>
<pre tabindex="0"><code>${groups.map((group) => group.runs.map((run) => `${runCommand(group, run)}   # → runs/${run.experiment.name}-${run.hash}\n`))}</code></pre>
${await hashTable(runs)}
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

/** What the results came from; what is the same in all runs stands there once. */
async function hashTable(runs: readonly RunRecord[]): Promise<Html> {
  const rows = new Map<string, HashedInput & { readonly runs: RunRecord[] }>();
  for (const run of runs) {
    for (const input of await reproductionHashes(run)) {
      const key = JSON.stringify(input);
      rows.set(key, { ...input, runs: [...(rows.get(key)?.runs ?? []), run] });
    }
  }
  if (rows.size === 0) return html``;
  const several = runs.length > 1;
  const ofRuns = (some: readonly RunRecord[]) =>
    some.length === runs.length ? "all" : some.map((run) => `${run.experiment.name}-${run.hash}`).join(", ");
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Hashes"><table>
<caption>What the results came from. Hashes are SHA-256; those of caches are of everything that changes what is cached, and their first digits are in the names of the folders. First weights, order, noise and times follow from the seed.</caption>
<thead><tr><th scope="col" class="first">What</th><th scope="col" class="text">Name</th><th scope="col" class="text">Hash</th>${several && html`<th scope="col" class="text">Runs</th>`}</tr></thead>
<tbody>${[...rows.values()].map(({ what, name, hash, runs: some }) => html`<tr><th scope="row">${what}</th><td class="text"><span class="name">${name}</span></td><td class="text hash">${hash === null ? html`<span class="none">no longer there</span>` : html`<code>${hash}</code>`}</td>${several && html`<td class="text">${ofRuns(some)}</td>`}</tr>`)}</tbody>
</table></div>`;
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
