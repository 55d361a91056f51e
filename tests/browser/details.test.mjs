// Small things that save time in an incident: keys to the next error, typed times, suggestions, repeats.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { until } from "./browser.mjs";
import { check, SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { postBatch } from "./seed.mjs";

const SLUG = "details";
const LEVELS = ["info", "error", "info", "warn", "info", "fatal", "warn", "info"];

/** @type {import("./scene.mjs").Scene} */
let scene;

const query = () => scene.page.getByRole("combobox", { name: "Search" });
const drawer = () => scene.page.getByRole("complementary", { name: "Event" });
const press = (/** @type {string[]} */ ...keys) => keys.reduce((done, one) => done.then(() => scene.page.keyboard.press(one)), Promise.resolve());
/** The message of the row with the focus. */
const focused = () => scene.page.evaluate(() => (document.activeElement?.closest(".row") ? document.activeElement.textContent : null));

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  scene = await openScene();
  const { key } = await scene.project(SLUG, "Details");
  const events = LEVELS.map((level, index) => ({
    ts: new Date(Date.now() - (index + 1) * 20_000).toISOString(), level, message: `event ${index} ${"abcdefgh".charAt(index)}`, source: index % 2 ? "web api" : "worker", env: "staging",
    ctx: { order: { id: index }, gateway: "north" },
  }));
  await postBatch(scene.server.base, key, JSON.stringify(events));
  await until(async () => (await scene.admin("GET", `/logs?project_id=${SLUG}`)).logs.length === LEVELS.length, "the events are stored");
});

after(() => scene?.close());

test("a project, members of arrays and texts too long for a query have their include and exclude, too", async () => {
  const { key } = await scene.project("values", "Values");
  const long = `${"😀 ".repeat(120)}end`;
  const ctx = (/** @type {string} */ sku, /** @type {string} */ note) => ({ ctx: { lines: [{ sku: "other" }, { sku }], codes: [7, sku.length], note } });
  await postBatch(scene.server.base, key, JSON.stringify([{ message: "first", ...ctx("A17", long) }, { message: "second", ...ctx("B2", "short\nof two lines") }]));
  await until(async () => (await scene.admin("GET", "/logs?project_id=values")).logs.length === 2, "the events are stored");
  for (const [button, event, found] of /** @type {[RegExp, string, string[]][]} */ ([
    [/^Only project:values$/, "first", ["second", "first"]],
    [/^Only ctx\.lines\.sku:A17$/, "first", ["first"]],
    [/^Without ctx\.lines\.sku:A17$/, "first", ["second"]],
    [/^Only ctx\.codes:2$/, "second", ["second"]],
    [/^Only ctx\.note:"(😀 ){100}"\*$/u, "first", ["first"]],
    [/^Only ctx\.note:short|^Only ctx\.note:"short"\*$/, "second", ["second"]],
  ])) {
    await scene.visit("/ui/logs?project=values");
    await scene.rows().filter({ hasText: event }).click();
    const before = scene.page.url();
    const control = drawer().getByRole("button", { name: button });
    for (const folded of await drawer().locator("details:not([open]) > summary").all()) await folded.click();
    await control.click();
    await until(async () => new URL(scene.page.url()).searchParams.get("q") !== new URL(before).searchParams.get("q"), `${button}`);
    await scene.settled();
    assert.deepEqual(await scene.page.locator(".rows a").allInnerTexts(), found, `${button}`);
  }
});

