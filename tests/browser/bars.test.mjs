// What the log list says of its result: how much was read, in which order, and what its bars are of.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { arrive, check, inEachSize, SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";

/** @typedef {import("playwright-core").Page} Page */

const SLUG = "bars";
/** More than a page. */
const EVENTS = 130;
const LOGS = `/ui/logs?project=${SLUG}`;

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {import("./seed.mjs").Key} */
let key;

const status = () => scene.page.locator(".logs-line .status");
const more = () => scene.page.locator(".more");
const caption = async () => (await scene.page.locator("figcaption").textContent()) ?? "";
const by = () => scene.page.getByLabel("Bars by");
const searches = (/** @type {URL} */ url) => url.pathname === "/logs";
const idsOf = async (/** @type {Record<string, string>} */ query) =>
  (await scene.admin("GET", `/logs?${new URLSearchParams({ project_id: SLUG, from: "-1h", limit: "1000", ...query })}`)).logs.map((/** @type {{ id: string }} */ { id }) => id);

/** Answers of searches, changed. @param {Page} page @param {(answer: any, url: URL) => void} change */
const changed = (page, change) => page.route(searches, async (route) => {
  const reply = await route.fetch();
  const answer = await reply.json();
  change(answer, new URL(route.request().url()));
  await route.fulfill({ response: reply, json: answer });
});

const reject = () => assert.rejects(postBatch(scene.server.base, key, JSON.stringify([{ level: "info" }])), /422|rejected/);

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  scene = await openScene({}, [/^answer: 404 GET \/logs\/\S+-99999$/]);
  ({ key } = await scene.project(SLUG, "Bars"));
  const events = ordinary(EVENTS - 1).map((event, at) => ({ ...event, user_id: at % 3 === 0 ? undefined : `user-${at % 9}` }));
  await postBatch(scene.server.base, key, JSON.stringify([...events, FULL]));
  await until(async () => (await idsOf({})).length === EVENTS, "the events are stored");
  await reject();
});

after(() => scene?.close());

describe("a search that stopped early", { concurrency: false }, () => {
  test("without a way on is not shown as all there is, and can be run again", async () => {
    await changed(scene.page, (answer) => {
      answer.logs = answer.logs.slice(0, 40);
      answer.next_cursor = null;
      answer.scanned.complete = false;
    });
    await scene.visit(LOGS);
    assert.match((await status().textContent()) ?? "", /^40 shown so far, newest first\./);
    assert.equal(await scene.page.getByText("No older event").count(), 0);
    await more().getByText("Not all of this range was read.").waitFor();
    assert.match((await scene.page.locator(".notices").textContent()) ?? "", /^Not all of this range was read\. The search stopped after 1\d\d events, so matches may be missing\. Search again, or narrow/);
    await scene.page.unroute(searches);
    await more().getByRole("button", { name: "Search again" }).click();
    await until(async () => new RegExp(`^100 of ${EVENTS} shown, newest first\\. Read 1\\d\\d events in `).test((await status().textContent()) ?? ""), "it was run again");
    assert.equal(await scene.page.locator(".notices").textContent(), "");
  });

  test("with a way on says that the button reads on, and what the first page took is of that page alone", async () => {
    await changed(scene.page, (answer, url) => {
      answer.scanned = { ...answer.scanned, events: 70, blocks: 1, complete: url.searchParams.has("cursor") };
    });
    await scene.visit(LOGS);
    await scene.page.locator(".notices").getByText("The button below the list reads on").waitFor();
    assert.match((await status().textContent()) ?? "", /^100 shown so far, newest first\. Read 70 events/);
    assert.match(await caption(), /^At least \d+ events: .*; read back to \S+$/);
    assert.ok(Number(await scene.page.locator(".chart .unread").getAttribute("width")) > 0, "what was not read is shaded");
    await more().getByRole("button", { name: "Load older events" }).click();
    await more().getByText("No older event in this range matches.").waitFor();
    assert.match((await status().textContent()) ?? "", new RegExp(`^${EVENTS} events, newest first\\.$`));
    await scene.page.unroute(searches);
  });

  test("counts that stand still while the list goes on say as of when", async () => {
    await scene.visit(`${LOGS}&live=1`);
    assert.match((await scene.page.locator(".histogram figcaption").textContent()) ?? "", /^At least \d+ events: .*; as of \d\d:\d\d:\d\d$/);
  });

  test("one event has no order, and a text without levels speaks of none", async () => {
    await scene.visit(`${LOGS}&level=fatal`);
    assert.match((await status().textContent()) ?? "", /^1 event\./);
    for (const [query, text] of [["q=nosuchword", "none matches the query."], ["level=trace&q=fatal-only", "none matches the query and the levels."]]) {
      await scene.visit(`${LOGS}&${query}`);
      await scene.page.getByText(text ?? "").waitFor();
    }
    await scene.page.getByRole("link", { name: "Clear query and levels" }).waitFor();
  });
});

