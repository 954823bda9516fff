/** @file The report in a real browser: what a reader sees, clicks and hears. */
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { writeReport } from "../../../src/report/write-report.js";
import { ARMS, EVALUATED, influences, metrics, temporaryFolder, writeRun } from "../fixture.js";
import { eventually, NO_BROWSER, openBrowser } from "./open-browser.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe.skipIf(NO_BROWSER !== undefined)(`in a browser${NO_BROWSER === undefined ? "" : ` (${NO_BROWSER})`}`, () => {
  let browser: Browser;
  let file: string;
  const said: string[] = [];
  const asked: string[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
    file = path.join(temporaryFolder(), "report.html");
    const kept = influences({ control: 8, "sift-repa": 80, "sift-irepa": 8, "hog-repa": 8 });
    const run = { steps: 300, floor: metrics(20, 0.001, 0.8, 0.8), filmed: [100, 200, 250], influences: kept };
    await writeReport({ runFolders: [await writeRun(run)], out: file });
  });
  afterAll(() => browser.close());
  afterEach(() => {
    // Nothing said on the console, nothing asked of anybody, in any test.
    expect(said.splice(0)).toEqual([]);
    expect(asked.splice(0)).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}, of = file): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => said.push(error.message));
    page.on("request", (request) => {
      if (!/^(file|data):/.test(request.url())) asked.push(request.url());
    });
    await page.goto(pathToFileURL(of).href);
    if (options.javaScriptEnabled !== false) {
      await page.waitForSelector(".plot.curves svg[aria-hidden] .mark-line path", { state: "attached" });
      await page.waitForSelector("html[data-ready]");
    }
    return page;
  }

  /** Lines of a chart: their path, by width of stroke. */
  const lines = (page: Page, chart: number, width: string) =>
    page
      .locator(".plot.curves")
      .nth(chart)
      .locator(`path[stroke-width="${width}"][stroke]:not([stroke="none"])`)
      .evaluateAll((paths) => paths.map((path) => path.getAttribute("d")!));

  const columnOf = (page: Page, column: number) =>
    page.locator("table.metrics tbody tr").evaluateAll(
      (rows, c) =>
        rows.map((row) => {
          const cell = (row as HTMLTableRowElement).cells[c]!;
          return cell.querySelector("data")?.value ?? cell.querySelector(".name")?.textContent ?? "";
        }),
      column,
    );

  test("weighs less than 10 MB, and is whole without its script", async () => {
    expect(statSync(file).size).toBeLessThan(10e6);
    const page = await open({ javaScriptEnabled: false });
    expect(await page.locator(".plot svg path").count()).toBeGreaterThan(20);
    for (const controls of await page.locator(".controls").all()) expect(await controls.isVisible()).toBe(false);
    expect(await page.locator("table.metrics").first().textContent()).toContain("sift-irepa");
  });

  test("plots are drawn by the script, with marks in the colours of the arms", async () => {
    const page = await open();
    for (let chart = 0; chart < 4; chart++) {
      const bold = await lines(page, chart, "2");
      expect(bold.length).toBeGreaterThanOrEqual(3);
      for (const d of bold) expect(d.split("L").length).toBeGreaterThan(100);
    }
    const colour = await page
      .locator('.plot.curves path[stroke="var(--series-1)"]')
      .first()
      .evaluate((line) => getComputedStyle(line).stroke);
    expect(colour).toBe("rgb(0, 103, 177)");
    expect(await page.locator('.plot.gains path[fill^="var(--series"]').count()).toBe(4 * 3);
  });

  test("the cursor reads all arms at a step, by pointer and by keyboard", async () => {
    const page = await open();
    const plot = page.locator(".plot.curves").first();
    await plot.scrollIntoViewIfNeeded();
    const box = (await plot.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 100);
    const tooltip = page.locator("#tooltip");
    await eventually(() => tooltip.isVisible()).toBe(true);
    const rows = (await tooltip.locator("dt").allTextContents()).map((text) => text.trim());
    expect(rows).toEqual(["step", ...ARMS.map(({ name }) => name)]);
    const step = Number(await tooltip.locator("dd").first().textContent());
    expect(step).toBeGreaterThan(100);
    expect(step).toBeLessThan(200);
    expect(await plot.locator(".mark-symbol path").count()).toBe(ARMS.length);
    await page.mouse.move(5, 5);
    await eventually(() => tooltip.isVisible()).toBe(false);

    const slider = page.locator("input.cursor").first();
    await slider.focus();
    await slider.press("End");
    expect(await slider.getAttribute("aria-valuetext")).toMatch(/^step 300, control 0\.\d+, sift-repa 0\.\d+/);
    await slider.press("ArrowLeft");
    expect(await tooltip.locator("dd").first().textContent()).toBe("299");
  });

  test("smoothing, log scales, zoom and hidden arms change the lines, of all charts at once", async () => {
    const page = await open();
    const before = [await lines(page, 0, "2"), await lines(page, 3, "2")];
    const changed = async (last: readonly string[], chart = 0) => {
      await eventually(() => lines(page, chart, "2")).not.toEqual(last);
      return lines(page, chart, "2");
    };
    await page.getByLabel("Smoothing").fill("0");
    const rough = await changed(before[0]!);
    await changed(before[1]!, 3);
    // Not smoothed, the control's bold line is its faint one.
    expect(rough[0]).toBe((await lines(page, 0, "0.8"))[0]);
    expect(await page.locator("[data-smoothing]").textContent()).toContain("not at all");

    await page.getByLabel("log steps").check();
    const log = await changed(rough);
    await page.getByLabel("log values").check();
    const both = await changed(log);
    await page.getByLabel("log steps").uncheck();
    await page.getByLabel("log values").uncheck();
    expect(await changed(both)).toEqual(rough);

    const plot = page.locator(".plot.curves").first();
    await plot.scrollIntoViewIfNeeded();
    const box = (await plot.boundingBox())!;
    await page.mouse.move(box.x + 200, box.y + 100);
    await page.mouse.down();
    await page.mouse.move(box.x + 300, box.y + 120, { steps: 4 });
    await page.mouse.up();
    const zoomed = await changed(rough);
    expect(zoomed[0]!.split("L").length).toBeLessThan(150);
    const first = Number(await page.getByLabel("First step").inputValue());
    expect(first).toBeGreaterThan(40);
    expect(Number(await page.getByLabel("Last step").inputValue())).toBeGreaterThan(first + 20);
    await page.getByRole("button", { name: "All", exact: true }).click();
    expect(await changed(zoomed)).toEqual(rough);

    const entry = page.locator(".legend").getByRole("button", { name: "hog-repa" });
    await entry.click();
    expect(await changed(rough)).toHaveLength(ARMS.length - 1);
    expect(await entry.getAttribute("aria-pressed")).toBe("false");
  });

  test("tables sort by click and keyboard, say so, and keep what real images score below", async () => {
    const page = await open();
    const head = page.locator("table.metrics thead th").nth(1);
    const button = head.getByRole("button");
    const written = await columnOf(page, 0);
    const distances = ARMS.map(({ name }) => EVALUATED[name]!["frechet_distance"]!);
    expect(await head.getAttribute("aria-sort")).toBe("none");
    await button.click();
    expect(await head.getAttribute("aria-sort")).toBe("ascending");
    expect((await columnOf(page, 1)).map(Number)).toEqual([...[...distances].sort((a, b) => a - b), 20]);
    await button.press("Enter");
    expect(await head.getAttribute("aria-sort")).toBe("descending");
    expect((await columnOf(page, 1)).map(Number)).toEqual([...[...distances].sort((a, b) => b - a), 20]);
    await button.press("Space");
    expect(await columnOf(page, 0)).toEqual(written);
  });

  test("a table is copied as it is sorted, as CSV, Markdown and LaTeX", async () => {
    const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
    await page.locator("table.metrics thead th").nth(1).getByRole("button").click();
    const bar = page.locator(".copy").first();
    const copied = async (name: string) => {
      await bar.getByRole("button", { name }).click();
      await eventually(() => bar.getByRole("status").textContent()).toBe(`copied as ${name}`);
      return page.evaluate(() => navigator.clipboard.readText());
    };
    const csv = (await copied("CSV"))
      .trim()
      .split("\r\n")
      .map((line) => line.split(","));
    expect(csv[0]!.slice(0, 4)).toEqual([
      "Arm",
      "Arm how it was measured",
      "Fréchet distance ↓",
      "Fréchet distance ↓ gain",
    ]);
    expect(csv[1]![0]).toBe("sift-irepa");
    expect(Number(csv[1]![2])).toBe(EVALUATED["sift-irepa"]!["frechet_distance"]);
    expect(Number(csv[1]![3])).toBeCloseTo(61.234567891 - 52.3456789, 9);
    expect(csv.at(-1)![0]).toBe("real images");
    expect(csv[0]!.slice(4, 6)).toEqual(["Fréchet distance ↓ gain from", "Fréchet distance ↓ gain to"]);
    expect(Number(csv[1]![4])).toBeCloseTo(7.5, 0);
    expect(Number(csv[1]![5])).toBeCloseTo(10.3, 0);
    expect(await copied("Markdown")).toMatch(
      /\| sift-irepa \| \*\*52\.35\*\* \(\+14\.5 % \\\[\+12\.\d %, \+16\.\d %\\\]\) \| \*\*0\.0399 ± 0\.0033\*\* \(\+22\.2 %\) \|/,
    );
    const latex = await copied("LaTeX");
    expect(latex).toContain("Arm & Fréchet distance $\\downarrow$ & KID $\\downarrow$");
    expect(latex).toContain("sift-irepa & \\textbf{52.35} {\\small(+14.5\\,\\% [+12.");
    expect(latex).toContain("% how it was measured: random-vgg (proxy) · 256 samples against 744 real");
  });

  test("pictures are not blank, and enlarge; arrows flip between the arms, Escape closes, the focus comes back", async () => {
    const page = await open();
    const colours = await page.locator("img").evaluateAll((images) =>
      (images as HTMLImageElement[]).map((image) => {
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
        const context = canvas.getContext("2d")!;
        context.drawImage(image, 0, 0);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
      }),
    );
    // The sheets, and of each film the samples, images, target and maps, which are plain here: a grey a step.
    expect(colours.filter((count) => count > 100)).toHaveLength(ARMS.length);
    expect(colours.filter((count) => count <= 3)).toHaveLength(4 * ARMS.length);

    const sheet = page.locator(".sheets button").first();
    await sheet.focus();
    await sheet.press("Enter");
    const viewer = page.getByRole("dialog");
    const shown = () => viewer.locator("img").getAttribute("alt");
    expect(await shown()).toBe("Sheet of samples of the arm control");
    const place = await viewer.locator("img").boundingBox();
    expect(place!.width).toBeGreaterThan(2 * (await sheet.boundingBox())!.width);
    await page.keyboard.press("ArrowRight");
    expect(await shown()).toBe("Sheet of samples of the arm sift-repa");
    expect(await viewer.locator("img").boundingBox()).toEqual(place);
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    expect(await shown()).toBe("Sheet of samples of the arm hog-repa");
    await page.keyboard.press("Escape");
    expect(await viewer.count()).toBe(0);
    expect(await sheet.evaluate((button) => button === document.activeElement)).toBe(true);
  });

  test("the film shows one step at a time, in all arms, by slider and playing; all steps without the script", async () => {
    const page = await open();
    const reels = page.locator(".reel");
    expect(await reels.count()).toBe(ARMS.length);
    /** The grey in the middle of each frame that is shown, as a screenshot sees it. */
    const greys = async () => {
      const seen: number[] = [];
      for (const frame of await page.locator(".frame").all()) {
        const { data, info } = await sharp(await frame.screenshot())
          .raw()
          .toBuffer({ resolveWithObject: true });
        seen.push(data[(Math.floor(info.height / 2) * info.width + Math.floor(info.width / 2)) * info.channels]!);
      }
      return [...new Set(seen)];
    };
    expect(await greys()).toEqual([250]);
    const slider = page.locator(".film-controls input");
    await slider.fill("0");
    expect(await slider.getAttribute("aria-valuetext")).toBe("step 100");
    expect(await greys()).toEqual([100]);
    await slider.press("ArrowRight");
    expect(await greys()).toEqual([200]);
    const play = page.getByRole("button", { name: "Play" });
    await play.click();
    await eventually(() => slider.getAttribute("aria-valuetext")).toBe("step 250");
    await eventually(() => play.textContent()).toBe("Play");

    const plain = await open({ javaScriptEnabled: false });
    const box = (await plain.locator(".frame").first().boundingBox())!;
    expect(box.height / box.width).toBeCloseTo(3 / 4, 1);
    expect(await plain.getByText("From top to bottom").isVisible()).toBe(true);
  });

  test("light and dark: as the system says, or as the reader does", async () => {
    const ground = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const page = await open({ colorScheme: "dark" });
    expect(await ground(page)).toBe("rgb(20, 22, 26)");
    const button = page.locator("#theme");
    await button.click();
    expect(await ground(page)).toBe("rgb(252, 252, 251)");
    await button.press("Enter");
    expect(await button.textContent()).toBe("Colours: dark");
    expect(await ground(page)).toBe("rgb(20, 22, 26)");
    await page.reload();
    expect(await page.locator("#theme").textContent()).toBe("Colours: dark");
  });

  test.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 390],
  ] as const)("axe finds nothing serious: %s, %d pixels wide", async (colorScheme, width) => {
    // axe reads style sheets by itself: nothing of that is the page's.
    const page = await open({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
    await page.addScriptTag({ content: AXE });
    const violations = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: AxeViolation[] }> } };
      return (await axe.run()).violations.map(({ id, impact, nodes }) => ({
        id,
        impact,
        where: nodes.slice(0, 3).map(({ html }) => html.slice(0, 120)),
      }));
    });
    expect(violations).toEqual([]);
  });

  test.each([1280, 390])("nothing sticks out of a window of %d pixels", async (width) => {
    const page = await open({ viewport: { width, height: 900 } });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });

  test("on paper: light, without controls, everything unfolded", async () => {
    const page = await open({ colorScheme: "dark" });
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe("rgb(255, 255, 255)");
    for (const control of [".controls", ".copy", "#theme", "nav"]) {
      expect(await page.locator(control).first().isVisible(), control).toBe(false);
    }
    expect(await page.getByText("logEvery: 1").isVisible()).toBe(true);
    const pdf = await page.pdf({ format: "A4" });
    const pages = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)!.length;
    expect(pages).toBeGreaterThan(3);
    expect(pages).toBeLessThan(15);
  });
});

interface AxeViolation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}
