import { UsageError } from "../../../data/errors.js";
import { alongPoints, convergenceFile, writeConvergence } from "../along-training.js";
import { armFiles, evaluationFiles, isWrittenFile, type Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import type { Evaluation } from "../tasks/evaluate-task.js";
import { type StepOptions, type StepOutcome, selectArms, tellSkipped } from "./step.js";

/**
 * Step 4: compare the samples of each arm with the real images; writes `evaluation.json`, and a file for each further network. All
 * arms in one process: the real images pass through each network once. With `evaluate.every` also the samples along the training, by the
 * first network; writes `convergence.json`.
 *
 * @throws {UsageError} the samples of an arm are missing.
 */
export async function evaluateStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const { experiment, workingFolder } = run.record;
  const outcomes: StepOutcome[] = [];
  const evaluations: Evaluation[] = [];
  const isOpen = async (file: string) => options.again === true || !(await isWrittenFile(file));
  for (const { name: arm } of selectArms(run, options)) {
    const points = await alongPoints(run.folder, experiment, arm);
    const { network } = experiment.evaluate;
    const wanted: Evaluation[] = [
      ...points.map(({ step, evaluation, ...files }) => {
        return { arm, network, file: evaluation, label: `${arm}, step ${step}`, withInfluence: false, ...files };
      }),
      ...evaluationFiles(run.folder, arm, experiment).map((one) => {
        return { arm, label: arm, withInfluence: true, ...one, ...armFiles(run.folder, arm) };
      }),
    ];
    const missing: Evaluation[] = [];
    for (const one of wanted) if (await isOpen(one.file)) missing.push(one);
    const isConvergenceMissing = points.length > 0 && (await isOpen(convergenceFile(run.folder, arm)));
    if (missing.length === 0 && !isConvergenceMissing) {
      outcomes.push(tellSkipped(options.progress, "evaluate", arm, "evaluated"));
      continue;
    }
    for (const { samplesRecord } of missing) {
      if (await isWrittenFile(samplesRecord)) continue;
      throw new UsageError(`arm ${arm} has no samples: ${samplesRecord} is missing`, {
        hint: `first: descry sample ${run.folder}`,
      });
    }
    evaluations.push(...missing);
    outcomes.push({ name: arm, state: "done" });
  }
  if (evaluations.length > 0) {
    const input = { runFolder: run.folder, experiment, evaluations };
    await runTask("evaluate", input, { ...options, cwd: workingFolder });
  }
  for (const { name, state } of outcomes) {
    if (state === "done") await writeConvergence(run.folder, experiment, name);
  }
  return outcomes;
}