describe("the counts and the detail beside it", { concurrency: false }, () => {
  test("a pattern says how many of its events are of its worst level", async () => {
    await scene.visit(`${LOGS}&side=patterns`);
    const { patterns } = await scene.admin("GET", `/logs/patterns?project_id=${SLUG}&from=-1h`);
    const heads = await scene.page.locator(".patterns .actions").allTextContents();
    assert.ok(patterns.some((/** @type {any} */ { levels }) => Object.keys(levels).length > 1));
    patterns.forEach((/** @type {any} */ { count, level, levels }, /** @type {number} */ at) =>
      assert.match(heads[at] ?? "", new RegExp(`^${count} · .* %(${levels[level] === count && count > 1 ? "all" : levels[level]} ${level}(s|ing|ings)?)$`)));
  });

  test("patterns that are not listed are counted", async () => {
    const words = "red oak apple river stone cloud paper silver garden winter copper bridge candle meadow".split(" ");
    const { key } = await scene.project("unlike", "Unlike");
    const messages = words.flatMap((one) => words.slice(0, 8).map((other) => `${one} ${other} ${one}`));
    const ts = new Date(Date.now() - 3_000_000).toISOString();
    await postBatch(scene.server.base, key, JSON.stringify(messages.map((message) => ({ ts, level: "info", message }))));
    await scene.visit("/ui/logs?project=unlike&side=patterns");
    await scene.page.locator(".patterns li").first().waitFor();
    const listed = await scene.page.locator(".patterns li").count();
    assert.ok(listed < messages.length, "the seed has more patterns than are listed");
    await scene.page.getByText(`${messages.length - listed} events of other patterns`, { exact: true }).waitFor();
  });

  test("what was too many to count each is said to be, of fields and of patterns", async () => {
    const facet = (/** @type {string} */ name) => scene.page.locator(".facet").filter({ has: scene.page.getByRole("heading", { name, exact: true }) });
    let approximate = false;
    await changed(scene.page, (answer) => {
      for (const one of answer.facets ?? []) Object.assign(one, { other: 1200, approximate: approximate && one.field === "user_id" });
      if (answer.patterns) Object.assign(answer.patterns, { other: 3400, approximate });
    });
    const told = async (/** @type {string} */ side, /** @type {RegExp} */ rest) => {
      await scene.visit(`${LOGS}&side=${side}`);
      await scene.page.getByText(rest).first().waitFor();
      return [await scene.page.getByText(rest).count(), await scene.page.getByText("too many to count").count()];
    };
    const [all = 0, few] = await told("fields", /^1,200 with other values$/);
    assert.ok(all > 2 && few === 0);
    assert.deepEqual(await told("patterns", /^3,400 events of other patterns$/), [1, 0]);
    approximate = true;
    assert.deepEqual(await told("fields", /^1,200 with other values$/), [all - 1, 1], "it is said of that field alone");
    await facet("user_id").getByText("1,200 with other values, too many to count each", { exact: true }).waitFor();
    assert.deepEqual(await told("patterns", /^3,400 events of other patterns, too many to count each$/), [1, 1]);
    await scene.page.unroute(searches);
  });

  test("an event that is not there any more says why", async () => {
    const [id = ""] = await idsOf({});
    await scene.visit(`${LOGS}&sel=${id.replace(/-\d+$/, "-99999")}`);
    await scene.page.getByRole("alert").getByText(/^By its id it was received .* ago\. It /).waitFor();
    const drawer = scene.page.getByRole("complementary", { name: "Event" });
    await drawer.getByText(/-99999$/).waitFor();
    assert.equal(await drawer.getByRole("link", { name: "Latest logs" }).getAttribute("href"), "/ui/logs");
    // The answer that says so is the one fault.
    assert.ok(scene.faults.splice(0).every((fault) => fault.includes("404")));
  });

  test("an event that can't be read now is asked for again, and the search stays", async () => {
    const [id = ""] = await idsOf({});
    const one = (/** @type {URL} */ url) => url.pathname === `/logs/${id}`;
    await scene.page.route(one, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify({ status: 500, code: "internal", detail: "A fault of ours." }) }));
    await scene.visit(`${LOGS}&q=nosuchword&sel=${id}`);
    const drawer = scene.page.getByRole("complementary", { name: "Event" });
    await drawer.getByText("A fault of ours.").waitFor();
    await scene.page.unroute(one);
    await drawer.getByRole("button", { name: "Try again" }).click();
    await drawer.getByRole("link", { name: "Permalink" }).waitFor();
    assert.equal(scene.param("q"), "nosuchword");
  });
});

