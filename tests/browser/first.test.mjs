// The first page: every number leads to exactly what it counts, what is wrong comes first, and the tiles are even.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { check, inEachSize, SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";

const SLUG = "first";
const HOUR = 3_600_000;
/** Received with the others, as after a spool was drained. */
const LATE = Array.from({ length: 4 }, (_, index) => ({
  ts: new Date(Date.now() - 5 * HOUR - index * 1000).toISOString(), level: "error", message: `card declined for order ${index}`, source: "checkout",
}));
const EVENTS = [...ordinary(40), ...LATE, FULL];
const UNWELL = {
  ready: false,
  checks: { database: { ok: false, detail: "The database does not answer." }, hmac_secret: { ok: true, detail: null }, rate_limits: { ok: false, detail: null } },
};

/** @type {import("./scene.mjs").Scene} */
let scene;

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  scene = await openScene();
  const { key } = await scene.project(SLUG, "First");
  await postBatch(scene.server.base, key, JSON.stringify(EVENTS));
  await until(async () => (await scene.admin("GET", "/stats")).total === EVENTS.length, "the events are counted");
  await until(async () => (await scene.admin("GET", "/issues")).issues.length > 1, "the issues are made");
});

after(() => scene?.close());

/** @param {import("playwright-core").Page} look @param {unknown} body */
function answerReady(look, body) {
  return look.route((url) => url.pathname === "/readyz", (route) => route.fulfill({ status: 503, contentType: "application/json", body: JSON.stringify(body) }));
}

