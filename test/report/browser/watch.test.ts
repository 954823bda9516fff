/** @file A page that is being watched, in a real browser, while its run goes on. */
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { watchRuns } from "../../../src/report/watch-runs.js";
import { EVALUATED, evaluationOf, writeRun } from "../fixture.js";
import { eventually, NO_BROWSER, openBrowser } from "./open-browser.js";

let folder: string;
let url: string;
let stop: AbortController;
let watching: Promise<void>;

/** A run of which arm `control` has done 200 of 300 steps, and nothing is evaluated. */
beforeEach(async () => {
  folder = await writeRun({ steps: 300, trained: ["control"], evaluated: {} });
  const log = path.join(folder, "arms", "control", "metrics.jsonl");
  writeFileSync(log, `${readFileSync(log, "utf8").split("\n").slice(0, 200).join("\n")}\n`);
  for (const name of ["samples.png", "samples.json"]) rmSync(path.join(folder, "arms", "control", name));
  stop = new AbortController();
  url = await new Promise<string>((resolve, reject) => {
    watching = watchRuns({ runFolders: [folder], port: 0, signal: stop.signal, intervalMs: 30, onListening: resolve });
    watching.catch(reject);
  });
});
afterEach(async () => {
  stop.abort();
  await watching;
});

const logLine = (step: number) =>
  JSON.stringify({ step, loss: 0.25, denoising_loss: 0.25, grad_norm: 1, seconds: 0.5 });
const evaluate = (arm: string) => {
  mkdirSync(path.join(folder, "arms", arm), { recursive: true });
  const record = evaluationOf(arm, EVALUATED[arm]!, { steps: 300 });
  writeFileSync(path.join(folder, "arms", arm, "evaluation.json"), JSON.stringify(record));
};

/** Status and text of an answer. */
const ask = (options: { readonly path?: string; readonly method?: string; readonly host?: string }) =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const { path: asked = "/", method = "GET", host } = options;
    const headers = host === undefined ? {} : { host };
    request(new URL(asked, url), { method, headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode!, text }));
    })
      .on("error", reject)
      .end();
  });

describe("the server", () => {
  test("answers on this machine alone, to its own names, with the page and nothing else", async () => {
    expect(new URL(url).hostname).toBe("127.0.0.1");
    const page = await ask({});
    expect(page.status).toBe(200);
    expect(page.text).toContain("connect-src 'self'");
    expect((await ask({ host: "evil.example" })).status).toBe(403);
    expect((await ask({ path: "/arms/control/metrics.jsonl" })).status).toBe(404);
    expect((await ask({ method: "POST" })).status).toBe(405);
  });

  test("a port that is taken is named", async () => {
    const port = Number(new URL(url).port);
    const second = watchRuns({ runFolders: [folder], port, signal: stop.signal, onListening: () => {} });
    await expect(second).rejects.toThrow(`port ${port} is taken`);
  });

  test("ends when it is told to", async () => {
    stop.abort();
    await watching;
    await expect(ask({})).rejects.toThrow("ECONNREFUSED");
  });
});