describe("the order", { concurrency: false }, () => {
  test("is turned in the page, is in the address, and every text follows it", async () => {
    const wanted = await idsOf({ order: "asc" });
    await scene.visit(LOGS);
    await scene.page.getByRole("link", { name: "Oldest first" }).click();
    await until(async () => scene.param("order") === "asc", "it is in the address");
    await scene.settled();
    const table = scene.page.getByRole("table", { name: "Events, oldest first" });
    await table.waitFor();
    assert.equal(decodeURIComponent((await table.locator(".rows a").first().getAttribute("href"))?.split("/").at(-1) ?? ""), wanted[0]);
    assert.match((await status().textContent()) ?? "", new RegExp(`^100 of ${EVENTS} shown, oldest first\\.`));
    await scene.page.locator("main").focus();
    await scene.page.keyboard.press("w");
    await more().getByRole("button", { name: "Load newer events" }).click();
    await more().getByText("No newer event in this range matches.").waitFor();
    assert.equal(await table.getAttribute("aria-rowcount"), String(EVENTS + 1));
    assert.equal(await scene.page.getByRole("link", { name: "Oldest first" }).getAttribute("aria-current"), "true");
    await scene.page.getByRole("link", { name: "Oldest first" }).click();
    await until(async () => scene.param("order") === null, "it is turned back");
    await scene.page.getByRole("table", { name: "Events, newest first" }).waitFor();
  });

  test("keeps the open event, and is of no list that is live", async () => {
    const [, second = ""] = await idsOf({});
    await scene.visit(`${LOGS}&sel=${second}`);
    await scene.page.getByRole("link", { name: "Oldest first" }).click();
    await until(async () => scene.param("order") === "asc", "it is in the address");
    assert.equal(scene.param("sel"), second);
    await scene.page.getByRole("link", { name: "Live", exact: true }).click();
    await until(async () => scene.param("live") === "1", "it is live");
    assert.equal(scene.param("order"), null);
    assert.equal(await scene.page.getByRole("button", { name: "Oldest first" }).isDisabled(), true);
    await scene.visit(`${LOGS}&live=1&order=asc`);
    await scene.page.getByRole("table", { name: "Events, newest first" }).waitFor();
  });

  test("the bars and an empty range are the same in either", async () => {
    await scene.visit(LOGS);
    const before = await caption();
    await scene.visit(`${LOGS}&order=asc`);
    assert.equal(await caption(), before);
    await scene.visit(`${LOGS}&order=asc&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z`);
    const link = await scene.page.getByRole("link", { name: "Jump to the latest" }).getAttribute("href");
    const to = Date.parse(new URL(link ?? "", scene.server.base).searchParams.get("to") ?? "");
    assert.ok(Math.abs(Date.now() - to) < 300_000, "it leads to the newest, not the oldest");
  });
});

