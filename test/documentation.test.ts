/** @file The documents lead where they say: every relative link is a file of the project, and every anchor a heading in it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DOCUMENTS = [
  "README.md",
  ...["features", "src", "bench", "experiments", "test"].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => path.join(folder, name)),
  ),
];

/** As GitHub names a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

const read = (file: string): string => readFileSync(path.join(ROOT, file), "utf8");

test.each(DOCUMENTS)("%s", (document) => {
  const text = read(document).replace(/```[\s\S]*?```/g, "");
  const broken = [...text.matchAll(/\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)/g)].flatMap(([, link, anchor]) => {
    const file = link === "" ? document : path.join(path.dirname(document), link!);
    if (!existsSync(path.join(ROOT, file))) return [`${link}: no such file`];
    if (anchor === undefined) return [];
    const anchors = [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));
    return anchors.includes(anchor) ? [] : [`${link}#${anchor}: no such heading`];
  });
  expect(broken).toEqual([]);
});