describe("keys of the log list", { concurrency: false }, () => {
  test("e and E go to the next and previous error, w and W to warnings, and say when there is none", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await scene.page.locator("main").focus();
    const status = scene.page.locator(".logs-line .status");
    for (const [key, index] of /** @type {[string, number][]} */ ([["e", 1], ["e", 5], ["E", 1], ["w", 3], ["w", 6], ["W", 3], ["e", 5]])) {
      await press(key);
      assert.match((await focused()) ?? "", new RegExp(`^event ${index} `), key);
    }
    await press("e");
    assert.equal(await status.textContent(), "No error below in this list.");
    assert.match((await focused()) ?? "", /^event 5 /, "the focus stays");
    await press("Enter");
    await drawer().getByText("event 5").first().waitFor();
    await press("E");
    await drawer().getByText("event 1").first().waitFor();
  });

  test("f goes to the fields of the open event, or else to the counts", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await scene.rows().first().click();
    await drawer().getByRole("button", { name: "Copy JSON" }).waitFor();
    await press("f");
    assert.equal(await scene.page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "Only level:info");
    await press("Escape");
    await drawer().waitFor({ state: "hidden" });
    await press("f");
    await until(async () => scene.page.evaluate(() => document.activeElement?.classList.contains("side") === true), "the counts have the focus");
    assert.equal(scene.param("side"), "fields");
  });

  test("the help lists them all", async () => {
    await press("?");
    const dialog = scene.page.getByRole("dialog");
    for (const text of ["Next and previous error", "Next and previous warning", "What is around the event", "Filter by a field", "Live tail on and off"]) await dialog.getByText(text).waitFor();
    await press("Escape");
  });
});

describe("an event taken elsewhere", { concurrency: false }, () => {
  test("is copied as Markdown, and as a command that fetches it", async () => {
    await scene.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: scene.server.base });
    await scene.visit(`/ui/logs?project=${SLUG}&level=fatal`);
    await scene.rows().first().click();
    const copied = async (/** @type {string} */ name) => {
      await drawer().getByRole("button", { name, exact: true }).click();
      await drawer().getByRole("button", { name: "Copied" }).waitFor();
      const text = await scene.page.evaluate(() => navigator.clipboard.readText());
      await drawer().getByRole("button", { name, exact: true }).waitFor();
      return text;
    };
    const id = scene.param("sel");
    const markdown = await copied("Copy Markdown");
    assert.match(markdown, /^\*\*fatal\*\* .*project `"details"`.*\n\n```\nevent 5 f\n```/);
    assert.ok(markdown.endsWith(`<${scene.server.base}/ui/logs/${id}>`), markdown);
    const command = await copied("Copy cURL");
    const { stdout } = await promisify(execFile)("sh", ["-c", command], { env: { ...process.env, TOKEN: scene.server.token } });
    assert.equal(JSON.parse(stdout).id, id);
  });
});

