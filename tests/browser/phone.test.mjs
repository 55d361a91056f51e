// The page on a phone and in a window zoomed to twice its size: nothing left out, nothing cut, everything within reach.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { until, watchedPage } from "./browser.mjs";
import { check, SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";

const SLUG = "shop";
/** A source too long for a phone's line. */
const LONG = "the-reconciler-of-billing-in-the-northern-warehouse";
/** A phone, and 1440 px at 200 %. */
const SIZES = /** @type {const} */ ([[390, 844], [720, 450]]);
/** Where the first row of the list begins at most. */
const FIRST_ROW_PX = 300;

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @typedef {import("playwright-core").Page} Page */
/** One for each size. @type {Page[]} */
let looks = [];

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  scene = await openScene();
  const { key } = await scene.project(SLUG, "Shop mwqb of the northern warehouse");
  await postBatch(scene.server.base, key, JSON.stringify([...ordinary(60), FULL, { level: "error", message: "stock is short", source: LONG }]));
  await until(async () => (await scene.admin("GET", "/issues")).issues.length > 0, "the events are counted");
  for (const [width, height] of SIZES) {
    const context = await scene.browser.newContext({ viewport: { width, height }, bypassCSP: true, locale: "en-GB", timezoneId: "Europe/Berlin", storageState: await scene.context.storageState() });
    looks.push((await watchedPage(context, scene.server.base, scene.faults)).page);
  }
});

after(() => scene?.close());

const region = (/** @type {Page} */ look, /** @type {string} */ name) => look.getByRole("region", { name, exact: true });

/** What of the page is wider than its place and can't be read without scrolling two ways. @param {Page} look */
const cut = (look) => look.evaluate(() => {
  const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  const seen = (/** @type {Element} */ one) => one.checkVisibility() && !one.closest(".unseen, thead, .rows");
  const wide = [...document.querySelectorAll("header, main, main th, main td, main .wide, main button, main dd")]
    .filter((one) => seen(one) && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 1);
  const selects = [...document.querySelectorAll("select")].filter((one) => {
    pen.font = getComputedStyle(one).font;
    return seen(one) && getComputedStyle(one).textOverflow !== "ellipsis" && pen.measureText(one.selectedOptions[0]?.label ?? "").width > one.clientWidth - 28;
  });
  return [...wide, ...selects].map((one) => one.outerHTML.slice(0, 160));
});

