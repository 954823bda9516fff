import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { DataError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import { writeNpz } from "../../data/write-npz.js";
import { readRun, readRuns } from "../../src/report/read-run.js";
import { renderReport } from "../../src/report/render-page.js";
import { writeReport } from "../../src/report/write-report.js";
import { type Element, findAll, parseHtml, textOf } from "./check-html.js";
import {
  ARMS,
  EVALUATED,
  evaluationOf,
  influences,
  LOWER_BETTER,
  metrics,
  temporaryFolder,
  writeRun,
} from "./fixture.js";

async function report(...options: Parameters<typeof writeRun>[0][]): Promise<{ page: string; root: Element }> {
  const folders: string[] = [];
  for (const one of options) folders.push(await writeRun(one));
  const page = await renderReport(await readRuns(folders));
  return { page, root: parseHtml(page) };
}

/** Rows of the metrics table: arm → numbers as `<data value>` and gains. */
function metricRows(root: Element): Map<string, { values: number[]; gains: number[]; text: string }> {
  const table = findAll(root, "table").find(({ attributes }) => attributes["class"] === "metrics")!;
  const rows = findAll(findAll(table, "tbody")[0]!, "tr").map((row) => {
    const name = textOf(findAll(row, "th")[0]!.children.find((child) => typeof child !== "string") as Element);
    const cells = findAll(row, "td");
    const values = cells.flatMap((cell) => findAll(cell, "data").map(({ attributes }) => Number(attributes["value"])));
    const gains = cells.flatMap((cell) =>
      findAll(cell, "small").flatMap(({ attributes }) =>
        attributes["data-extra"] === "gain" ? [Number(attributes["data-value"])] : [],
      ),
    );
    return [name, { values, gains, text: textOf(row) }] as const;
  });
  return new Map(rows);
}

describe("the page", () => {
  test("is well-formed, loads nothing, and its policy would not let it", async () => {
    const { page, root } = await report({ floor: metrics(20, 0.001, 0.8, 0.8) });
    const policy = findAll(root, "meta").find((one) => one.attributes["http-equiv"] === "Content-Security-Policy")!;
    const [code, ...others] = findAll(root, "script").filter(({ attributes }) => attributes["type"] === undefined);
    expect(others).toEqual([]);
    expect(code!.attributes).toEqual({});
    const hash = createHash("sha256").update(textOf(code!)).digest("base64");
    expect(policy.attributes["content"]).toBe(
      `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`,
    );
    for (const { name, attributes } of findAll(root, "*")) {
      for (const [key, value] of Object.entries(attributes)) {
        if (name === "a" && key === "href") continue;
        expect(value, `${name} ${key}`).not.toMatch(/https?:|^\/\/|^file:/);
      }
      if (name === "img") expect(attributes["src"]).toMatch(/^data:image\/png;base64,[A-Za-z0-9+/=]+$/);
    }
    for (const forbidden of ["link", "iframe", "object", "embed", "base", "form"]) {
      expect(findAll(root, forbidden), forbidden).toEqual([]);
    }
    expect(page.replace(textOf(code!), "")).not.toMatch(/@import|url\((?!#)/);
    expect(
      findAll(root, "*").flatMap(({ attributes }) => Object.keys(attributes).filter((key) => /^on/.test(key))),
    ).toEqual([]);
  });

  test("can be read aloud and by keyboard: language, title, headings, captions, texts for pictures, labelled regions", async () => {
    const { root } = await report({});
    expect(findAll(root, "html")[0]!.attributes["lang"]).toBe("en");
    expect(textOf(findAll(root, "title")[0]!)).toBe("photos-classical: descry report");
    expect(findAll(root, "h1")).toHaveLength(1);
    for (const picture of findAll(root, "img")) expect(picture.attributes["alt"]!.length).toBeGreaterThan(10);
    for (const table of findAll(root, "table")) {
      expect(findAll(table, "caption")).toHaveLength(1);
      for (const head of findAll(table, "th")) expect(head.attributes["scope"]).toMatch(/^(row|col)$/);
    }
    for (const svg of findAll(root, "svg")) expect(svg.attributes["aria-hidden"]).toBe("true");
    for (const chart of findAll(root, "figure").filter(({ attributes }) => attributes["class"] === "chart")) {
      const image = findAll(chart, "div").find(({ attributes }) => attributes["role"] === "img")!;
      expect(image.attributes["aria-label"]).toMatch(/sift-irepa/);
      expect(findAll(image, "svg")).toHaveLength(1); // drawn, for readers without scripts
    }
    for (const scroll of findAll(root, "div").filter(({ attributes }) => attributes["class"] === "scroll")) {
      expect(scroll.attributes).toMatchObject({ tabindex: "0", role: "region" });
    }
    const ids = new Set(findAll(root, "*").map(({ attributes }) => attributes["id"]));
    for (const link of findAll(root, "a")) {
      const { href } = link.attributes;
      if (href!.startsWith("#")) expect(ids.has(href!.slice(1)), href).toBe(true);
    }
  });

  test("all numbers of the table are those of the evaluations, every digit", async () => {
    const floor = metrics(20.123456789, 0.001, 0.8, 0.8);
    const { root } = await report({ floor });
    const rows = metricRows(root);
    const keys = ["frechet_distance", "kid", "precision", "recall"];
    for (const { name } of ARMS) {
      const measured = EVALUATED[name]!;
      expect(rows.get(name)!.values, name).toEqual(keys.map((key) => measured[key]));
    }
    expect(rows.get("real images")).toBeUndefined(); // its head is plain text, not a name
    const shown = [...rows.values()].find(({ text }) => text.startsWith("real images"))!;
    expect(shown.values).toEqual(keys.map((key) => floor[key as keyof typeof floor]));
  });

  test("gains have the sign of their direction, and say better or worse in words", async () => {
    const { root } = await report({});
    const rows = metricRows(root);
    expect(rows.get("control")!.gains).toEqual([]);
    for (const { name } of ARMS.slice(1)) {
      const row = rows.get(name)!;
      for (const [k, key] of ["frechet_distance", "kid", "precision", "recall"].entries()) {
        const difference = EVALUATED[name]![key]! - EVALUATED["control"]![key]!;
        const expected = LOWER_BETTER.includes(key) ? -difference : difference;
        expect(row.gains[k], `${name} ${key}`).toBeCloseTo(expected, 12);
      }
      const words = [...row.text.matchAll(/(better|worse) than the control/g)].map(([, word]) => word);
      expect(words).toEqual(row.gains.map((gain) => (gain > 0 ? "better" : "worse")));
    }
  });

  const KEPT = influences({ control: 8, "sift-repa": 80, "sift-irepa": 8, "hog-repa": 8 });

  test("gains with intervals: their ends, and in words where they hold 0", async () => {
    const { root } = await report({ influences: KEPT });
    const [table] = findAll(root, "table").filter(({ attributes }) => attributes["class"] === "metrics");
    expect(textOf(findAll(table!, "caption")[0]!)).toMatch(
      /In brackets 95 % intervals: paired bootstrap over the samples/,
    );
    const cells = findAll(findAll(table!, "tbody")[0]!, "tr").map((row) => findAll(row, "td")[0]!);
    const ends = cells.map((one) =>
      ["gain from", "gain to"].flatMap((name) =>
        findAll(one, "span").flatMap(({ attributes }) =>
          attributes["data-extra"] === name ? [Number(attributes["data-value"])] : [],
        ),
      ),
    );
    // Standard deviations of the differences: 80.4 and 11.3, over √256.
    expect(ends[0]).toEqual([]);
    for (const [i, half] of [undefined, 9.85, 1.39, 1.39].entries()) {
      if (half !== undefined) expect(Math.abs((ends[i]![1]! - ends[i]![0]!) / (2 * half) - 1)).toBeLessThan(0.12);
    }
    const said = cells.map((one) => /not distinguishable from|better than|worse than/.exec(textOf(one))?.[0]);
    expect(said).toEqual([undefined, "not distinguishable from", "better than", "worse than"]);
    const figure = findAll(root, "figure").find((one) => textOf(one).startsWith("Fréchet distance."))!;
    expect(textOf(figure)).toContain("Rule: 95 % interval.");
  });

  test("what the arms recover of the largest gain, or of the one that is asked for", async () => {
    const folder = await writeRun({ influences: KEPT });
    const tableOf = async (relativeTo?: string) => {
      const root = parseHtml(await renderReport([await readRun(folder)], { relativeTo }));
      const table = findAll(root, "table").find((one) => textOf(one).includes("Share of the gain"));
      const rows = table === undefined ? [] : findAll(findAll(table, "tbody")[0]!, "tr");
      return {
        text: textOf(root),
        rows: rows.map((row) => findAll(row, "data").map(({ attributes }) => Number(attributes["value"]))),
      };
    };
    const [control, repa, irepa, hog] = ARMS.map(({ name }) => EVALUATED[name]!["frechet_distance"]!);
    const { text, rows } = await tableOf();
    expect(text).toContain("What the arms recover of sift-irepa’s gain");
    expect(rows.map(([share]) => share)).toEqual([
      expect.closeTo((control! - repa!) / (control! - irepa!), 12),
      expect.closeTo((control! - hog!) / (control! - irepa!), 12),
    ]);
    for (const [share, low, high] of rows) expect(low! < share! && share! < high!).toBe(true);
    // The gain of sift-repa is known to ±10, and it is 3.
    const asked = await tableOf("sift-repa");
    expect(asked.rows).toEqual([]);
    expect(asked.text).toMatch(
      /Not defined: the gain of sift-repa \(as asked for\) in Fréchet distance, \+5\.3 % \[.*\], is not distinguishable from 0/,
    );
  });

  test("hashes of what the results came from; what runs share stands there once", async () => {
    const folders = [
      await writeRun({ seed: 0, trained: ["control"] }),
      await writeRun({ seed: 1, hash: "22222222", trained: ["control"] }),
    ];
    for (const [seed, folder] of folders.entries()) {
      const source = { name: "photos", fingerprint: "f".repeat(64), length: 1000, skipped: ["a.jpg"] };
      const caches = { source, images: { key: "1".repeat(64) }, targets: { sift: { key: "2".repeat(64) } } };
      writeFileSync(path.join(folder, "features.json"), JSON.stringify(caches));
      if (seed === 0) writeFileSync(path.join(folder, "arms", "control", "checkpoint-0000060.safetensors"), "weights");
    }
    const root = parseHtml(await renderReport(await readRuns(folders)));
    const table = findAll(root, "table").find((one) => textOf(one).includes("What the results came from"))!;
    const rows = findAll(findAll(table, "tbody")[0]!, "tr").map((row) =>
      [...findAll(row, "th"), ...findAll(row, "td")].map(textOf),
    );
    const weights = createHash("sha256").update("weights").digest("hex");
    expect(rows).toEqual([
      ["data set", "photos, 1,000 images, 1 undecodable left out", "f".repeat(64), "all"],
      ["cached images", "photos", "1".repeat(64), "all"],
      ["cached features", "sift", "2".repeat(64), "all"],
      ["checkpoint of the samples", "control: checkpoint-0000060.safetensors", weights, "photos-classical-1a2b3c4d"],
      ["network of the evaluation", "random-vgg", "0123abcd", "all"],
      [
        "checkpoint of the samples",
        "control: checkpoint-0000060.safetensors",
        "no longer there",
        "photos-classical-22222222",
      ],
    ]);
  });

  test("the difference of denoising losses is the arm's minus the control's, step by step", async () => {
    const folder = await writeRun();
    const run = await readRun(folder);
    const root = parseHtml(await renderReport([run]));
    const labels = findAll(root, "div").map(({ attributes }) => attributes["aria-label"] ?? "");
    const said = labels.find((label) => label.startsWith("Difference in denoising loss"))!;
    const last = (arm: number) =>
      run.arms[arm]!.metrics.slice(-6).reduce((sum, one) => sum + one.denoising_loss / 6, 0);
    for (const arm of [1, 2, 3]) {
      const ends = new RegExp(`${run.arms[arm]!.name} ends at (−?)([\\d.]+\\d)`).exec(said)!;
      expect(Number(ends[2]) * (ends[1] === "" ? 1 : -1)).toBeCloseTo(last(arm) - last(0), 3);
    }
    expect(last(3) - last(0)).toBeLessThan(-0.01);
  });

  test("every evaluated row says how it was measured", async () => {
    const { root } = await report({});
    for (const { name } of ARMS) {
      expect(metricRows(root).get(name)!.text).toContain(
        "random-vgg (proxy) · 256 samples against 744 real · euler 25 steps · guidance 1 · ema weights at step 60",
      );
    }
  });

  test("names cannot break out of the page", async () => {
    const bad = `<script>alert("1")<img src=x onerror=alert(1)>&'`;
    const arms = [ARMS[0]!, { name: bad.replaceAll("/", ""), align: { ...ARMS[1]!.align, target: bad } }];
    const name = "</title></style><script>alert(1)</script>";
    const { page, root } = await report({
      name,
      arms,
      evaluated: { control: EVALUATED["control"]!, [arms[1]!.name]: EVALUATED["sift-repa"]! },
      network: { name: bad, cite: bad, resize: bad },
      evaluation: { notes: [bad], not_measured: { inception_score: bad } },
    });
    const [code] = findAll(root, "script").filter(({ attributes }) => attributes["type"] === undefined);
    expect(page.replace(textOf(code!), "")).not.toMatch(/<img src=x|alert\(1\)<|<script>alert/);
    for (const { attributes } of findAll(root, "script")) expect(Object.keys(attributes).join()).toMatch(/^(type)?$/);
    expect(textOf(findAll(root, "h1")[0]!)).toBe(name);
    expect(metricRows(root).get(arms[1]!.name)).toBeDefined();
    for (const svg of findAll(root, "svg")) expect(findAll(svg, "img")).toEqual([]);
  });

  test("control characters of a name do not get into the page", async () => {
    const { page } = await report({ name: "a\u0000b\u001b[31m" });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(page).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
    expect(page).toContain("a�b�[31m");
  });

  test("arms without evaluation are shown as such; the others keep their numbers", async () => {
    const { "hog-repa": _, ...evaluated } = EVALUATED;
    const { root } = await report({ evaluated });
    const row = findAll(root, "tr").find((one) => textOf(one).startsWith("hog-repa"))!;
    expect(textOf(row)).toContain("not evaluated");
    expect(metricRows(root).get("sift-repa")!.values[0]).toBe(EVALUATED["sift-repa"]!["frechet_distance"]);
    expect(textOf(findAll(root, "ul").find(({ attributes }) => attributes["class"] === "caveats")!)).toContain(
      "Not evaluated: hog-repa.",
    );
  });

  test("a run that has only begun: no logs, no samples, no evaluation", async () => {
    const { root } = await report({ trained: [], evaluated: {} });
    const text = textOf(root);
    expect(text).toContain("No arm has been evaluated yet (0 of 4 have begun to train)");
    expect(text).toContain("No samples have been drawn yet.");
    expect(text).toContain("nothing logged");
    expect(findAll(root, "figure")).toEqual([]);
  });

  test.each([1, 2, 3])("a log of %d steps", async (steps) => {
    const { root } = await report({ steps });
    const charts = findAll(root, "figure").filter(({ attributes }) => attributes["class"] === "chart");
    expect(charts).toHaveLength(4 + 4);
    expect(textOf(root)).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("a metric that no arm has leaves a sentence and no column", async () => {
    const { root } = await report({});
    const table = findAll(root, "table")[0]!;
    expect(findAll(findAll(table, "thead")[0]!, "th")).toHaveLength(5);
    expect(textOf(findAll(table, "caption")[0]!)).toContain(
      "Class score: not measured (random-vgg gives no class probabilities).",
    );
  });

  test("the difference of the arms shows only what differs", async () => {
    const { root } = await report({});
    const table = findAll(root, "table").find((one) => textOf(one).includes("in which the arms differ"))!;
    const keys = findAll(findAll(table, "tbody")[0]!, "th").map(textOf);
    expect(keys).toEqual(["target", "projector", "kernel", "spatialNorm", "coefficient"]);
    const rows = findAll(findAll(table, "tbody")[0]!, "tr").map((row) => findAll(row, "td").map(textOf));
    expect(rows[0]).toEqual(["none", "sift", "sift", "hog"]);
    expect(rows[2]).toEqual(["–", "–", "3", "–"]);
  });

  test("several runs and seeds: averaged, kept apart, and every arm has a name of its own", async () => {
    const shifted = Object.fromEntries(
      Object.entries(EVALUATED).map(([name, one]) => [
        name,
        { ...one, frechet_distance: one["frechet_distance"]! + 2 },
      ]),
    );
    const { root } = await report(
      { seed: 0, hash: "aaaaaaaa" },
      { seed: 1, hash: "bbbbbbbb", evaluated: shifted },
      { name: "longer", steps: 70, hash: "cccccccc" },
    );
    const tables = findAll(root, "table").filter(({ attributes }) => attributes["class"] === "metrics");
    // Means of the two seeds, each seed, and the other run.
    expect(tables).toHaveLength(4);
    expect(metricRows(root).get("control")!.values[0]).toBeCloseTo(EVALUATED["control"]!["frechet_distance"]! + 1, 9);
    expect(textOf(tables[0]!)).toContain("over 2 seeds");
    const legend = findAll(root, "ul").find(({ attributes }) => attributes["class"] === "legend")!;
    const names = findAll(legend, "li").map(textOf);
    expect(names).toHaveLength(8);
    expect(new Set(names).size).toBe(8);
    expect(textOf(root)).toContain("--set seed=1   # → runs/photos-classical-bbbbbbbb");
    expect(findAll(root, "figure").filter(({ attributes }) => attributes["class"] === undefined)).toHaveLength(8);
  });

  test("a further evaluation gets a table of its own", async () => {
    const folder = await writeRun();
    const other = evaluationOf("control", metrics(3, 2, 0.3, 0.4), { network: { name: "onnx:dino", proxy: false } });
    writeFileSync(path.join(folder, "arms", "control", "evaluation-dino.json"), JSON.stringify(other));
    const root = parseHtml(await renderReport([await readRun(folder)]));
    const captions = findAll(root, "caption").map(textOf);
    expect(captions.some((text) => text.startsWith("Generation metrics by random-vgg (evaluation.json)"))).toBe(true);
    expect(captions.some((text) => text.startsWith("Generation metrics by onnx:dino (evaluation-dino.json)"))).toBe(
      true,
    );
  });

  test("the page is the same every time", async () => {
    const folder = await writeRun();
    const [one, two] = [await renderReport([await readRun(folder)]), await renderReport([await readRun(folder)])];
    expect(one).toBe(two);
  });
});

describe("pictures in the page", () => {
  test("the sheet of samples goes in byte for byte", async () => {
    const folder = await writeRun();
    const page = await renderReport([await readRun(folder)]);
    const file = readFileSync(path.join(folder, "arms", "control", "samples.png"));
    expect(page).toContain(`data:image/png;base64,${file.toString("base64")}`);
  });

  test("a large sheet is made smaller, and the page says so", async () => {
    const folder = await writeRun();
    const file = path.join(folder, "arms", "control", "samples.png");
    await sharp({ create: { width: 3000, height: 1500, channels: 3, background: "#336699" } })
      .png()
      .toFile(file);
    const root = parseHtml(await renderReport([await readRun(folder)]));
    const figure = findAll(root, "figure").find((one) => textOf(one).startsWith("control"))!;
    expect(findAll(figure, "img")[0]!.attributes).toMatchObject({ width: "1200", height: "600" });
    expect(textOf(figure)).toContain("Shown smaller than they are");
  });

  test("sheets of 64 samples of 256 pixels, in four arms, leave the page below 10 MB", async () => {
    const folder = await writeRun();
    // Harder to pack than any photograph: smooth noise of every scale.
    const noise = Buffer.from(
      randomStream(0, "large sheet", 0)
        .uniform(516 * 516 * 3)
        .map((share) => share * 255),
    );
    const sheet = sharp(noise, { raw: { width: 516, height: 516, channels: 3 } }).resize(2064, 2064);
    for (const { name } of ARMS)
      await sheet
        .clone()
        .png()
        .toFile(path.join(folder, "arms", name, "samples.png"));
    const page = await renderReport([await readRun(folder)]);
    expect(page).toContain("Shown smaller than they are");
    expect(page.length).toBeLessThan(10e6);
  });

  test("without samples.png the sheet is made from samples.npz, in the same order", async () => {
    const folder = await writeRun({ trained: [] });
    const arm = path.join(folder, "arms", "control");
    mkdirSync(arm, { recursive: true });
    const data = Uint8Array.from({ length: 3 * 4 * 5 * 3 }, (_, i) => (i * 7) % 251);
    await writeNpz(path.join(arm, "samples.npz"), { arr_0: { shape: [3, 4, 5, 3], data } });
    const root = parseHtml(await renderReport([await readRun(folder)]));
    const { src } = findAll(root, "img")[0]!.attributes;
    const bytes = Buffer.from(src!.slice("data:image/png;base64,".length), "base64");
    const { data: pixels, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([12, 10]);
    const pixel = (x: number, y: number) => [...pixels.subarray((y * 12 + x) * 3, (y * 12 + x) * 3 + 3)];
    const sample = (n: number, x: number, y: number) => [
      ...data.subarray(((n * 4 + y) * 5 + x) * 3, ((n * 4 + y) * 5 + x) * 3 + 3),
    ];
    expect(pixel(4, 3)).toEqual(sample(0, 4, 3));
    expect(pixel(7, 0)).toEqual(sample(1, 0, 0));
    expect(pixel(2, 6)).toEqual(sample(2, 2, 0));
    expect(pixel(5, 0)).toEqual([255, 255, 255]);
  });

  test("a torn picture is named", async () => {
    const folder = await writeRun();
    const file = path.join(folder, "arms", "sift-repa", "samples.png");
    writeFileSync(file, readFileSync(file).subarray(0, 1000));
    await expect(renderReport([await readRun(folder)])).rejects.toThrow(
      /sift-repa\/samples\.png: not a readable picture/,
    );
  });
});

describe("writeReport", () => {
  test("writes the file whole and says its size", async () => {
    const out = path.join(temporaryFolder(), "report.html");
    const written = await writeReport({ runFolders: [await writeRun()], out });
    expect(written.path).toBe(out);
    expect(readFileSync(out).length).toBe(written.bytes);
    expect(readFileSync(out, "utf8").trimEnd().endsWith("</html>")).toBe(true);
  });

  test("a damaged run leaves the old report alone", async () => {
    const out = path.join(temporaryFolder(), "report.html");
    writeFileSync(out, "old");
    const folder = await writeRun();
    rmSync(path.join(folder, "experiment.json"));
    await expect(writeReport({ runFolders: [folder], out })).rejects.toThrow(DataError);
    expect(readFileSync(out, "utf8")).toBe("old");
  });

  test("a folder that is not there is named", async () => {
    const out = path.join(temporaryFolder(), "none", "report.html");
    await expect(writeReport({ runFolders: [await writeRun()], out })).rejects.toThrow(/none/);
  });
});