describe("rows", { concurrency: false }, () => {
  test("show the fields one asks for, by a menu and by the address", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await scene.page.locator("summary", { hasText: "Columns" }).click();
    await scene.page.getByLabel("Columns").fill("env, ctx.order.id, nothing");
    await press("Enter");
    await until(async () => scene.param("cols") === "env,ctx.order.id,nothing", "they are in the address");
    await until(async () => (await scene.rows().count()) === LEVELS.length, "the rows are there");
    const message = scene.rows().nth(2).getByRole("cell").last();
    await until(async () => (await message.textContent()) === "env=staging ctx.order.id=2 event 2 c", "the columns are before the message");
    assert.equal(await message.getByRole("link").textContent(), "event 2 c");
    await scene.page.reload();
    await scene.settled();
    assert.equal(await message.textContent(), "env=staging ctx.order.id=2 event 2 c");
    await scene.page.locator("summary", { hasText: "Columns" }).click();
    await scene.page.getByLabel("Columns").fill("");
    await press("Enter");
    await until(async () => (await message.textContent()) === "event 2 c", "they are gone");
    assert.equal(scene.param("cols"), null);
  });

  test("mark what was searched for without changing the text", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&q=event+-level%3Awarn+%22even%22`);
    const marked = await scene.page.evaluate(() => [...(CSS.highlights.get("hit") ?? [])].map((range) => range.toString()));
    assert.equal(marked.length, 2 * (await scene.rows().count()), "both words, in each row");
    assert.deepEqual([...new Set(marked)].sort(), ["even", "event"]);
    assert.equal(await scene.page.locator(".rows mark, .rows .hit").count(), 0);
  });

  test("that look alike are all shown, and each says when it expires", async () => {
    const { key } = await scene.project("alike");
    const alike = Array.from({ length: 7 }, () => ({ ts: new Date().toISOString(), level: "error", message: "the very same", source: "web" }));
    await postBatch(scene.server.base, key, JSON.stringify(alike));
    await scene.visit("/ui/logs?project=alike");
    assert.equal(await scene.total(), 7);
    await scene.rows().first().click();
    // It is kept for a day.
    await drawer().getByText(/^expires in (23 h|24 h|1 d)$/).waitFor();
    await drawer().getByRole("link", { name: "Permalink" }).click();
    await scene.page.getByRole("heading", { name: "Event", level: 1 }).waitFor();
    await scene.page.getByText(/^expires in (23 h|24 h|1 d)$/).waitFor();
    await scene.visit(`${new URL(scene.page.url()).pathname}?tz=${encodeURIComponent(`Mars/\u202e${"x".repeat(200)}`)}`);
    const zone = await scene.page.getByText("which this browser does not know. Times are local.").textContent();
    assert.ok(zone?.includes("⟨U+202E⟩xx") && zone.length < 200, zone ?? "");
  });
});

describe("typed times", { concurrency: false }, () => {
  const from = () => scene.page.getByLabel("From", { exact: true });
  const to = () => scene.page.getByLabel("To", { exact: true });

  test("are read as people write them, and relative ones stay so", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await scene.page.getByLabel("Time range").selectOption("custom");
    await from().fill("3 hours ago");
    await to().fill("now");
    await to().press("Enter");
    await until(async () => scene.param("from") === "-3h", "the address keeps it relative");
    await until(async () => (await scene.rows().count()) === LEVELS.length, "the events of that time are listed");
    assert.equal(await from().inputValue(), "3 hours ago");
    await from().fill("yesterday 2:15 pm");
    await from().press("Enter");
    await until(async () => scene.param("from") !== "-3h", "the time is in the address");
    const expected = await scene.page.evaluate(() => {
      const now = new Date();
      return new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1, 14, 15).toISOString();
    });
    assert.equal(scene.param("from"), expected);
    await scene.page.screenshot({ path: new URL("typed-time.png", SCREENSHOTS).pathname });
  });

  test("that are none are said to be, and nothing is searched", async () => {
    const address = scene.page.url();
    for (const wrong of ["soon", "25:00"]) {
      await from().fill(wrong);
      await from().press("Enter");
      assert.match(await from().evaluate((input) => (input instanceof HTMLInputElement ? input.validationMessage : "")), /^This is no time\. Write 4:06 pm/);
    }
    await from().fill("1 hour ago");
    await to().fill("2 hours ago");
    await to().press("Enter");
    assert.match(await to().evaluate((input) => (input instanceof HTMLInputElement ? input.validationMessage : "")), /end must be after/);
    assert.equal(scene.page.url(), address);
  });
});

describe("suggestions of the query box", { concurrency: false }, () => {
  const choices = () => scene.page.getByRole("option");

  test("complete fields and values by the keyboard, and Enter without a choice searches", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await press("/");
    await scene.page.keyboard.type("sou");
    assert.equal(await query().getAttribute("aria-expanded"), "true");
    assert.equal(await query().getAttribute("aria-activedescendant"), null);
    await press("ArrowDown");
    const active = await query().getAttribute("aria-activedescendant");
    assert.match((await scene.page.locator(`#${active}`).textContent()) ?? "", /^source:/);
    await press("Enter");
    assert.equal(await query().inputValue(), "source:");
    assert.equal(scene.param("q"), null, "nothing is searched yet");
    await choices().filter({ hasText: 'source:"web api"' }).waitFor();
    await scene.page.screenshot({ path: new URL("suggestions.png", SCREENSHOTS).pathname });
    await check(scene.page, "suggestions-open");
    await scene.page.keyboard.type("we");
    await press("ArrowDown", "Enter");
    assert.equal(await query().inputValue(), 'source:"web api" ');
    await press("Enter");
    await until(async () => scene.param("q") === 'source:"web api"', "the query is searched");
    await until(async () => (await scene.rows().count()) === 4, "its events are listed");
  });

  test("offer the paths of contexts, earlier searches, and close by Escape alone", async () => {
    await query().fill("gate");
    await choices().filter({ hasText: "ctx.gateway:" }).click();
    assert.equal(await query().inputValue(), "ctx.gateway:");
    await press("Escape");
    await choices().first().waitFor({ state: "hidden" });
    assert.equal(await query().inputValue(), "ctx.gateway:", "the text stays");
    await query().fill("");
    await press("ArrowDown");
    assert.match((await choices().first().textContent()) ?? "", /web api.*earlier search/);
    assert.equal(await scene.page.evaluate(() => localStorage.length + sessionStorage.length), 0, "no query is stored");
  });
});

