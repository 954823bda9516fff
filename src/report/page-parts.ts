/**
 * @file The page as a tree of parts. A part is an element with the attribute `data-part`, unique in the page, which can be
 * replaced alone: that is how a page that is being watched follows its run.
 */
import { Html, html, trusted } from "./html.js";

export interface Part {
  readonly id: string;
  readonly tag: "div" | "section" | "header" | "main";
  /** Attributes of its element, escaped, with a blank before each. */
  readonly attributes: Html;
  readonly children: readonly (Part | Html)[];
}

/** A part: `attributes` as `` html` class="charts"` ``. */
export function part(
  id: string,
  children: Html | readonly (Part | Html)[],
  { tag = "div", attributes = html`` }: { readonly tag?: Part["tag"]; readonly attributes?: Html } = {},
): Part {
  return { id, tag, attributes, children: children instanceof Html ? [children] : children };
}

/** A part as HTML. */
export function renderPart({ id, tag, attributes, children }: Part): Html {
  const inside = children.map((child) => (child instanceof Html ? child : renderPart(child)));
  return html`<${trusted(tag)}${attributes} data-part="${id}">${inside}</${trusted(tag)}>\n`;
}

/** What to replace: the element whose `data-part` is `id`, by `html`. */
export interface PartChange {
  readonly id: string;
  readonly html: string;
}

/** The smallest parts whose replacement turns one page into another. Both have the same root. */
export function changedParts(before: Part, after: Part): PartChange[] {
  const sameShell =
    before.attributes.text === after.attributes.text &&
    before.children.length === after.children.length &&
    before.children.every((child, i) => {
      const other = after.children[i]!;
      if (child instanceof Html || other instanceof Html) {
        return child instanceof Html && other instanceof Html && child.text === other.text;
      }
      return child.id === other.id;
    });
  if (!sameShell) return [{ id: after.id, html: renderPart(after).text }];
  return before.children.flatMap((child, i) =>
    child instanceof Html ? [] : changedParts(child, after.children[i] as Part),
  );
}