describe("the first page", { concurrency: false }, () => {
  test("every number and bar leads to exactly the events it counts, also of what was received late", async () => {
    const address = `/ui/?project=${SLUG}`;
    await scene.visit(address);
    await scene.page.getByText(/^9 errors \(1 fatal\).*\. Received since about \d\d:\d\d, happened from ([A-Z]\w\w \d\d )?\d\d:\d\d:\d\d on.*\. Top issue in first \/ checkout \(4 of 9\)\.$/).waitFor();
    await scene.page.getByText("Some of it had happened before this time").waitFor();
    const links = await scene.page.locator(".tile > a:first-child:not([href^='/ui/overflow']), .trend a, td a[href^='/ui/logs']").evaluateAll((all) => all.map((link) => ({
      href: link.getAttribute("href") ?? "", name: link.querySelector(".tile-name")?.textContent ?? "",
      text: link.getAttribute("title")?.split(": ").at(-1) ?? link.querySelector(".tile-value")?.textContent ?? link.textContent ?? "",
    })));
    const errors = EVENTS.filter(({ level }) => level === "error" || level === "fatal").length;
    const expected = links.map(({ href, name, text }) => ({ href, name, count: name === "Errors/min" ? errors : /^Events|^Stored/.test(name) ? EVENTS.length : parseInt(text, 10) }));
    const counted = expected.filter(({ count }) => count > 0);
    assert.ok(counted.length > 8, "tiles, a bar and issues");
    assert.ok(counted.some(({ name }) => name === "Stored of the project"));
    assert.ok(counted.some(({ name, count }) => name === "error" && count === 8), "the late ones are among them");
    for (const { href, name, count } of counted) {
      await scene.visit(href);
      assert.equal(await scene.total(), count, `${name} ${href}`);
    }
  });

  test("the peak of the errors leads to them, and what was not taken is said with the way to why", async () => {
    await scene.visit(`/ui/?project=${SLUG}`);
    const peak = scene.page.getByRole("link", { name: /^peak \d+ errors? in / });
    const errors = parseInt((await peak.innerText()).replace("peak ", ""), 10);
    assert.equal((await scene.page.locator(".alarm").allInnerTexts()).join(""), "", "all was taken");
    await peak.click();
    await scene.page.waitForURL(/received_at/);
    assert.equal(await scene.total(), errors);
    const { key } = await scene.project("lossy", "Lossy");
    await assert.rejects(postBatch(scene.server.base, key, JSON.stringify([{ message: "kept" }, { level: "error" }, { level: "info" }])), /"accepted":1/);
    await until(async () => (await scene.admin("GET", "/stats/ledger?project_id=lossy")).totals.rejected === 2, "the ledger has them");
    await scene.visit("/ui/?project=lossy");
    await scene.page.getByText(/^2 events not taken since \d{4}-\d\d-\d\d \d\d:00 (UTC|[+-]\d\d:\d\d): 2 rejected\. Why$/).waitFor();
    await scene.page.getByRole("link", { name: "Why" }).click();
    await scene.page.waitForURL("**/ui/overflow?from=-1h&project=lossy");
    await scene.page.getByText("rejected: message missing").waitFor();
  });

  test("a time in which nothing older was received needs no more than its beginning and end", async () => {
    await scene.visit(`/ui/?project=${SLUG}&range=24h`);
    const href = await scene.page.locator(".tile").filter({ hasText: "Events/min" }).locator("a").first().getAttribute("href");
    assert.doesNotMatch(href ?? "", /received_at/);
    await scene.visit(href ?? "");
    assert.equal(await scene.total(), EVENTS.length);
  });

  test("counts are shown, and lead to what was received, also where nothing can be searched", async () => {
    const searched = (/** @type {URL} */ url) => url.pathname === "/logs" && url.searchParams.get("order") === "asc";
    await scene.page.route(searched, (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify({ title: "busy", status: 503, code: "search_busy", detail: "Busy." }) }));
    await scene.visit(`/ui/?project=${SLUG}`);
    await scene.page.getByText(/^9 errors \(1 fatal\)/).waitFor();
    const href = (await scene.page.getByRole("link", { name: /^error/ }).first().getAttribute("href")) ?? "";
    await scene.page.unroute(searched);
    scene.faults.splice(0);
    await scene.visit(href);
    assert.equal(await scene.total(), 8, href);
  });

  test("tiles name the time they compare with, and say where there is none", async () => {
    const notes = async (/** @type {string} */ range) => {
      await scene.visit(`/ui/?project=${SLUG}&range=${range}`);
      const all = await scene.page.locator(".tile").filter({ has: scene.page.locator(".tile-note") }).evaluateAll((tiles) => tiles.map((one) => [one.querySelector(".tile-name")?.textContent ?? "", one.querySelector(".tile-note")?.textContent ?? ""]));
      return Object.fromEntries(all);
    };
    const hour = await notes("1h");
    assert.equal(hour["Errors/min"], ", no data a day earlier");
    assert.equal(hour.error, ", 0 the hour before");
    assert.equal((await notes("15m")).error, ", 0 the 15 minutes before");
  });

  test("the numbers of the time before lead to what was received in it, however old that was", async () => {
    const counted = (/** @type {URL} */ url) => url.pathname === "/stats";
    await scene.page.route(counted, async (route) => {
      const body = await (await route.fetch()).json();
      // What was received just now was received before the time that is shown.
      const { from, to, total, events, error_rate, per_minute } = body;
      const before = { from, to, total, events, error_rate, per_minute, complete: true };
      await route.fulfill({ json: { ...body, from: to, previous: before, day_before: before } });
    });
    await scene.visit(`/ui/?project=${SLUG}`);
    const links = await scene.page.locator("a.tile-note").evaluateAll((all) => all.map((link) => ({ href: link.getAttribute("href") ?? "", text: link.textContent ?? "" })));
    await scene.page.unroute(counted);
    assert.equal(links.length, 2 + new Set(EVENTS.map(({ level }) => level)).size, "rates and levels that were there");
    const errors = EVENTS.filter(({ level }) => level === "error" || level === "fatal").length;
    for (const { href, text } of links) {
      const [, name, number] = /^(.*): ([\d.,]+) (?:the hour before|a day earlier)$/.exec(text) ?? [];
      await scene.visit(href);
      assert.equal(await scene.total(), { "Errors/min": errors, "Events/min": EVENTS.length }[name ?? ""] ?? Number(number), `${text} ${href}`);
    }
  });

  test("errors are listed by receipt as they are counted: what was received late is there, and its link holds all of them", async () => {
    await scene.visit(`/ui/?project=${SLUG}`);
    const recent = scene.page.getByRole("region", { name: "Recent errors" });
    assert.equal(await recent.getByText("card declined for order").count(), 3, "five happened in this time");
    await recent.getByText("Some happened before it.").waitFor();
    await recent.getByRole("link", { name: "All errors received in this time" }).click();
    await scene.settled();
    assert.equal(await scene.total(), 9);
    assert.equal(await scene.rows().filter({ hasText: "card declined for order" }).count(), 4);
  });

  test("where nothing was received late the list asks for no more than a time", async () => {
    const asked = scene.page.waitForRequest((request) => new URL(request.url()).searchParams.get("limit") === "8");
    await scene.visit(`/ui/?project=${SLUG}&range=24h`);
    const query = new URL((await asked).url()).searchParams;
    assert.equal(query.get("q"), "");
    assert.ok(Date.parse(query.get("from") ?? "") >= Date.now() - 25 * HOUR, String(query));
    assert.equal(await scene.page.getByText("Some happened before it.").count(), 0);
  });

  test("counts that fail say what is missing, leave the errors listed by receipt, and trying again loads everything anew", async () => {
    const counts = (/** @type {URL} */ url) => url.pathname === "/stats";
    await scene.page.route(counts, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify({ status: 500, code: "internal", detail: "A fault of ours." }) }));
    await scene.visit(`/ui/?project=${SLUG}`);
    const errors = scene.page.getByRole("region", { name: "Errors", exact: true });
    await errors.getByRole("heading", { name: "Counts and top issues could not be read" }).waitFor();
    const link = scene.page.getByRole("link", { name: "All errors received in this time" });
    assert.equal(await scene.page.locator(".lines").getByText("card declined for order").count(), 3);
    const href = (await link.getAttribute("href")) ?? "";
    await scene.page.unroute(counts);
    const again = Promise.all(["/stats", "/readyz"].map((path) => scene.page.waitForRequest((request) => new URL(request.url()).pathname === path)));
    await errors.getByRole("button", { name: "Try again" }).click();
    await again;
    await scene.page.getByText(/^9 errors/).waitFor();
    scene.faults.splice(0);
    await scene.visit(href);
    assert.equal(await scene.total(), 9, href);
  });

  test("a ledger that fails is said to be unread, leaves everything else, and is not said any more once it is read", async () => {
    const ledger = (/** @type {URL} */ url) => url.pathname === "/stats/ledger";
    await scene.page.route(ledger, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify({ status: 500, code: "internal", detail: "A fault of ours." }) }));
    await scene.visit(`/ui/?project=${SLUG}`);
    const unread = scene.page.getByText("Whether all was taken can't be read.", { exact: true });
    await unread.waitFor();
    await scene.page.getByText(/^9 errors \(1 fatal\)/).waitFor();
    assert.equal(await scene.page.locator(".lines").getByText("card declined for order").count(), 3);
    await scene.page.getByRole("region", { name: "This service" }).getByText("Stored of the project").waitFor();
    for (const text of ["A fault of ours.", "Loading failed", "Try again"]) assert.equal(await scene.page.getByText(text).count(), 0, text);
    await scene.page.unroute(ledger);
    await scene.page.getByRole("button", { name: "Refresh" }).click();
    await unread.waitFor({ state: "hidden" });
    await scene.settled();
    assert.equal((await scene.page.locator(".alarm").allInnerTexts()).join(""), "", "all was taken");
  });

  test("what is being loaded anew is without its colours until the new one is there, and has no time of its own", async () => {
    const look = await scene.context.newPage();
    await scene.visit(`/ui/?project=${SLUG}`, look);
    await look.getByText(/^As of \d\d:\d\d:\d\d (UTC|[+-]\d\d:\d\d)$/).waitFor();
    const filter = () => look.locator(".verdict").first().evaluate((line) => getComputedStyle(line).filter);
    assert.equal(await filter(), "none");
    /** @type {() => void} */
    let go = () => {};
    const held = new Promise((resolve) => (go = () => resolve(null)));
    await look.route((url) => url.pathname === "/stats", async (route) => {
      await held;
      await route.continue();
    });
    await look.getByRole("button", { name: "Refresh" }).click();
    assert.equal(await filter(), "grayscale(1)");
    assert.equal(await look.getByText(/^As of/).count(), 0);
    go();
    await scene.settled(look);
    assert.equal(await filter(), "none");
    await look.unrouteAll({ behavior: "wait" });
    await look.close();
  });

  test("where times have no zone of their own it is named once", async () => {
    const zone = /(UTC|[+-]\d\d:\d\d)/;
    await scene.visit(`/ui/?project=${SLUG}`);
    assert.match((await scene.page.locator(".trend-ends > :last-child").textContent()) ?? "", new RegExp(`^\\d\\d:\\d\\d ${zone.source}$`));
    const [{ id }] = (await scene.admin("GET", "/issues")).issues;
    await scene.visit(`/ui/issues/${encodeURIComponent(id)}`);
    await scene.page.locator("dt").filter({ hasText: new RegExp(`^First seen, ${zone.source}$`) }).waitFor();
    await scene.visit("/ui/overflow");
    await scene.page.getByText(new RegExp(`^As of \\d\\d:\\d\\d:\\d\\d ${zone.source}$`)).waitFor();
    await scene.page.getByText(new RegExp(`^Whole hours from [-\\d]{10} \\d\\d:00 to [-\\d]{10} \\d\\d:00 \\(${zone.source}\\)\\.$`)).waitFor();
  });

  test("the ledger's time can be typed, and is in the address as it was typed", async () => {
    const shown = () => new URL(scene.page.url()).search;
    const [time, from, to] = [scene.page.getByLabel("Time of the ledger"), scene.page.getByLabel("From"), scene.page.getByLabel("To", { exact: true })];
    const show = async () => {
      const asked = scene.page.waitForRequest((request) => new URL(request.url()).pathname === "/stats/ledger");
      await to.press("Enter");
      const query = new URL((await asked).url()).searchParams;
      await scene.settled();
      return [query.get("from"), query.get("to")];
    };
    await scene.visit("/ui/overflow");
    assert.ok(await from.isHidden());
    await time.selectOption("Custom");
    assert.equal(await from.inputValue(), "23 hours ago");
    await from.fill("3 hours ago");
    assert.deepEqual(await show(), ["-3h", null]);
    assert.equal(shown(), "?from=-3h");
    await scene.page.getByText(/every event received is accounted for/).waitFor();
    await from.fill("2026-11-20 10:15");
    await to.fill("2026-11-20 12:15");
    const ends = await scene.page.evaluate(() => ["2026-11-20T10:15", "2026-11-20T12:15"].map((at) => new Date(at).toISOString()));
    assert.deepEqual(await show(), ends);
    await scene.page.getByText("Nothing was received in this time.").waitFor();
    await scene.page.reload();
    await scene.settled();
    assert.deepEqual(await Promise.all([time, from, to].map((input) => input.inputValue())), ["", "2026-11-20 10:15:00", "2026-11-20 12:15:00"]);
    // Both as they are: one of them alone would be another time.
    await from.fill("23 hours ago");
    await to.fill("2 hours ago");
    assert.deepEqual(await show(), ["-23h", "-2h"]);
    assert.equal(shown(), "?from=-23h&to=-2h");
    await from.fill("");
    assert.deepEqual(await show(), [null, "-2h"]);
    await scene.page.goBack();
    await until(async () => (await from.inputValue()) === "23 hours ago", "the time before is shown");
    await time.selectOption("Last 7 days");
    await until(async () => shown() === "?from=-167h", "a time of the list is typed no more");
    assert.ok(await from.isHidden());
    await scene.settled();
  });

  test("what is no time is refused where it was typed, and what the service refuses is said with its reason", async () => {
    await scene.visit("/ui/overflow?from=-3h");
    const from = scene.page.getByLabel("From");
    await from.fill("the other day");
    await from.press("Enter");
    assert.match(await from.evaluate((/** @type {HTMLInputElement} */ input) => input.validationMessage), /^This is no time\. Write/);
    await from.fill("2020-01-01");
    await from.press("Enter");
    const ledger = scene.page.getByRole("region", { name: "Ledger", exact: true });
    await ledger.getByText(/^from must be before to, by at most \d+ days\.$/).waitFor();
    await scene.visit("/ui/overflow?from=nonsense");
    await ledger.getByRole("heading", { name: "This can't be answered" }).waitFor();
    assert.equal(await from.inputValue(), "nonsense");
    scene.faults.splice(0);
  });

  test("a line break in a message can be seen where it is in one line, and is neither read nor copied", async () => {
    const marks = (/** @type {import("playwright-core").Locator} */ link) => link.evaluate((one) => [...one.querySelectorAll(".break[aria-hidden=true]")].map((mark) => getComputedStyle(mark, "::before").content.slice(1, 2)).join(""));
    await scene.visit(`/ui/?project=${SLUG}`);
    const recent = scene.page.locator(".lines a").filter({ hasText: "Unhandled" });
    assert.equal(await marks(recent), "\u21b5");
    assert.equal(await recent.textContent(), FULL.message);
    await scene.visit(`/ui/logs?project=${SLUG}&q=unhandled+timeouterror`);
    const row = scene.rows().locator("a").first();
    assert.equal(await marks(row), "\u21b5");
    assert.equal(await row.textContent(), FULL.message);
    const hits = await scene.page.evaluate(() => [...(CSS.highlights.get("hit") ?? [])].map(String));
    assert.deepEqual(hits, ["Unhandled", "TimeoutError"], "on both sides of the break");
    await row.click();
    await scene.page.getByRole("link", { name: "Context" }).click();
    await scene.page.getByRole("table", { name: "Events before and after" }).waitFor();
    assert.equal(await marks(scene.page.locator(".row a[aria-current]")), "\u21b5");
  });

  test("a phone shows where and when of the top issues, and recent errors have their level and source apart", async () => {
    const look = await scene.context.newPage();
    for (const width of [1440, 390]) {
      await look.setViewportSize({ width, height: 844 });
      await scene.visit(`/ui/?project=${SLUG}`, look);
      const under = look.locator(".under").filter({ hasText: "first / checkout, first seen" }).first();
      assert.equal(await under.isVisible(), width === 390, "the line stands for the columns that are left out");
      const gaps = await look.locator(".lines > li").evaluateAll((lines) => lines.map((line) => {
        const [level, source] = [".level", ".source"].map((part) => line.querySelector(part)?.getBoundingClientRect());
        return (source?.left ?? 0) - (level?.right ?? 0);
      }));
      assert.ok(gaps.length > 4 && gaps.every((gap) => gap >= 8), `at ${width}: ${gaps}`);
    }
    await look.close();
  });

  test("what is wrong with the service comes first and is named, here and on its own page", async () => {
    const look = await scene.context.newPage();
    await answerReady(look, UNWELL);
    for (const [address, text] of [["/ui/", "Not ready: database (The database does not answer), rate limits."], ["/ui/system", "Not ready: database, rate limits."]]) {
      await scene.visit(address ?? "", look);
      const line = look.getByText(text ?? "", { exact: true });
      await line.waitFor();
      const [colour, wanted] = await line.locator("b").evaluate((bold) => {
        const probe = document.createElement("i");
        probe.style.color = "var(--error)";
        bold.append(probe);
        return [bold, probe].map((one) => getComputedStyle(one).color);
      });
      assert.equal(colour, wanted);
    }
    await scene.visit("/ui/", look);
    assert.equal(await look.getByText("Not ready").count(), 1);
    const above = await look.evaluate(() => document.querySelector(".alarm")?.compareDocumentPosition(document.querySelector("#errors-title") ?? document));
    // DOCUMENT_POSITION_FOLLOWING
    assert.equal(above, 4);
    await look.unroute(() => true);
    await look.close();
  });

  test("tiles fill their rows at every width", async () => {
    const look = await scene.context.newPage();
    for (const width of [1440, 1024, 720, 390]) {
      await look.setViewportSize({ width, height: 900 });
      for (const address of ["/ui/", "/ui/overflow", "/ui/system"]) {
        await scene.visit(address, look);
        const rows = await look.locator(".tiles").evaluateAll((lists) => lists.map((list) => {
          /** @type {Map<number, number>} */
          const tiles = new Map();
          for (const { offsetTop, offsetWidth } of /** @type {Iterable<HTMLElement>} */ (list.children)) if (offsetWidth > 0) tiles.set(offsetTop, (tiles.get(offsetTop) ?? 0) + 1);
          return [...tiles.values()];
        }));
        assert.ok(rows.length > 0 || address === "/ui/overflow", address);
        for (const sizes of rows) assert.equal(new Set(sizes).size, 1, `${address} at ${width}: ${sizes}`);
      }
    }
    await look.close();
  });

  test("in forced colours badges keep an outline and sparklines their baseline, and a table ends without a line of its own", async () => {
    const look = await scene.context.newPage();
    /** @param {string} part @param {"outlineStyle" | "borderBlockEndColor" | "borderBlockEndWidth" | "backgroundColor" | "fill"} property @param {string} [pseudo] */
    const styled = (part, property, pseudo) => look.locator(part).last().evaluate((one, [name, of]) => getComputedStyle(one, of)[/** @type {"outlineStyle"} */ (name)], [property, pseudo]);
    await scene.visit("/ui/", look);
    assert.equal(await styled("tbody > tr:last-child > td", "borderBlockEndWidth"), "0px");
    // In the dark one black is not what text has.
    await look.emulateMedia({ forcedColors: "active", colorScheme: "dark" });
    assert.equal(await styled(".level[data-level=fatal]", "outlineStyle"), "solid");
    const [text, canvas] = await look.evaluate(() => {
      const probe = document.createElement("i");
      document.body.append(probe);
      const colours = ["CanvasText", "Canvas"].map((colour) => {
        probe.style.color = colour;
        return getComputedStyle(probe).color;
      });
      probe.remove();
      return colours;
    });
    assert.notEqual(text, canvas);
    assert.equal(await styled(".trend a", "backgroundColor", "::after"), text);
    await scene.visit("/ui/issues", look);
    assert.equal(await styled(".badge", "borderBlockEndWidth"), "1px");
    assert.equal(await styled(".spark", "borderBlockEndColor"), text);
    assert.equal(await styled(".spark", "fill"), text);
    await look.close();
  });

  test("the page with late events, that of an unwell service, and a ledger whose time is typed fit and are accessible", async () => {
    await inEachSize(scene.browser, scene.context, async (look, width) => {
      await scene.visit(`/ui/?project=${SLUG}`, look);
      await check(look, `now-late-${width}`, true);
      await answerReady(look, UNWELL);
      await scene.visit("/ui/", look);
      await check(look, `now-unwell-${width}`, true);
      await look.unroute(() => true);
      await scene.visit("/ui/overflow?from=-3h&to=-1h", look);
      for (const box of await look.locator("form.span > *").all()) {
        const { x = 0, width: wide = 0 } = (await box.boundingBox()) ?? {};
        assert.ok(x + wide <= width && wide > 0, `all of it can be seen at ${width}`);
      }
      await check(look, `ledger-custom-${width}`, true);
    });
  });

  test("broke no policy and logged no error in all of this", () => {
    assert.deepEqual(scene.faults, []);
  });
});
