// Drives the issue list and the page of one issue: what they show, what they change, and their states.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { signIn, startBrowser, until, watchedPage } from "./browser.mjs";
import { check, checkStates, inEachSize, SCREENSHOTS } from "./inspect.mjs";
import { FULL, HOSTILE, postBatch } from "./seed.mjs";
import { startServer } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const slug = `issues-${Date.now().toString(36)}`;
const EXPECTED = [/^answer: 404 GET \/issues[/?]/];
const LIST = `/ui/issues?project=${slug}`;
/** Issues on a page when none are asked for: `DEFAULT_LIMIT` in src/http/issue_input.rs. */
const PAGE = 50;
const NAMES = Array.from({ length: PAGE + 4 }, (_, index) => `part ${String.fromCharCode(97 + (index % 26))}${String.fromCharCode(97 + Math.floor(index / 26))} fell off`);
const isList = (/** @type {URL} */ url) => url.pathname === "/issues";

/** @type {import("./server.mjs").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").BrowserContext} */
let context;
/** @type {Page} */
let page;
/** @type {string[]} */
let faults = [];
/** @type {import("./seed.mjs").Key} */
let key;

const rows = (on = page) => on.locator(".issue");
const row = (/** @type {string | RegExp} */ text) => rows().filter({ hasText: text });
const param = (/** @type {string} */ name) => new URL(page.url()).searchParams.get(name);

/** Opens an address and waits until nothing on it loads. @param {string} address @param {Page} [on] */
async function visit(address, on = page) {
  await on.goto(server.base + address);
  await settled(on);
}

async function settled(on = page) {
  await until(async () => (await on.locator("main > *").count()) > 0 && (await on.locator("[aria-busy=true]").count()) === 0, "nothing is loading");
}

/** What the API says of the project's issues. @returns {Promise<any[]>} */
async function stored(status = "all") {
  const reply = await page.evaluate(async (address) => (await fetch(address)).json(), `/issues?project_id=${slug}&limit=100&status=${status}`);
  return reply.issues;
}

/** @param {unknown[]} events @param {number} issues how many there are once they are counted */
async function post(events, issues) {
  await postBatch(server.base, key, JSON.stringify(events));
  await until(async () => (await stored()).length >= issues, "the events are counted");
}