describe("the bars", { concurrency: false }, () => {
  test("are told apart by a field one chooses, with names, and the brush works on", async () => {
    await scene.visit(LOGS);
    assert.equal(await by().inputValue(), "level");
    assert.equal(await scene.page.locator(".series").isVisible(), false);
    await by().focus();
    await by().selectOption("user_id");
    await until(async () => scene.param("by") === "user_id", "it is in the address");
    await scene.settled();
    const names = await scene.page.locator(".series li").allTextContents();
    assert.equal(names.length, 7);
    assert.deepEqual(names.slice(5).map((name) => name.replace(/\d+$/, "")), ["other values", "without user_id"]);
    const counts = await scene.page.locator(".series .number").allTextContents();
    assert.equal(counts.reduce((all, n) => all + Number(n), 0), EVENTS);
    assert.match(await caption(), new RegExp(`^${EVENTS} events; peak \\d+ in \\d+ (s|min)$`));
    assert.equal(await scene.page.locator(".chart path").count(), 7);
    const fills = await scene.page.locator(".chart path").evaluateAll((paths) => paths.map((path) => getComputedStyle(path).fill));
    const swatches = await scene.page.locator(".series li").evaluateAll((items) => items.map((item) => getComputedStyle(item, "::before").backgroundColor));
    assert.deepEqual(fills, swatches);
    assert.equal(new Set(fills).size, 7);
    assert.equal(await by().evaluate((select) => select === document.activeElement), true, "the focus stays");
    await scene.page.getByRole("slider").focus();
    for (const pressed of ["End", ...Array.from({ length: 60 }, () => "Shift+ArrowLeft")]) await scene.page.keyboard.press(pressed);
    assert.match((await scene.page.getByRole("slider").getAttribute("aria-valuetext")) ?? "", / events: .*\d user-\d/);
    await scene.page.keyboard.press("Enter");
    await until(async () => scene.param("from") !== null, "the range is narrower");
    assert.equal(scene.param("by"), "user_id");
    await scene.settled();
    await by().selectOption("level");
    await until(async () => scene.param("by") === null, "the default needs no mention");
  });

  test("of another field or zone are counted alone, and columns cost nothing", async () => {
    await scene.visit(LOGS);
    /** @type {string[]} */
    const asked = [];
    const note = (/** @type {import("playwright-core").Request} */ request) => {
      const { pathname, searchParams } = new URL(request.url());
      if (/^\/logs(\/histogram)?$/.test(pathname)) asked.push([pathname, searchParams.get("by"), searchParams.get("tz")].join(" "));
    };
    const told = await status().textContent();
    const zone = await scene.page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
    scene.page.on("request", note);
    await by().selectOption("user_id");
    await until(async () => (await scene.page.locator(".series li").count()) === 7, "the bars are by it");
    await scene.settled();
    await scene.page.locator(".hatches div").waitFor();
    await scene.travel(`${LOGS}&by=user_id&tz=Asia/Tokyo`);
    assert.match((await scene.page.locator(".histogram .axis").textContent()) ?? "", /\+09:00$/);
    await scene.travel(`${LOGS}&by=user_id&tz=Asia/Tokyo&cols=ctx.gateway`);
    assert.ok((await by().locator("option").allTextContents()).includes("by ctx.gateway"), "a column is offered");
    assert.deepEqual(asked, [`/logs/histogram user_id ${zone}`, "/logs/histogram user_id Asia/Tokyo"]);
    assert.equal(await status().textContent(), told);
    asked.length = 0;
    await scene.page.route((url) => url.pathname === "/logs/histogram", (route) => route.fulfill({ status: 503, json: { code: "storage_unavailable" } }));
    await by().selectOption("source");
    await until(async () => asked.length === 2, "what fails is asked for with the list");
    await scene.settled();
    assert.deepEqual(asked, ["/logs/histogram source Asia/Tokyo", "/logs source Asia/Tokyo"]);
    const { values: [most], buckets } = await scene.admin("GET", `/logs/histogram?project_id=${SLUG}&from=-1h&by=source`);
    assert.equal(await scene.page.locator(".series li").first().textContent(), most + buckets.reduce((/** @type {number} */ sum, /** @type {any} */ { counts }) => sum + (counts[most] ?? 0), 0));
    scene.page.off("request", note);
    await scene.page.unrouteAll();
    assert.ok(scene.faults.splice(0).every((fault) => fault.includes("503")));
  });

  test("name the values that were too many to count each", async () => {
    const others = async () => (await scene.page.getByRole("list", { name: "Colours" }).getByRole("listitem").allTextContents()).filter((text) => text.startsWith("other"));
    await scene.visit(`${LOGS}&by=user_id`);
    const [few = ""] = await others();
    assert.match(few, /^other values\d+$/);
    await changed(scene.page, (answer) => (answer.histogram.approximate = true));
    await scene.visit(`${LOGS}&by=user_id`);
    assert.deepEqual(await others(), [few.replace("values", "values, too many to count each")]);
    await scene.page.unroute(searches);
  });

  test("may be of a column's path, and a field there is none of is left out", async () => {
    await scene.visit(`${LOGS}&cols=ctx.gateway,release`);
    assert.ok((await by().locator("option").allTextContents()).includes("by ctx.gateway"));
    await by().selectOption("ctx.gateway");
    await until(async () => scene.param("by") === "ctx.gateway", "it is in the address");
    await scene.settled();
    assert.deepEqual(await scene.page.locator(".series li").allTextContents(), ["north1", `without ctx.gateway${EVENTS - 1}`]);
    await scene.visit(`${LOGS}&by=message`);
    assert.equal(await by().inputValue(), "level");
  });

  test("keep their colours under the brush and where something is missing", async () => {
    // The hour may have turned since the first was rejected: then two hours side by side are hatched.
    await reject();
    await until(async () => (await scene.admin("GET", `/stats/ledger?project_id=${SLUG}`)).totals.rejected === 2, "the ledger has both");
    await scene.visit(LOGS);
    await scene.page.locator(".hatches div").waitFor();
    const [chart, strip] = await Promise.all([scene.page.locator(".chart svg").boundingBox(), scene.page.locator(".hatches div").boundingBox()]);
    assert.ok(chart && strip && strip.y >= chart.y + chart.height, JSON.stringify({ chart, strip }));
    assert.equal(await scene.page.locator(".chart svg > :first-child").getAttribute("class"), "mark");
    await scene.page.locator(".hatch-legend").getByText(/^Not everything was stored: 2 rejected within (?:this hour, )?\S+ to now\.\sLedger$/).waitFor();
    await scene.page.getByRole("slider").focus();
    await scene.page.keyboard.press("End");
    assert.match(await caption(), /^\S+ to now, \d+ events?.*; something may be missing$/);
    const widths = () => scene.page.locator(".chart .dim").evaluateAll((covers) => covers.map((cover) => Number(cover.getAttribute("width"))));
    const [before = 0, behind] = await widths();
    assert.ok(before > 10 && behind === 0, "all bars but the last are dimmed");
    await scene.page.keyboard.press("Home");
    assert.deepEqual(await widths(), [0, before]);
    await scene.page.keyboard.press("Escape");
    assert.deepEqual(await widths(), [0, 0]);
    assert.equal(await scene.page.locator(".chart .growing").getAttribute("width"), "1", "the bar of now still grows");
  });

  test("have their room before they are there", async () => {
    const top = () => scene.page.locator(".split").evaluate((split) => split.getBoundingClientRect().top);
    for (const width of [1440, 390]) {
      /** @type {() => void} */
      let answer = () => {};
      const asked = new Promise((resolve) => (answer = () => resolve(null)));
      await scene.page.route(searches, async (route) => {
        await asked;
        await route.continue();
      });
      await scene.page.setViewportSize({ width, height: 900 });
      await scene.page.goto(scene.server.base + LOGS);
      await scene.page.locator(".status", { hasText: "Searching…" }).waitFor();
      const before = await top();
      await scene.page.screenshot({ path: new URL(`bars-waiting-${width}.png`, SCREENSHOTS).pathname });
      answer();
      await scene.page.locator(".hatch-legend").getByText("Not everything").waitFor();
      const legend = await scene.page.locator(".hatch-legend").evaluate((line) => line.getBoundingClientRect().height);
      assert.equal((await top()) - before, legend, `nothing but the legend moved the list, ${width} px`);
      await scene.page.unroute(searches);
    }
    await scene.page.setViewportSize({ width: 1440, height: 900 });
  });
});

