/**
 * @file Pictures that can be enlarged. Those of one gallery take each other's place with ← and →, so that sheets of the same noise
 * can be compared by flipping between them.
 */

/** Make the pictures of the galleries inside of an element into buttons. */
export function hydrateGalleries(root: ParentNode): void {
  for (const gallery of root.querySelectorAll<HTMLElement>("[data-gallery]")) {
    for (const picture of gallery.querySelectorAll("img")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "enlarge";
      button.setAttribute("aria-haspopup", "dialog");
      picture.before(button);
      button.append(picture);
      button.addEventListener("click", () => openViewer(gallery, picture));
    }
  }
}

function openViewer(gallery: HTMLElement, first: HTMLImageElement): void {
  const pictures = [...gallery.querySelectorAll("img")];
  const dialog = document.createElement("dialog");
  dialog.className = "viewer";
  dialog.setAttribute("aria-label", `${gallery.dataset["gallery"]}, enlarged`);
  const image = document.createElement("img");
  const caption = document.createElement("p");
  caption.role = "status";
  const bar = document.createElement("div");
  let at = pictures.indexOf(first);
  const show = (index: number) => {
    at = (index + pictures.length) % pictures.length;
    const { src, alt, width, height } = pictures[at]!;
    Object.assign(image, { src, alt, width, height });
    // As large as the window allows.
    image.style.setProperty("--ratio", String(width / height));
    caption.textContent = `${at + 1} of ${pictures.length}: ${captionOf(pictures[at]!)}`;
  };
  const button = (text: string, label: string, action: () => void) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", action);
    bar.append(made);
  };
  button("←", "Previous picture", () => show(at - 1));
  button("→", "Next picture", () => show(at + 1));
  button("Close", "Close", () => dialog.close());
  dialog.append(image, caption, bar);
  dialog.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft") show(at - 1);
    if (key === "ArrowRight") show(at + 1);
  });
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
  // The browser gives the focus back to the picture that was clicked.
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  show(at);
  dialog.showModal();
}

function captionOf(picture: HTMLImageElement): string {
  const caption = picture.closest("figure")?.querySelector("figcaption")?.textContent;
  return (caption ?? picture.alt).replace(/\s+/g, " ").trim();
}