describe.skipIf(NO_BROWSER !== undefined)(`the page${NO_BROWSER === undefined ? "" : ` (${NO_BROWSER})`}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  const said: string[] = [];
  const pages: Page[] = [];
  async function open(): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 700 } });
    pages.push(page);
    page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => said.push(error.message));
    page.on("request", (asked) => {
      if (!asked.url().startsWith("http://127.0.0.1:") && !asked.url().startsWith("data:"))
        said.push(`asked for ${asked.url()}`);
    });
    await page.goto(url);
    await page.waitForSelector('#live[data-state="open"]');
    return page;
  }
  // Runs before the one that ends the server.
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.close();
    expect(said.splice(0)).toEqual([]);
  });

  const lastStep = async (page: Page) => {
    const slider = page.locator("input.cursor").first();
    const before = await page.evaluate(() => document.activeElement?.id ?? "");
    await slider.focus();
    await slider.press("End");
    const words = await slider.getAttribute("aria-valuetext");
    if (before !== "") await page.locator(`#${before}`).focus();
    return Number(/^step ([\d,]+)/.exec(words!)![1]!.replace(",", ""));
  };

  test("follows the log; what the reader has set stays: smoothing, sorting, scrolling, what is unfolded and focused", async () => {
    evaluate("control");
    evaluate("sift-repa");
    const page = await open();
    await eventually(() => page.locator("table.metrics data").count()).toBe(8);
    await page.locator("table.metrics thead th").nth(1).getByRole("button").click();
    await page.getByLabel("Smoothing").fill("20");
    await page.locator("summary").last().click();
    const focused = page.getByLabel("log values");
    await focused.focus();
    await page.evaluate(() => scrollTo(0, 500));
    const top = await page.evaluate(() => scrollY);
    expect(top).toBe(500);
    expect(await page.locator(".progress").textContent()).toContain("step 200 of 300, 20 s left");

    const log = path.join(folder, "arms", "control", "metrics.jsonl");
    // A line is seen when it is whole.
    appendFileSync(log, `${logLine(201)}\n{"step": 202, "lo`);
    await eventually(() => page.locator(".progress").textContent()).toContain("step 201 of 300");
    appendFileSync(log, `${logLine(202).slice('{"step": 202, "lo'.length - 2)}\n`);
    await eventually(() => page.locator(".progress").textContent()).toContain("step 202 of 300");
    await eventually(() => page.locator(".plot.curves svg").count()).toBe(2);

    expect(await page.evaluate(() => scrollY)).toBe(top);
    expect(await focused.evaluate((box) => box === document.activeElement)).toBe(true);
    expect(await page.getByLabel("Smoothing").inputValue()).toBe("20");
    expect(await page.locator("table.metrics thead th").nth(1).getAttribute("aria-sort")).toBe("ascending");
    expect(await page.locator("details").last().getAttribute("open")).not.toBeNull();

    // Another evaluation: the table is written anew, and still sorted by what the reader chose.
    evaluate("sift-irepa");
    await eventually(() => page.locator("table.metrics data").count()).toBe(12);
    const best = page.locator("table.metrics tbody tr").first();
    expect(await best.locator(".name").textContent()).toBe("sift-irepa");
    expect(await page.locator(".verdict").textContent()).toContain("sift-irepa has the lowest");
    expect(await lastStep(page)).toBe(202);
    expect(await page.locator("details").last().getAttribute("open")).not.toBeNull();
  });

  test("works before anything was trained, and grows", async () => {
    rmSync(path.join(folder, "arms"), { recursive: true });
    const page = await open();
    await eventually(() => page.locator(".progress").textContent()).not.toContain("step");
    expect(await page.locator(".plot.curves").count()).toBe(0);
    mkdirSync(path.join(folder, "arms", "control"), { recursive: true });
    writeFileSync(path.join(folder, "arms", "control", "metrics.jsonl"), `${logLine(1)}\n${logLine(2)}\n`);
    await eventually(() => page.locator(".plot.curves svg").count()).toBe(2);
    await eventually(() => page.locator(".progress").textContent()).toContain("step 2 of 300");
  });

  test("a damaged file is named, and what was there before stays until it is mended", async () => {
    const page = await open();
    const file = path.join(folder, "arms", "control", "evaluation.json");
    writeFileSync(file, "{");
    await eventually(() => page.locator("#live").textContent()).toContain("evaluation.json: is not valid JSON");
    await eventually(() => page.locator(".plot.curves svg").count()).toBe(2);
    evaluate("control");
    await eventually(() => page.locator("#live").textContent()).toBe("live");
    await eventually(() => page.locator("table.metrics data").count()).toBe(4);
  });

  test("says when the watching has ended", async () => {
    const page = await open();
    expect(said).toEqual([]);
    stop.abort();
    await watching;
    await eventually(() => page.locator("#live").textContent()).toContain("descry watch has ended");
    expect(said.length).toBeGreaterThan(0);
    const lines = said.splice(0).filter((line) => !line.startsWith("asked for"));
    expect(lines.every((line) => /ERR_(INCOMPLETE_CHUNKED_ENCODING|CONNECTION_REFUSED)/.test(line))).toBe(true);
  });
});
