/** @file The controls above the curves and the arms of the legend, as they show and change the view. */
import { USUAL_VIEW } from "../figure-specs.js";
import { curveView, onCurveView, setCurveView } from "./settings.js";

/** Wire the controls that are inside of an element. */
export function openCurveControls(root: ParentNode): void {
  for (const controls of root.querySelectorAll<HTMLElement>(".curve-controls")) {
    controls.hidden = false;
    openControls(controls);
  }
  for (const entry of root.querySelectorAll<HTMLElement>(".legend li[data-label]")) openLegendEntry(entry);
}

function openControls(controls: HTMLElement): void {
  const input = (name: string) => controls.querySelector<HTMLInputElement>(`input[name="${name}"]`)!;
  const smoothing = input("smoothing");
  const output = controls.querySelector("output")!;
  const logSteps = input("logSteps");
  const logValues = input("logValues");
  const first = input("first");
  const last = input("last");
  const all = controls.querySelector<HTMLButtonElement>('button[name="all"]')!;
  const said = document.querySelector("[data-smoothing]");

  smoothing.addEventListener("input", () => setCurveView({ smoothing: smoothing.valueAsNumber / 100 }));
  logSteps.addEventListener("change", () => setCurveView({ logSteps: logSteps.checked }));
  logValues.addEventListener("change", () => setCurveView({ logValues: logValues.checked }));
  const chooseRange = () => {
    const range = [
      first.value === "" ? 1 : first.valueAsNumber,
      last.value === "" ? Number.MAX_SAFE_INTEGER : last.valueAsNumber,
    ] as const;
    if (range[0] < range[1]) setCurveView({ range: first.value === "" && last.value === "" ? null : range });
  };
  first.addEventListener("change", chooseRange);
  last.addEventListener("change", chooseRange);
  all.addEventListener("click", () => setCurveView({ range: null }));

  const show = () => {
    const view = curveView();
    const percent = Math.round(view.smoothing * 1000) / 10;
    smoothing.value = String(percent);
    const words = `${smoothing.value} %`;
    output.textContent = words;
    smoothing.setAttribute("aria-valuetext", `${words} of the steps`);
    if (said !== null) said.textContent = view.smoothing === 0 ? " not at all" : ` over ${words} of the steps`;
    logSteps.checked = view.logSteps;
    logValues.checked = view.logValues;
    first.value = view.range === null ? "" : String(Math.ceil(view.range[0]));
    last.value =
      view.range === null || view.range[1] === Number.MAX_SAFE_INTEGER ? "" : String(Math.floor(view.range[1]));
    all.disabled = view.range === USUAL_VIEW.range;
  };
  onCurveView(controls, show);
  show();
}

/** An arm of the legend becomes a button that shows and hides its lines. */
function openLegendEntry(entry: HTMLElement): void {
  const label = entry.dataset["label"]!;
  const button = document.createElement("button");
  button.type = "button";
  button.append(...entry.childNodes);
  entry.append(button);
  const show = () => button.setAttribute("aria-pressed", String(!curveView().hidden.has(label)));
  button.addEventListener("click", () => {
    const hidden = new Set(curveView().hidden);
    if (!hidden.delete(label)) hidden.add(label);
    setCurveView({ hidden });
  });
  onCurveView(entry, show);
  show();
}