describe("what the service knows beyond this instance", { concurrency: false }, () => {
  /** Changes an answer of the service on its way. @param {string} path @param {(body: any) => void} alter */
  const altered = (path, alter) => scene.page.route((url) => url.pathname === path, async (route) => {
    const reply = await route.fetch();
    const body = await reply.json();
    alter(body);
    await route.fulfill({ response: reply, json: body });
  });

  test("the ledger shows what waits in other spools, and which are silent", async () => {
    await altered("/stats/ledger", (ledger) => {
      ledger.totals.in_other_spools = 12;
      ledger.unseen = [{ from: "2026-11-20T10:00:00.000Z", to: "2026-11-20T10:40:00.000Z" }];
      ledger.other_spools = [{ events: 12, told_ms_ago: 4000, silent: false }, { events: 3, told_ms_ago: 600_000, silent: true }];
    });
    await scene.visit("/ui/overflow");
    const ledger = scene.page.getByRole("region", { name: "Ledger", exact: true });
    await ledger.getByText("12 events of this time.").waitFor();
    await ledger.getByText("3 events, reported 10 min ago").waitFor();
    await ledger.getByText(/what is not confirmed: 3 events in the spool/).waitFor();
    await ledger.getByText(/^1 time \((UTC|[+-]\d\d:\d\d)\):$/).waitFor();
    assert.equal(await ledger.getByText("For 40 min").count(), 1);
    assert.equal(await ledger.getByText("every event received is accounted for").count(), 0);
    assert.equal(await ledger.getByText("Silent, so not confirmed").count(), 1);
    await scene.page.screenshot({ path: new URL("other-spools.png", SCREENSHOTS).pathname });
  });

  test("the ledger has every account of a project", async () => {
    const accounts = { Received: 1111, Accepted: 12, Duplicate: 13, Rejected: 14, Limited: 15, Refused: 16, Stored: 17, Purged: 18, Deleted: 19, "In spool": 2000, Quarantined: 21 };
    const named = Object.fromEntries(Object.entries(accounts).map(([name, events]) => [name.toLowerCase().replace(" ", "_"), events]));
    await altered("/stats/ledger", ({ projects }) => Object.assign(projects.find((/** @type {any} */ { project }) => project === SLUG), named));
    await scene.visit("/ui/overflow");
    const table = scene.page.getByRole("region", { name: "The ledger by project" });
    assert.deepEqual(await table.getByRole("columnheader").allTextContents(), ["Project", ...Object.keys(accounts), "Sums"]);
    const row = table.getByRole("row").filter({ has: scene.page.getByRole("link", { name: SLUG, exact: true }) });
    assert.deepEqual(await row.getByRole("cell").allTextContents(), [...Object.values(accounts).map((events) => events.toLocaleString("en")), "hold"]);
  });

  test("the storage's sums have an age", async () => {
    await altered("/stats", (stats) => (stats.storage.age_ms = 40_000));
    await scene.visit("/ui/system");
    await scene.page.getByText("Summed 40 s ago").waitFor();
  });

  test("the list of issues says how many events made none", async () => {
    await scene.visit("/ui/issues");
    assert.equal(await scene.page.getByText("made no issue").count(), 0);
    await altered("/issues", (issues) => (issues.other.events_24h = 1234));
    await scene.visit(`/ui/issues?project=${SLUG}`);
    const line = scene.page.getByText("1,234 events of the last 24 hours made no issue");
    await line.waitFor();
    assert.equal(await line.getByRole("link").getAttribute("href"), `/ui/logs?project=${SLUG}&level=error%2Cfatal&range=24h`);
  });

  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