describe("a list without rows", { concurrency: false }, () => {
  /** What the bars would fill, between the filters and what is found. @returns {Promise<number>} */
  const hole = () => scene.page.evaluate(() => {
    const [above, below] = [".filters", ".status"].map((part) => document.querySelector(part)?.getBoundingClientRect());
    return (below?.top ?? Infinity) - (above?.bottom ?? 0);
  });

  test("has no hole where its bars would be, and room for those to come", async () => {
    for (const width of [1440, 720]) {
      await scene.page.setViewportSize({ width, height: 900 });
      await scene.visit(`${LOGS}&q=nosuchword`);
      await scene.page.getByText("No event matches").waitFor();
      assert.ok((await hole()) < 16, `empty, ${width} px`);
      await scene.page.route(searches, (route) => route.fulfill({ status: 500, json: { code: "internal", detail: "A fault of ours." } }));
      await scene.visit(LOGS);
      await scene.page.getByText("A fault of ours.").waitFor();
      assert.ok((await hole()) < 16, `failed, ${width} px`);
      await scene.page.unroute(searches);
      /** @type {() => void} */
      let answer = () => {};
      const asked = new Promise((resolve) => (answer = () => resolve(null)));
      await scene.page.route(searches, async (route) => {
        await asked;
        await route.continue();
      });
      await scene.page.getByRole("button", { name: "Try again" }).click();
      await scene.page.locator(".status", { hasText: "Searching…" }).waitFor();
      const place = () => scene.page.locator(".split").evaluate((split) => split.getBoundingClientRect().top);
      const before = await place();
      answer();
      await scene.page.locator(".hatch-legend").getByText("Not everything").waitFor();
      const legend = await scene.page.locator(".hatch-legend").evaluate((line) => line.getBoundingClientRect().height);
      assert.equal((await place()) - before, legend, `the first row is where it was to come, ${width} px`);
      await scene.page.unroute(searches);
    }
    await scene.page.setViewportSize({ width: 1440, height: 900 });
  });
});