/** @param {string} message @param {object} [more] */
const failure = (message, more = {}) => ({ level: "error", message, source: "checkout", env: "production", release: "2026.11.4", user_id: "u1", ...more });

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  server = await startServer();
  browser = await startBrowser();
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
  ({ page, faults } = await watchedPage(context, server.base, [], EXPECTED));
  await signIn(page, server, "/ui/issues", "Issues");
  key = await page.evaluate(async (name) => {
    const body = JSON.stringify({ name, slug: name, retention_days: 1 });
    const made = await fetch("/admin/projects", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return (await made.json()).key;
  }, slug);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

describe("the issue pages", { concurrency: false }, () => {
  test("a project without issues says what one would be", async () => {
    await visit(LIST);
    await page.getByRole("heading", { name: "No issue yet" }).waitFor();
  });

  test("an issue shows what it is, how often and when, and leads to its logs", async () => {
    await post([
      ...Array.from({ length: 12 }, (_, index) => failure(`card declined for order ${index}`, { user_id: `u${index % 3}` })),
      FULL,
      failure("upstream inventory: connection reset by peer", { source: "worker" }),
      failure("card declined for order 77", { level: "info" }),
    ], 3);
    await visit(LIST);
    assert.equal(await rows().count(), 3);
    await row("card declined").getByText("New").waitFor();
    await row("card declined").getByRole("img", { name: "12 events in 24 hours, peak 12 an hour" }).waitFor();
    await row("card declined").getByRole("link", { name: "12 events of this issue" }).click();
    await until(async () => (await page.locator(".rows .row").count()) === 12, "the issue's events are listed");
    assert.match(param("q") ?? "", /^fingerprint:[0-9a-f]{16}$/);
  });

  test("state, order, project and text are in the address, both ways", async () => {
    await visit(LIST);
    await page.getByLabel("State").selectOption("all");
    await page.getByLabel("Sort").selectOption("count");
    await page.getByLabel("Search in titles").fill("declined");
    await page.keyboard.press("Enter");
    await until(async () => (await rows().count()) === 1, "one title matches");
    for (const [name, value] of [["status", "all"], ["sort", "count"], ["project", slug], ["q", "declined"]]) assert.equal(param(name ?? ""), value);
    await page.reload();
    await settled();
    assert.equal(await rows().count(), 1);
    assert.equal(await page.getByLabel("State").inputValue(), "all");
    assert.equal(await page.getByLabel("Sort").inputValue(), "count");
    assert.equal(await page.getByLabel("Search in titles").inputValue(), "declined");
    await until(async () => (await page.getByLabel("Project").inputValue()) === slug, "the project is chosen");
    await page.goBack();
    await until(async () => (await rows().count()) === 3, "going back takes the text back");
    await visit(`${LIST}&q=nosuchtitle`);
    await page.getByRole("heading", { name: "No issue matches" }).waitFor();
    await page.getByRole("link", { name: "Clear the search" }).click();
    await until(async () => (await rows().count()) === 3, "all are back");
    await visit(`${LIST}&status=muted`);
    await page.getByRole("heading", { name: "No muted issues", exact: true }).waitFor();
    await page.getByRole("link", { name: "Show all issues" }).click();
    await until(async () => (await rows().count()) === 3, "all states are shown");
  });

  test("several issues are resolved, muted and reopened at once, and each can be taken back", async () => {
    await visit(LIST);
    for (const name of ["Resolve", "Reopen"]) assert.ok(await page.getByRole("button", { name }).isDisabled(), name);
    await page.getByRole("button", { name: "Resolve" }).click({ force: true });
    await page.getByText("No issue is selected.").waitFor();
    await page.locator("summary").click({ force: true });
    assert.equal(await page.getByRole("button", { name: "For 1 hour" }).count(), 0, "the menu stays closed");
    await row("card declined").getByRole("checkbox").check();
    assert.ok(await page.getByRole("button", { name: "Resolve" }).isEnabled());
    assert.ok(await page.getByRole("button", { name: "Reopen" }).isDisabled(), "it is open");
    await page.getByRole("button", { name: "Reopen" }).click({ force: true });
    await page.getByText("It is open already.").waitFor();
    await row("connection reset").getByRole("checkbox").check();
    await page.getByText("2 selected").waitFor();
    await page.getByRole("button", { name: "Resolve" }).click();
    await page.getByText("2 issues resolved.").waitFor();
    assert.equal(await rows().count(), 1);
    assert.equal((await stored("resolved")).length, 2);
    await page.getByRole("button", { name: "Undo" }).click();
    await until(async () => (await rows().count()) === 3, "they are back");
    assert.equal((await stored("open")).length, 3);

    await page.getByLabel("Select all shown").check();
    await page.getByText("Mute", { exact: true }).first().click();
    await page.locator(".menu").getByText("Mute 3 issues").waitFor();
    await page.getByRole("button", { name: "For 24 hours" }).click();
    await page.getByText("3 issues muted.").waitFor();
    await page.getByRole("heading", { name: "No open issues", exact: true }).waitFor();
    assert.ok((await stored("muted")).every((one) => Date.parse(one.muted_until) > Date.now() + 23 * 3_600_000));
    await page.getByRole("link", { name: "Show all issues" }).click();
    await until(async () => (await rows().count()) === 3, "all states are shown");
    await row("card declined").getByTitle("Muted; that ends in 24 h").waitFor();
    await row("card declined").getByRole("checkbox").check();
    await page.getByRole("button", { name: "Reopen" }).click();
    await until(async () => (await row("card declined").getByText("Muted").count()) === 0, "it is open");
    await page.getByRole("button", { name: "Undo" }).click();
    await row("card declined").getByTitle("Muted; that ends in 24 h").waitFor();
    await page.getByLabel("Select all shown").check();
    await page.getByRole("button", { name: "Reopen" }).click();
    await page.getByText("3 issues reopened.").waitFor();
    assert.equal((await stored("open")).length, 3);
  });

  test("the list can be used by the keyboard alone", async () => {
    await visit(LIST);
    const focused = () => page.evaluate(() => document.activeElement?.closest(".issue")?.textContent ?? "");
    await page.keyboard.press("j");
    const first = await focused();
    await page.keyboard.press("j");
    assert.notEqual(await focused(), first);
    await page.keyboard.press("k");
    assert.equal(await focused(), first);
    await page.keyboard.press("s");
    await page.getByText("1 selected").waitFor();
    await page.keyboard.press("s");
    for (const key of ["e", "x", "r"]) await page.keyboard.press(key);
    assert.equal((await stored("open")).length, 3, "keys of the logs decide nothing here");
    assert.equal(await page.getByText("1 selected").count(), 0);
    await page.keyboard.press("d");
    await page.getByText("1 issue resolved.").waitFor();
    assert.equal(await rows().count(), 2);
    assert.notEqual(await focused(), "", "the next one has the focus");
    await page.getByRole("button", { name: "Undo" }).press("Enter");
    await until(async () => (await rows().count()) === 3, "it is back");
    await page.keyboard.press("j");
    const named = await page.evaluate(() => document.activeElement?.textContent);
    await page.keyboard.press("m");
    await page.locator(".menu").getByText(`Mute “${named}”`, { exact: true }).waitFor();
    await page.getByRole("button", { name: "For 1 hour" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "For 1 hour" }).waitFor({ state: "hidden" });
    // What it was closed for is forgotten, also where a browser opens it to show what it found in it.
    await page.getByLabel("Select all shown").check();
    await page.locator(".menu").evaluate((/** @type {HTMLDetailsElement} */ menu) => (menu.open = true));
    await page.locator(".menu").getByText("Mute 3 issues", { exact: true }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByLabel("Select all shown").uncheck();
    await page.keyboard.press("j");
    await page.keyboard.press("m");
    await page.getByRole("button", { name: "For 1 hour" }).press("Enter");
    await page.getByText("1 issue muted.").waitFor();
    await page.getByRole("button", { name: "Undo" }).press("Enter");
    await until(async () => (await rows().count()) === 3, "the one the menu was opened for is back");
    await page.keyboard.press("/");
    await page.keyboard.type("declined e j");
    assert.equal(await page.getByLabel("Search in titles").inputValue(), "declined e j", "keys are text while typing");
    await page.getByLabel("Search in titles").fill("declined");
    await page.keyboard.press("Enter");
    await until(async () => (await rows().count()) === 1, "one title matches");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "card declined", level: 1 }).waitFor();
    assert.match(new URL(page.url()).pathname, /^\/ui\/issues\/\d+-[0-9a-f]{16}$/);
  });

  test("one issue shows its events one by one, its stack, and what can be decided", async () => {
    await visit(LIST);
    await row("card declined").getByRole("link").first().click();
    await page.getByText("The newest.").waitFor();
    const message = () => page.getByLabel("Message").textContent();
    assert.equal(await message(), "card declined for order 11");
    assert.ok(await page.getByRole("button", { name: "Newer" }).isDisabled());
    for (let step = 0; step < 11; step += 1) await page.keyboard.press("j");
    await until(async () => (await message()) === "card declined for order 0", "the oldest is shown, past the first page of events");
    await until(async () => page.getByRole("button", { name: "Older" }).isDisabled(), "there is none older");
    await page.getByRole("button", { name: "Newer" }).click();
    assert.equal(await message(), "card declined for order 1");
    await page.getByText("12", { exact: true }).first().waitFor();
    await page.getByText(/^\d\d:\d\d:\d\d, \d+ (s|min) ago, in release 2026.11.4$/).first().waitFor();

    await page.getByRole("button", { name: "Resolve" }).click();
    await page.getByText("1 issue resolved.").waitFor();
    await page.getByText("Resolved 0 s ago").or(page.getByText(/Resolved \d s ago/)).first().waitFor();
    await post([failure("card declined for order 99", { release: "2026.11.5" })], 3);
    await until(async () => (await stored()).some((one) => one.regressed), "it has come back");
    await page.reload();
    await settled();
    await page.getByText("Regressed", { exact: true }).waitFor();
    await page.getByText(/Open, seen again in release 2026\.11\.5 after it was resolved/).waitFor();
    await page.getByText(/in release 2026.11.5/).first().waitFor();
    await page.getByText("Mute", { exact: true }).first().click();
    await page.getByLabel("Events an hour", { exact: true }).fill("40");
    await page.keyboard.press("Enter");
    await page.getByText("Muted until more than 40 come in an hour").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByText(/^Open/).first().waitFor();
    await page.getByRole("link", { name: "All events" }).click();
    await until(async () => (await page.locator(".rows .row").count()) === 13, "all its events are listed");
  });

  test("a stack is shown as sent, or without frames of libraries", async () => {
    await post([failure("query failed for good", { stack: "Error: no\n    at run (/srv/node_modules/pg/query.js:1:1)\n    at load (/srv/shop/load.js:4:2)" })], 4);
    await visit(LIST);
    await row("query failed").getByRole("link").first().click();
    const stack = page.getByLabel("Stack trace");
    await stack.getByText("node_modules/pg").waitFor();
    await page.getByRole("button", { name: "In-app" }).click();
    await until(async () => (await stack.textContent()) === "Error: no\n    … 1 of libraries\n    at load (/srv/shop/load.js:4:2)", "frames of libraries are counted in place of shown");
    await page.getByRole("button", { name: "All frames" }).click();
    await stack.getByText("node_modules/pg").waitFor();
  });

  test("deleting asks a second time, and the address then says that the issue is gone", async () => {
    await visit(LIST);
    await row("connection reset").getByRole("link").first().click();
    await page.getByText(/^The (newest|only one)\.$/).waitFor();
    const address = new URL(page.url()).pathname;
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Keep it" }).click();
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Delete the issue" }).click();
    await page.getByRole("heading", { name: "Issues", level: 1 }).waitFor();
    await visit(address);
    await page.getByRole("heading", { name: "This issue is not here" }).waitFor();
    assert.equal((await stored()).length, 3);
  });

  test("events, the dashboard and the list lead to an issue", async () => {
    await visit(`/ui/?project=${slug}`);
    await page.getByRole("table").getByRole("link", { name: /card declined/ }).click();
    await page.getByText("The newest.").waitFor();
    const issue = new URL(page.url()).pathname;
    assert.match((await page.getByRole("link", { name: "Context" }).getAttribute("href")) ?? "", /^\/ui\/logs\/.+\?scope=source$/);
    await page.getByRole("link", { name: "Permalink" }).click();
    await page.getByRole("link", { name: "Issue", exact: true }).click();
    await page.getByText("The newest.").waitFor();
    assert.equal(new URL(page.url()).pathname, issue);
  });

  test("an event's page begins with what failed, offers the project where its source has nothing else, and keeps its heading in place", async () => {
    const list = await stored();
    const find = async (/** @type {string} */ q) => page.evaluate(async (address) => (await (await fetch(address)).json()).logs[0].id, `/logs?project_id=${slug}&q=${q}`);
    await visit(`/ui/logs/${await find("unhandled")}?scope=source`);
    assert.deepEqual((await page.locator("main h2").allTextContents()).slice(0, 5), ["Stack", "Fields", "Tags", "Data", "Context: before and after"]);
    assert.equal(await page.getByRole("link", { name: "See the whole project" }).count(), 0);
    await visit(`/ui/logs/${await find("inventory")}?scope=source`);
    await page.getByText("Nothing later in this scope. See the whole project").getByRole("link").click();
    await page.getByRole("link", { name: "Whole project", exact: true }).and(page.locator("[aria-current]")).waitFor();
    await page.getByText("card declined for order 0").first().waitFor();
    const issue = list.find(({ title }) => title.startsWith("card declined"));
    for (const [api, address] of [["/logs/", `/ui/logs/${await find("inventory")}`], ["/issues/", `/ui/issues/${issue.id}`]]) {
      const detail = (/** @type {URL} */ url) => url.pathname.startsWith(api ?? "");
      /** @type {() => void} */
      let go = () => {};
      const held = new Promise((resolve) => {
        go = () => resolve(null);
      });
      await page.route(detail, async (route) => {
        await held;
        await route.fallback();
      });
      await page.goto(server.base + address);
      const place = () => page.locator("h1").evaluate((one) => [one.getBoundingClientRect().top, one.getBoundingClientRect().height]);
      await page.getByText(/^Loading/).waitFor();
      const before = await place();
      go();
      await page.getByRole("button", { name: "Copy JSON" }).waitFor();
      assert.deepEqual(await place(), before, address);
      await page.unroute(detail);
    }
  });

  test("what is affected and why it is one issue are shown where the service says so", async () => {
    const detail = (/** @type {URL} */ url) => /^\/issues\/.+/.test(url.pathname);
    await page.route(detail, async (route) => {
      const reply = await route.fetch();
      const body = await reply.json();
      body.breakdown = {
        source: [{ value: "checkout", count: 11, share: 0.9 }, { value: HOSTILE[0], count: 1, share: 0.1 }], env: [], release: [{ value: "2026.11.4", count: 10, share: 1 }],
        user_id: [{ value: "u1", count: 4, share: 0.33 }], distinct: { source: 2, env: 0, release: 1, user_id: 6 }, total: 12, complete: false,
      };
      body.why = {
        version: 2, kind: "stack", template: "card declined for order <n>", type: "CardError", hashed: ["source checkout", "type CardError", "frame pay"],
        frames: [{ function: "pay", file: "pay.js", used: true, reason: null }, { function: "run", file: "node_modules/x.js", used: false, reason: "library code (node_modules/)" }],
      };
      await route.fulfill({ response: reply, json: body });
    });
    const [one] = (await stored()).filter(({ title }) => title.startsWith("card declined"));
    await visit(`/ui/issues/${one.id}`);
    const affected = page.getByRole("region", { name: "Affected" });
    await affected.getByText(HOSTILE[0] ?? "").waitFor();
    await affected.getByText("Counted over the newest 12 events, not all of them.").waitFor();
    await affected.getByText("8 with 5 other values, or without", { exact: true }).waitFor();
    await affected.getByText("2 without release", { exact: true }).waitFor();
    const why = page.getByRole("region", { name: "Why these are one issue" });
    for (const text of ["the frames of the stack trace", "CardError", "library code (node_modules/)", "type CardError", "Version 2 of the rules."]) await why.getByText(text).first().waitFor();
    assert.equal(await why.locator("code", { hasText: /^\S+ \S+\.js$/ }).count(), 0, "a function and its file are apart");
    assert.ok((await why.locator("li", { hasText: " in " }).count()) > 0);
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 2000 });
      await page.screenshot({ path: new URL(`issue-affected-${width}.png`, SCREENSHOTS).pathname });
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await affected.getByRole("button", { name: "Without user_id:u1" }).click();
    await until(async () => param("q") === `fingerprint:${one.fingerprint} -user_id:u1`, "the value is in the query");
    await page.unroute(detail);
  });

  test("hostile text in every field of an issue stays text", async () => {
    const events = HOSTILE.map((text) => ({ ...failure(`hostile ${text}`), source: text, env: text, release: text, user_id: text, stack: `${text}\n    at ${text} (/srv/a.js:1:1)\n    at x (/node_modules/a.js:1:1)` }));
    await post(events, 3 + HOSTILE.length);
    await visit(`${LIST}&q=hostile`);
    const addresses = await rows().locator(".title").evaluateAll((links) => links.map((link) => link.getAttribute("href") ?? ""));
    assert.equal(addresses.length, HOSTILE.length);
    for (const address of addresses) {
      await visit(address);
      await page.getByText(/^The (newest|only one)\.$/).waitFor();
    }
    for (const text of HOSTILE) {
      await visit(`/ui/issues?status=${encodeURIComponent(text)}&sort=${encodeURIComponent(text)}&project=${encodeURIComponent(text)}&q=${encodeURIComponent(text)}`);
      await visit(`/ui/issues/${encodeURIComponent(text)}`);
    }
    assert.equal(await page.evaluate(() => Reflect.get(window, "ran")), undefined);
    assert.equal(await page.locator("main img, main iframe, main script").count(), 0);
  });

  test("a failure says so and can be tried again, a sleeping service is waited for, and an ended session leads to signing in", async () => {
    const problem = JSON.stringify({ code: "internal", detail: "A fault of ours.", status: 500 });
    await page.route(isList, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: problem }));
    await visit(LIST);
    await page.getByText("A fault of ours.").waitFor();
    await page.unroute(isList);
    await page.getByRole("button", { name: "Try again" }).click();
    await until(async () => (await rows().count()) > 3, "trying again works");

    const changes = (/** @type {import("playwright-core").Route} */ route) =>
      route.request().method() === "PUT" ? route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify({ code: "storage_unavailable", detail: "The database is away." }) }) : route.fallback();
    await page.route(isList, changes);
    await rows().first().getByRole("checkbox").check();
    await page.getByRole("button", { name: "Resolve" }).click();
    await page.getByText(/The database is away\./).waitFor();
    await page.unroute(isList);

    let tries = 0;
    await page.route(isList, (route) => (++tries === 1 ? route.fulfill({ status: 502, contentType: "text/html", body: "<p>starting</p>" }) : route.fallback()));
    await page.goto(`${server.base}${LIST}`);
    await page.getByRole("heading", { name: "The service is waking up" }).waitFor();
    await until(async () => (await rows().count()) > 3, "it tried again by itself");
    await page.unroute(isList);

    await page.route(isList, (route) => route.fulfill({ status: 401, contentType: "application/problem+json", body: JSON.stringify({ code: "unauthorized" }) }));
    await page.goto(`${server.base}${LIST}`);
    await page.getByLabel("Admin token").waitFor();
    assert.equal(param("next"), LIST);
    await page.unroute(isList);
  });

  test("the filters stay on one line beside a project with a long name", async () => {
    await page.evaluate(async (name) => {
      const made = await fetch("/admin/projects", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name: "The shop of the north and all of its warehouses", slug: name }) });
      if (!made.ok) throw new Error(await made.text());
    }, `${slug}-long`);
    await visit(`/ui/issues?project=${slug}-long`);
    for (const width of [1440, 1024]) {
      await page.setViewportSize({ width, height: 900 });
      const tops = await page.locator(".filters-line > *").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top));
      assert.equal(new Set(tops).size, 1, `at ${width}: ${tops}`);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test("a long list is paged, each issue once", async () => {
    await post(NAMES.map((name) => failure(name)), 3 + HOSTILE.length + NAMES.length);
    await visit(`${LIST}&q=fell+off`);
    assert.equal(await rows().count(), PAGE);
    await page.getByText(`${PAGE} issues so far`).waitFor();
    await page.getByRole("button", { name: "Load more" }).click();
    await until(async () => (await rows().count()) === NAMES.length, "the rest is there");
    const links = await rows().locator(".title").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    assert.equal(new Set(links).size, NAMES.length);
  });

  test("c leads to what is around the event, another grouping is said, and 90 days are 90 days", async () => {
    const [{ id }] = await stored();
    const asked = (/** @type {URL} */ url) => url.pathname === `/issues/${id}`;
    await page.route(asked, async (route) => {
      const reply = await route.fetch();
      const body = await reply.json();
      await route.fulfill({ response: reply, json: { ...body, why: { ...body.why, matches: false } } });
    });
    await page.goto(`${server.base}/ui/issues/${id}`);
    await page.getByText(/It was grouped by others\./).waitFor();
    await page.unroute(asked);
    await page.getByText(/^The (newest|only one)\.$/).waitFor();
    const decided = page.waitForRequest((request) => request.method() === "PUT");
    await page.keyboard.press("m");
    await page.getByRole("button", { name: "For 90 days" }).click();
    assert.deepEqual(JSON.parse((await decided).postData() ?? ""), { ids: [id], action: "mute", until: "now+90d" });
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByText("Taken back.").waitFor();
    await page.keyboard.press("c");
    await page.getByRole("table", { name: "Events before and after" }).waitFor();
    const { pathname, searchParams } = new URL(page.url());
    assert.ok(/^\/ui\/logs\/[^/]+$/.test(pathname) && searchParams.get("scope") === "source", page.url());
  });

  test("the pages fit and are accessible in every size and theme", async () => {
    const list = await stored();
    const full = list.find(({ title }) => title.startsWith("Unhandled")), hostile = list.find(({ title }) => title.includes("www"));
    await inEachSize(browser, context, async (look, width) => {
      /** @type {[string, string, (() => Promise<unknown>)?][]} */
      const views = [
        ["issues", `${LIST}&sort=count`, async () => {
          await rows(look).nth(1).getByRole("checkbox").check();
          await look.getByText("Mute", { exact: true }).first().click();
        }],
        ["issues-hostile", `${LIST}&q=hostile`],
        ["issues-empty", `${LIST}&status=muted`],
        ["issues-none", "/ui/issues?project=nothing-like-it"],
        ["issue", `/ui/issues/${full.id}`, () => look.getByText(/^The (newest|only one)\.$/).waitFor()],
        ["issue-hostile", `/ui/issues/${hostile.id}`, () => look.getByText(/^The (newest|only one)\.$/).waitFor()],
        ["issue-gone", "/ui/issues/1-0000000000000000"],
      ];
      for (const [name, address, ready] of views) {
        await visit(address, look);
        await ready?.();
        if (name === "issues") {
          assert.ok(await rows(look).first().locator(".source").isVisible(), "the source is named");
          assert.match((await rows(look).first().locator(".where").textContent()) ?? "", new RegExp(`^${slug} / .`));
          const [day, number] = await rows(look).first().locator(".day, .count").evaluateAll((parts) => parts.map((part) => part.getBoundingClientRect()));
          assert.ok((number?.left ?? 0) - (day?.right ?? 0) >= 8, "the count is apart from the sparkline");
        }
        await check(look, `${name}-${width}`, name.startsWith("issue-") || name === "issue");
      }
      await checkStates(look, `${server.base}${LIST}`, isList, `issues-*-${width}`);
      await checkStates(look, `${server.base}/ui/issues/${full.id}`, (url) => url.pathname === `/issues/${full.id}`, `issue-*-${width}`);
    }, EXPECTED);
  });

  test("broke no policy and logged no error in all of this", () => {
    assert.deepEqual(faults, []);
  });
});
