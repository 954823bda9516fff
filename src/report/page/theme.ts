const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const KEY = "descry-theme";

/** The button that goes from the system's colours to light and dark. The choice is kept where the browser keeps such things. */
export function openThemeSwitch(root: ParentNode): void {
  const button = root.querySelector<HTMLButtonElement>("#theme");
  if (button === null) return;
  button.hidden = false;
  show(button, remembered());
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length]!;
    show(button, next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // A page from a file may have no storage: the choice then lasts as long as the page.
    }
  });
}

function current(): Theme {
  return asTheme(document.documentElement.dataset["theme"]);
}

function remembered(): Theme {
  if (document.documentElement.dataset["theme"] !== undefined) return current();
  try {
    return asTheme(localStorage.getItem(KEY));
  } catch {
    return "system";
  }
}

function asTheme(value: string | null | undefined): Theme {
  return THEMES.find((theme) => theme === value) ?? "system";
}

function show(button: HTMLElement, theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
  button.textContent = `Colours: ${theme}`;
}