describe("what was asked for", { concurrency: false }, () => {
  test("is where the bars begin and end, however far it reaches beyond the events", async () => {
    await scene.visit(`${LOGS}&from=2026-01-02T00:00:00Z&to=2031-02-03T04:05:06Z&tz=UTC`);
    const axis = await scene.page.locator(".axis span").allTextContents();
    assert.match(axis[0] ?? "", /^(2026 )?Jan 02 00:00$/);
    assert.equal(axis[2], "2031 Feb 03 04:06 UTC");
    await scene.page.getByRole("slider").focus();
    for (const pressed of ["Home", "Shift+End", "Enter"]) await scene.page.keyboard.press(pressed);
    await until(async () => scene.param("from") === "2026-01-02T00:00:00.000Z", "the first bar is narrowed to what was asked for");
    assert.equal(scene.param("to"), "2031-02-03T04:06:00.000Z");
  });

  test("may be the other values of a field, or none, and their counts are true", async () => {
    const { key } = await scene.project("others", "Others");
    const users = ["one \"quoted\"", ...Array.from({ length: 13 }, (_, at) => `user-${at}`)];
    const ts = new Date(Date.now() - 3_000_000).toISOString();
    const events = [...ordinary(3).map((event) => ({ ...event, ts, user_id: undefined })), ...users.flatMap((user_id, at) => ordinary(at < 10 ? 2 : 1).map((event) => ({ ...event, ts, user_id })))];
    await postBatch(scene.server.base, key, JSON.stringify(events));
    for (const [name, ids] of /** @type {[string, string[]][]} */ ([["4 with other values", users.slice(10)], ["3 without user_id", []]])) {
      for (const q of ["", "level:info OR level:error OR level:warn OR level:debug"]) {
        await scene.visit(`/ui/logs?project=others&side=fields&q=${q}`);
        await scene.page.locator(".facet", { hasText: "user_id" }).getByRole("button", { name }).click();
        await until(async () => (scene.param("q") ?? "") !== q, "it is asked for");
        await scene.settled();
        assert.match((await status().textContent()) ?? "", new RegExp(`^${name[0]} events`), `${scene.param("q")}`);
        const found = await scene.admin("GET", `/logs?${new URLSearchParams({ project_id: "others", q: scene.param("q") ?? "" })}`);
        assert.deepEqual(new Set(found.logs.map((/** @type {any} */ { user_id: id }) => id ?? "")), new Set(ids.length ? ids : [""]));
      }
    }
  });

  test("can't be the other values where a listed one can't be said", async () => {
    const { key } = await scene.project("unsaid", "Unsaid");
    const ts = new Date(Date.now() - 3_000_000).toISOString();
    await postBatch(scene.server.base, key, JSON.stringify([...Array.from({ length: 11 }, (_, at) => `user-${at}`), "two\nlines"].flatMap((user_id, at) => ordinary(at === 11 ? 2 : 1).map((event) => ({ ...event, ts, user_id })))));
    await scene.visit("/ui/logs?project=unsaid&side=fields");
    await scene.page.locator(".facet").getByText("2 with other values").waitFor();
    assert.equal(await scene.page.getByRole("button", { name: /with other values/ }).count(), 0);
  });
});

