/** @file The films: one step at a time, by slider or playing, the same step in all arms. */

/** Milliseconds that a step is shown while playing. */
const FRAME_MS = 350;

/** The step that is looked at, kept while parts of the page are replaced; null: the last one there is. */
let chosen: number | null = null;

/** Make the films inside of an element play. */
export function hydrateFilms(root: ParentNode): void {
  const films = [...root.querySelectorAll<HTMLElement>(".film")];
  if (root instanceof HTMLElement && root.matches(".film")) films.push(root);
  for (const film of films) openFilm(film);
}

function openFilm(film: HTMLElement): void {
  const controls = film.querySelector<HTMLElement>(".film-controls")!;
  const slider = controls.querySelector("input")!;
  const output = controls.querySelector("output")!;
  const play = controls.querySelector("button")!;
  const reels = [...film.querySelectorAll<HTMLElement>(".reel")].map((reel) => ({
    reel,
    steps: reel.dataset["steps"]!.split(" ").map(Number),
  }));
  const steps = [...new Set(reels.flatMap((one) => one.steps))].sort((a, b) => a - b);
  controls.hidden = false;
  film.querySelector<HTMLElement>(".all-frames")!.hidden = true;
  film.dataset["playing"] = "";
  slider.max = String(steps.length - 1);

  const show = (index: number) => {
    const step = steps[index]!;
    chosen = index === steps.length - 1 ? null : step;
    slider.value = String(index);
    const words = step.toLocaleString("en-US");
    output.textContent = words;
    slider.setAttribute("aria-valuetext", `step ${words}`);
    for (const { reel, steps: own } of reels) {
      // An arm that has not come so far shows the last step it has.
      const at = Math.max(
        0,
        own.findLastIndex((one) => one <= step),
      );
      for (const frame of reel.querySelectorAll<HTMLElement>(".frame")) frame.style.setProperty("--at", String(at));
    }
  };
  const last = steps.length - 1;
  show(
    chosen === null
      ? last
      : Math.max(
          0,
          steps.findLastIndex((step) => step <= chosen!),
        ),
  );

  let timer: ReturnType<typeof setInterval> | undefined;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
  };
  slider.addEventListener("input", () => {
    stop();
    show(slider.valueAsNumber);
  });
  play.addEventListener("click", () => {
    if (timer !== undefined) {
      stop();
      return;
    }
    play.textContent = "Stop";
    if (slider.valueAsNumber === last) show(0);
    timer = setInterval(() => {
      if (!film.isConnected || slider.valueAsNumber === last) stop();
      else show(slider.valueAsNumber + 1);
    }, FRAME_MS);
  });
}
