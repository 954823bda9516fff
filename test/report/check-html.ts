/** @file A small strict reader of HTML: enough to find what is not closed, not quoted, or named twice. */

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: (Element | string)[];
}

const VOID = new Set(["meta", "img", "br", "link", "input", "hr"]);
const RAW_TEXT = new Set(["style", "script"]);

/**
 * Parse a page.
 *
 * @throws {Error} a tag that is not closed or closes another, an attribute without quotes or twice, a stray `<` or `&`, an id twice.
 */
export function parseHtml(page: string): Element {
  const root: Element = { name: "#root", attributes: {}, children: [] };
  const open = [root];
  const ids = new Set<string>();
  let at = /^<!doctype html>\n/.exec(page)?.[0].length ?? -1;
  if (at < 0) throw new Error("wants <!doctype html> first");
  while (at < page.length) {
    const parent = open.at(-1)!;
    if (RAW_TEXT.has(parent.name)) {
      const end = page.indexOf(`</${parent.name}>`, at);
      parent.children.push(page.slice(at, end));
      at = end;
    }
    const next = page.indexOf("<", at);
    const text = page.slice(at, next < 0 ? page.length : next);
    if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(text)) throw new Error(`stray & in ${JSON.stringify(text.slice(0, 80))}`);
    if (text !== "") parent.children.push(decode(text));
    if (next < 0) break;
    const tag = /^<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*)\s*(\/?)>/.exec(
      page.slice(next, next + 2_000_000),
    );
    if (tag === null) throw new Error(`no tag: ${JSON.stringify(page.slice(next, next + 100))}`);
    const [whole, closes, name, inside, closesItself] = tag;
    at = next + whole.length;
    if (closes === "/") {
      if (parent.name !== name) throw new Error(`</${name}> closes <${parent.name}> before ${page.slice(at, at + 60)}`);
      open.pop();
      continue;
    }
    const element: Element = { name: name!, attributes: attributesOf(inside!), children: [] };
    const { id } = element.attributes;
    if (id !== undefined && ids.has(id)) throw new Error(`two elements have the id ${id}`);
    if (id !== undefined) ids.add(id);
    parent.children.push(element);
    if (closesItself !== "/" && !VOID.has(name!)) open.push(element);
  }
  if (open.length > 1) throw new Error(`<${open.at(-1)!.name}> is not closed`);
  return root;
}

function attributesOf(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)) {
    if (name! in attributes) throw new Error(`attribute ${name} twice in ${text}`);
    if (value === undefined) throw new Error(`attribute ${name} has no value in ${text}`);
    attributes[name!] = decode(value);
  }
  return attributes;
}

function decode(text: string): string {
  const entities: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };
  return text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities[entity]!);
}

/** All elements of a name (or all, for `*`), in order. */
export function findAll(element: Element, name: string): Element[] {
  return element.children.flatMap((child) =>
    typeof child === "string" ? [] : [...(name === "*" || child.name === name ? [child] : []), ...findAll(child, name)],
  );
}

/** The text inside an element; scripts and styles in it are none. */
export function textOf(element: Element): string {
  return element.children
    .map((child) => (typeof child === "string" ? child : RAW_TEXT.has(child.name) ? "" : textOf(child)))
    .join("");
}