describe("what it looks like", { concurrency: false }, () => {
  test("a fatal row's text stands in the column of the others", async () => {
    await scene.visit(`${LOGS}&level=error,fatal`);
    const left = (/** @type {string} */ level) => scene.page.locator(`.rows .level[data-level=${level}]`).first().evaluate((cell) => {
      const word = document.createRange();
      word.selectNodeContents(cell);
      return word.getBoundingClientRect().left;
    });
    assert.equal(await left("fatal"), await left("error"));
  });

  test("a source is whole beside its project, and the focus leaves the bar of a level in sight", async () => {
    await scene.visit("/ui/logs");
    const source = scene.page.locator(".rows .source", { hasText: "bars / billing-reconciler" }).first();
    assert.ok(await source.evaluate((cell) => cell.scrollWidth <= cell.clientWidth));
    await scene.page.locator("main").focus();
    await scene.page.keyboard.press("e");
    const ring = await scene.page.locator(".row:has(:focus-visible)").evaluate((row) => [getComputedStyle(row).boxShadow, getComputedStyle(row).outlineColor]);
    assert.match(ring[0] ?? "", /inset/);
    assert.equal(ring[1], "rgba(0, 0, 0, 0)");
  });

  test("fits and is accessible in each size and theme", async () => {
    await inEachSize(scene.browser, scene.context, async (look, width) => {
      for (const [name, address] of [["by", `${LOGS}&by=user_id`], ["by-source", `${LOGS}&by=source&order=asc&side=patterns`], ["fatal", `${LOGS}&level=error,fatal&side=fields`], ["live", `${LOGS}&live=1`]]) {
        await arrive(look, scene.server.base + address);
        await scene.settled(look);
        await look.locator(".rows a").first().waitFor();
        await check(look, `bars-${name}-${width}`);
      }
      await look.getByRole("slider").focus();
      for (const pressed of ["End", ...Array.from({ length: 9 }, () => "Shift+ArrowLeft")]) await look.keyboard.press(pressed);
      await check(look, `bars-brush-${width}`);
      await look.emulateMedia({ forcedColors: "active" });
      await arrive(look, `${scene.server.base}${LOGS}&by=user_id&level=error,fatal`);
      await scene.settled(look);
      await look.screenshot({ path: new URL(`bars-forced-${width}.png`, SCREENSHOTS).pathname });
      await look.emulateMedia({ forcedColors: null });
      await changed(look, (answer) => {
        answer.logs = answer.logs.slice(0, 3);
        answer.next_cursor = null;
        answer.scanned.complete = false;
      });
      await arrive(look, scene.server.base + LOGS);
      await scene.settled(look);
      await look.getByRole("button", { name: "Search again" }).waitFor();
      await check(look, `bars-part-${width}`);
    });
  });

  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