describe("a narrow window", { concurrency: false }, () => {
  test("cuts nothing on any page, and needs no scrolling to the side", async () => {
    for (const look of looks) {
      for (const address of ["/ui/projects", `/ui/projects/${SLUG}`, "/ui/overflow", "/ui/alerts", "/ui/system", "/ui/logs", "/ui/issues"]) {
        await scene.visit(address, look);
        assert.deepEqual(await cut(look), [], `${address} at ${look.viewportSize()?.width}`);
      }
    }
  });

  test("shows every column of a table, named, and its links", async () => {
    for (const look of looks) {
      const width = look.viewportSize()?.width;
      await scene.visit("/ui/projects", look);
      const row = look.getByRole("row").filter({ has: look.getByRole("cell", { name: SLUG, exact: true }) });
      for (const name of ["Logs of", "Set up"]) assert.ok(await row.getByRole("link", { name }).isVisible(), `${name} at ${width}`);
      assert.equal(await row.getByRole("cell").count(), 6);
      assert.equal(await row.locator("time").evaluate((time) => time.textContent?.length), 16, "day and time are whole");
      const label = (/** @type {import("playwright-core").Locator} */ cell) => cell.evaluate((one) => getComputedStyle(one, "::before").content);
      assert.match(await label(row.getByRole("cell").nth(4)), /Created, \+0[12]:00/);
      await scene.visit("/ui/overflow", look);
      const ledger = region(look, "Ledger").getByRole("row").filter({ has: look.getByRole("rowheader", { name: SLUG }) });
      for (const cell of await ledger.getByRole("cell").all()) assert.ok(await cell.isVisible());
      assert.match(await label(ledger.getByRole("cell").nth(3)), /Rejected/);
      assert.match(await label(ledger.getByRole("cell").last()), /Sums/);
      await check(look, `stacked-${width}`, true);
    }
  });

  test("has the first row of the list near its top, with all filters and tools a press away", async () => {
    for (const look of looks) {
      await scene.visit("/ui/logs", look);
      const top = await scene.rows(look).first().evaluate((row) => row.getBoundingClientRect().top);
      assert.ok(top <= FIRST_ROW_PX, `the first row begins at ${top} px`);
      const filters = look.getByRole("button", { name: /^Filters/ });
      assert.equal(await filters.textContent(), "Filters: Last hour");
      assert.ok(!(await look.getByLabel("Time range").isVisible()));
      await filters.click();
      assert.equal(await filters.getAttribute("aria-expanded"), "true");
      for (const name of ["Project", "Time range", "Time zone"]) assert.ok(await look.getByLabel(name, { exact: true }).isVisible(), name);
      await look.getByLabel("error", { exact: true }).check();
      await look.getByLabel("Project", { exact: true }).selectOption(SLUG);
      await scene.settled(look);
      assert.match((await filters.textContent()) ?? "", /^Filters: Last hour, error, Shop mwqb /);
      await look.getByLabel("Time range").selectOption({ label: "Custom" });
      await look.getByText("From", { exact: true }).waitFor();
      await look.getByLabel("To", { exact: true }).fill("no time at all");
      await filters.click();
      await look.getByLabel("Search", { exact: true }).press("Enter");
      await look.getByLabel("To", { exact: true }).waitFor();
      assert.ok(await look.getByLabel("To", { exact: true }).evaluate((input) => input.matches(":invalid")), "what is wrong is unfolded");
      const view = look.getByRole("button", { name: /^View/ });
      await view.click();
      await look.getByRole("link", { name: "Fold repeats" }).click();
      await scene.settled(look);
      assert.equal(await view.textContent(), "View: repeats folded");
      await check(look, `unfolded-${look.viewportSize()?.width}`, true);
    }
  });

  test("shows counts over the list until they are closed, or a value of them is asked for", async () => {
    for (const look of looks) {
      await scene.visit(`/ui/logs?project=${SLUG}&side=fields`, look);
      const sheet = region(look, "Counts");
      await sheet.locator(".facet li").first().waitFor();
      const size = look.viewportSize();
      const box = await sheet.boundingBox();
      assert.deepEqual([box?.x, box?.y, box?.width, box?.height], [0, 0, size?.width, size?.height]);
      assert.ok(await sheet.evaluate((one) => one.contains(document.activeElement)), "it has the focus");
      await check(look, `sheet-${size?.width}`);
      await sheet.getByRole("button", { name: "Close" }).click();
      await sheet.waitFor({ state: "hidden" });
      await scene.visit(`/ui/logs?project=${SLUG}&side=patterns`, look);
      await look.keyboard.press("Escape");
      await sheet.waitFor({ state: "hidden" });
      await scene.visit(`/ui/logs?project=${SLUG}&side=fields`, look);
      await sheet.getByRole("button", { name: "Only level:fatal" }).click();
      await until(async () => scene.param("q", look) === "level:fatal", "it is asked for");
      assert.equal(scene.param("side", look), null);
      await scene.settled(look);
      assert.equal(await scene.rows(look).count(), 1);
    }
  });

  test("names the zone, cuts no number, and has its folds on one line", async () => {
    for (const look of looks) {
      await scene.visit(`/ui/logs?project=${SLUG}&level=info,warn,error,fatal`, look);
      assert.match((await look.locator(".axis span").last().textContent()) ?? "", /^\d\d:\d\d(:\d\d)? \+0[12]:00$/);
      const whole = await look.locator("figcaption .whole").evaluateAll((parts) => parts.map((part) => part.getClientRects().length));
      assert.ok(whole.length > 4 && whole.every((lines) => lines === 1), "nothing breaks within a number and its noun");
      const tops = await look.locator(".fold").evaluateAll((folds) => folds.map((fold) => [fold.getBoundingClientRect().top, fold.getBoundingClientRect().height]));
      assert.deepEqual(tops[0], tops[1]);
      assert.match((await look.locator(".fold > span").first().getAttribute("title")) ?? "", /info, warn, error, fatal, /);
    }
  });

  test("says an open range by the end it has", async () => {
    const [look] = looks;
    if (!look) return;
    for (const [range, said] of /** @type {const} */ ([["from=-2h", /^Filters: since \d/], ["to=-2h", /^Filters: until \d/], ["from=-2h&to=-1h", /^Filters: \d.* to \d/]])) {
      await scene.visit(`/ui/logs?${range}`, look);
      assert.match((await look.getByRole("button", { name: /^Filters/ }).textContent()) ?? "", said);
    }
  });

  test("has a fact on one line where it fits, and choices over the whole line", async () => {
    const [look] = looks;
    if (!look) return;
    await scene.visit("/ui/system", look);
    const height = await region(look, "Health").locator(".facts > div").filter({ hasText: "HMAC secret" }).evaluate((box) => box.getBoundingClientRect().height);
    assert.ok(height < 30, `${height} px`);
    for (const [address, name] of [["/ui/overflow", "Time of the ledger"], ["/ui/alerts", "State of the messages"]]) {
      await scene.visit(address ?? "", look);
      /** @type {number} */
      const short = await look.getByLabel(name ?? "").evaluate((select) => (select.closest("section")?.getBoundingClientRect().right ?? 0) - select.getBoundingClientRect().right);
      assert.equal(short, 0, address);
    }
  });

  test("has the names and the values of facts in line", async () => {
    for (const look of looks) {
      for (const [address, name] of [["/ui/overflow", "Limits in force"], ["/ui/system", "Health"]]) {
        await scene.visit(address ?? "", look);
        const boxes = await region(look, name ?? "").locator(".facts > div").evaluateAll((facts) => facts.map((fact) => [...fact.children].map((part) => part.getBoundingClientRect().left)));
        assert.ok(boxes.length > 3, name);
        assert.deepEqual(boxes, boxes.map(() => boxes[0]), `${name} at ${look.viewportSize()?.width}`);
      }
    }
  });

  test("says in whole where an issue is from", async () => {
    for (const look of looks) {
      for (const address of ["/ui/issues", `/ui/issues?project=${SLUG}`]) {
        await scene.visit(address, look);
        const row = look.locator(".issue", { hasText: "stock is short" });
        const where = row.locator(".where");
        assert.equal(await where.textContent(), `${SLUG} / ${LONG}`);
        assert.ok(await where.getByText(LONG).isVisible());
        const box = await where.evaluate((one) => {
          const [own, outer] = [one.getBoundingClientRect(), one.closest(".issue")?.getBoundingClientRect()];
          const range = document.createRange();
          range.selectNodeContents(one);
          const text = range.getBoundingClientRect();
          return { fits: one.scrollWidth <= one.clientWidth + 1, inside: text.right <= own.right + 1 && own.right <= (outer?.right ?? 0) && text.bottom <= (outer?.bottom ?? 0) };
        });
        assert.deepEqual(box, { fits: true, inside: true }, `${address} at ${look.viewportSize()?.width}`);
      }
    }
  });

  test("gives a long text of a stacked table its line, and a way out some room above", async () => {
    const [look] = looks;
    if (!look) return;
    await scene.visit("/ui/system", look);
    const widths = await region(look, "Audit log").locator("tbody tr").first().evaluate((row) => [row, row.querySelector("td.text")].map((box) => box?.getBoundingClientRect().width));
    assert.equal(widths[0], widths[1]);
    await scene.visit(`/ui/logs?project=${SLUG}&side=fields`, look);
    await look.locator(".facet li").first().waitFor();
    const gap = () => look.getByRole("button", { name: "Close" }).evaluate((close) => close.getBoundingClientRect().top);
    assert.equal(await gap(), 8);
    await scene.visit(`/ui/logs?project=${SLUG}`, look);
    await scene.rows(look).first().click();
    await look.getByRole("button", { name: "Close" }).waitFor();
    assert.equal(await gap(), 8);
  });

  test("begins the page of an event where that of an issue begins", async () => {
    for (const look of looks) {
      const [{ id }] = (await scene.admin("GET", `/logs?project_id=${SLUG}&level=fatal`)).logs;
      const [issue] = (await scene.admin("GET", `/issues?project_id=${SLUG}`)).issues;
      const tops = [];
      for (const address of [`/ui/logs/${encodeURIComponent(id)}`, `/ui/issues/${issue.id}`]) {
        await scene.visit(address, look);
        tops.push(await look.locator("h1").evaluate((heading) => heading.getBoundingClientRect().top));
      }
      assert.equal(tops[0], tops[1]);
    }
  });

  test("reaches the keyboard help, whose head stays in sight", async () => {
    for (const look of looks) {
      await scene.visit("/ui/projects", look);
      await look.getByRole("button", { name: "Keyboard help" }).click();
      const dialog = look.getByRole("dialog");
      await dialog.evaluate((box) => box.scrollTo(0, box.scrollHeight));
      const close = dialog.getByRole("button", { name: "Close" });
      assert.equal((await dialog.getByRole("heading", { level: 3 }).allTextContents())[0], "Queries");
      const lefts = await dialog.locator("dd").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().left));
      assert.equal(new Set(lefts).size, 1, "all are explained at one edge");
      const inside = await close.evaluate((one) => {
        const { top, bottom } = one.getBoundingClientRect();
        return document.elementFromPoint(one.getBoundingClientRect().left + 4, (top + bottom) / 2) === one && top >= 0;
      });
      assert.ok(inside, "the way out is on top");
      await check(look, `help-scrolled-${look.viewportSize()?.width}`);
      await close.click();
    }
  });

  test("has the bar's links in line with the page", async () => {
    for (const look of looks) {
      await scene.visit("/ui/projects", look);
      const left = (/** @type {string} */ one) => look.locator(one).first().evaluate((box) => box.getBoundingClientRect().left + parseFloat(getComputedStyle(box).paddingInlineStart));
      const name = await left(".bar-name");
      assert.equal(await left("main h1"), name);
      if (look.viewportSize()?.width === 390) assert.equal(await left(".bar-link"), name);
    }
  });

  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
