/** @file How the reader looks at the curves: one choice for all charts of the page, kept while parts of it are replaced. */
import { type CurveView, USUAL_VIEW } from "../figure-specs.js";

let view: CurveView = USUAL_VIEW;
const listeners = new Set<() => void>();

export function curveView(): CurveView {
  return view;
}

/** Change some of it; charts and controls follow. */
export function setCurveView(change: Partial<CurveView>): void {
  view = { ...view, ...change };
  for (const listener of [...listeners]) listener();
}

/** Be told of changes, as long as an element stands in the page. */
export function onCurveView(element: Element, listener: () => void): void {
  const own = () => {
    if (element.isConnected) listener();
    else listeners.delete(own);
  };
  listeners.add(own);
}
