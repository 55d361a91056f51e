// Drives the dashboard, the overflow page and the system page: real data, their states, and what they change.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { signIn, startBrowser, until, watchedPage } from "./browser.mjs";
import { check, inEachSize, SCREENSHOTS } from "./inspect.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";
import { startServer } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const slug = `ops-${Date.now().toString(36)}`;
const EVENTS = 101;

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

/** Opens an address and waits until nothing on it loads. @param {string} address @param {Page} [on] */
async function visit(address, on = page) {
  await on.goto(server.base + address);
  await settled(on);
}

async function settled(on = page) {
  await until(async () => (await on.locator("main > *").count()) > 0 && (await on.locator("[aria-busy=true]").count()) === 0, "nothing is loading");
}

const region = (/** @type {string} */ name) => page.getByRole("region", { name, exact: true });
/** The number of a tile. @param {string} name */
const tile = (name) => page.locator(".tile").filter({ has: page.locator(".tile-name", { hasText: new RegExp(`^${name}$`) }) }).locator(".tile-value");

/** A time as the page shows it, with its zone. @param {string} at */
const inZone = (at) => page.evaluate((text) => {
  const ahead = -new Date(text).getTimezoneOffset();
  const wall = new Date(Date.parse(text) + ahead * 60_000).toISOString().slice(0, -1).replace("T", " ");
  const two = (/** @type {number} */ n) => String(Math.floor(Math.abs(n))).padStart(2, "0");
  return `${wall} ${ahead === 0 ? "UTC" : `${ahead > 0 ? "+" : "-"}${two(ahead / 60)}:${two(ahead % 60)}`}`;
}, at);

/** One held event, as the API shows it. */
const HELD = {
  id: "06gvotvlt5ofh0b26ilsv7bnrs-0", project_id: 1, project: slug, bytes: 2048,
  received_at: new Date().toISOString(), quarantined_at: new Date().toISOString(), expires_at: new Date(Date.now() + 86_400_000).toISOString(),
  reason: { code: "too_large", detail: "It is larger than the database takes.", error_number: 1153, error_message: "<b>packet too large</b>" },
  event: { ...FULL, id: "06gvotvlt5ofh0b26ilsv7bnrs-0", message: "<img src=x onerror=window.ran=1> held back" },
};

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  server = await startServer();
  browser = await startBrowser();
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
  ({ page, faults } = await watchedPage(context, server.base));
  await signIn(page, server, "/ui/projects", "Projects");
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

describe("the operation pages", { concurrency: false }, () => {
  test("the dashboard leads someone without events to the projects", async (t) => {
    await visit("/ui/");
    if ((await page.getByRole("heading", { name: "No event has arrived yet" }).count()) === 0) return t.skip("the service has events");
    await page.getByRole("link", { name: "Go to the projects" }).waitFor();
  });

  test("the dashboard says what is wrong, and every number leads to its logs", async () => {
    const made = await page.evaluate(async (name) => {
      const body = JSON.stringify({ name, slug: name, retention_days: 1 });
      return (await fetch("/admin/projects", { method: "POST", headers: { "Content-Type": "application/json" }, body })).json();
    }, slug);
    key = made.key;
    await postBatch(server.base, key, JSON.stringify([...ordinary(EVENTS - 1), FULL]));
    await until(async () => {
      await visit(`/ui/?project=${slug}`);
      return (await tile("fatal").count()) > 0 && (await tile("fatal").textContent()) === "1";
    }, "the events are counted");
    assert.equal(await tile("error").textContent(), "10");
    await page.getByText(/^11 errors \(1 fatal\).*Top issue in/).waitFor();
    await page.getByRole("link", { name: /Unhandled exception: checkout failed/ }).first().waitFor();
    assert.equal(await page.locator(".lines li").count(), 8);
    await tile("fatal").click();
    await settled();
    assert.equal(new URL(page.url()).pathname, "/ui/logs");
    await until(async () => (await page.locator(".rows .row").count()) === 1, "the one event is listed");
    await page.goBack();
    await settled();
    const issue = page.getByRole("table").getByRole("link", { name: /Unhandled exception/ });
    await issue.click();
    await page.getByRole("heading", { name: /Unhandled exception/, level: 1 }).waitFor();
    await page.goBack();
    await settled();
    await page.getByRole("link", { name: "1 event of this issue" }).click();
    await until(async () => (await page.locator(".rows .row").count()) === 1, "the issue's event is listed");
    await page.goBack();
    await page.getByLabel("Time range").selectOption("24h");
    await until(async () => new URL(page.url()).searchParams.get("range") === "24h", "the range is in the address");
  });

  test("a section that fails says so, leaves the others, and loads again", async () => {
    const problem = JSON.stringify({ code: "internal", detail: "A fault of ours.", status: 500 });
    for (const [address, path, name, title = "Loading failed"] of [["/ui/", "/stats", "Errors", "Counts and top issues could not be read"], ["/ui/overflow", "/stats/ledger", "Ledger"], ["/ui/system", "/admin/audit", "Audit log"]]) {
      const asked = (/** @type {URL} */ url) => url.pathname === path;
      await page.route(asked, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: problem }));
      await visit(address ?? "");
      await region(name ?? "").getByText("A fault of ours.").waitFor();
      assert.equal(await page.getByText(title).count(), 1);
      await page.unroute(asked);
      await region(name ?? "").getByRole("button", { name: "Try again" }).click();
      await page.getByText(title).waitFor({ state: "hidden" });
      await settled();
    }
  });

  test("the overflow page shows a ledger whose sums hold, the spool and the limits", async () => {
    await until(async () => {
      await visit("/ui/overflow");
      return (await page.getByText("Both sums hold").count()) === 1;
    }, "the ledger balances");
    const row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: slug }) });
    assert.equal(await row.getByRole("cell").first().textContent(), String(EVENTS));
    await page.getByText(/a killed process may lose the last/).waitFor();
    await region("Spool").getByText(/State:|no spool/).first().waitFor();
    await region("Limits in force").getByText("Events of one request").waitFor();
    await region("Quarantine").getByText("Nothing is in quarantine").waitFor();
  });

  test("quarantine shows why, retries, and discards only after a second word", async () => {
    /** @type {string[]} */
    const asked = [];
    const held = (/** @type {URL} */ url) => url.pathname.startsWith("/admin/quarantine");
    await page.route(held, (route) => {
      const method = route.request().method();
      if (method !== "GET") asked.push(`${method} ${new URL(route.request().url()).pathname}`);
      if (method === "DELETE") return route.fulfill({ status: 204 });
      if (method === "POST") return route.fulfill({ json: { stored: 0, still_refused: 1, next_cursor: null } });
      return route.fulfill({ json: { quarantine: [HELD], next_cursor: null, events: 1, bytes: 2048, max_events: 10000, max_bytes: 1 << 26 } });
    });
    await visit("/ui/overflow");
    await region("Quarantine").getByText("onerror=window.ran=1> held back").first().waitFor();
    await page.getByRole("button", { name: "Retry all" }).click();
    await page.getByText("0 events stored, 1 still refused.").waitFor();
    await page.getByRole("button", { name: "Discard", exact: true }).click();
    await page.getByRole("button", { name: "Keep it" }).click();
    assert.deepEqual(asked, ["POST /admin/quarantine/retry"]);
    await page.getByRole("button", { name: "Discard", exact: true }).click();
    await page.keyboard.press("Enter");
    await page.getByText("Discarded.").waitFor();
    assert.deepEqual(asked.slice(1), [`DELETE /admin/quarantine/${HELD.id}`]);
    await page.unroute(held);
  });

  test("all of a held event can be read, and one that is damaged can be discarded and not tried again", async () => {
    /** @type {string[]} */
    const asked = [];
    const held = (/** @type {URL} */ url) => url.pathname.startsWith("/admin/quarantine");
    const damaged = { ...HELD, id: HELD.id.replace(/0$/, "1"), event: null };
    await page.route(held, (route) => {
      if (route.request().method() === "GET") return route.fulfill({ json: { quarantine: [HELD, damaged], next_cursor: null, events: 2, bytes: 4096, max_events: 10000, max_bytes: 1 << 26 } });
      asked.push(`${route.request().method()} ${new URL(route.request().url()).pathname}`);
      return route.fulfill({ status: 204 });
    });
    await visit("/ui/overflow");
    const entries = region("Quarantine").getByRole("listitem");
    const [whole, broken] = [entries.filter({ hasText: "held back" }), entries.filter({ hasText: "What was kept of this event is damaged." })];
    const text = whole.locator("pre");
    assert.ok(await text.isHidden(), "it is folded at first");
    await whole.getByText("All of it", { exact: true }).click();
    assert.ok(await text.isVisible());
    assert.deepEqual(JSON.parse((await text.textContent()) ?? ""), HELD.event);
    assert.deepEqual(await whole.getByRole("button").allTextContents(), ["Retry", "Discard"]);
    assert.deepEqual(await broken.getByRole("button").allTextContents(), ["Discard"]);
    assert.equal(await broken.getByText("All of it").count(), 0);
    await broken.getByRole("button", { name: "Discard" }).click();
    await broken.getByRole("button", { name: "Discard for good" }).click();
    await page.getByText("Discarded.").waitFor();
    assert.deepEqual(asked, [`DELETE /admin/quarantine/${damaged.id}`]);
    await page.unroute(held);
  });

  test("the project chosen is that of the quarantine too", async () => {
    /** @type {string[]} */
    const asked = [];
    const held = (/** @type {URL} */ url) => url.pathname.startsWith("/admin/quarantine");
    await page.route(held, (route) => {
      const { method, url, data } = { method: route.request().method(), url: new URL(route.request().url()), data: route.request().postData() };
      asked.push(`${method} ${url.searchParams.get("project_id") ?? ""}${data ?? ""}`);
      if (method === "POST") return route.fulfill({ json: { stored: 1, still_refused: 0, next_cursor: null } });
      return route.fulfill({ json: { quarantine: [HELD], next_cursor: null, events: 1, bytes: 2048, max_events: 10000, max_bytes: 1 << 26 } });
    });
    await visit("/ui/overflow");
    assert.deepEqual(asked, ["GET "]);
    await page.getByLabel("Project", { exact: true }).selectOption(slug);
    await page.getByRole("button", { name: "Retry all of this project" }).click();
    await page.getByText("1 event stored, 0 still refused.").waitFor();
    await settled();
    assert.deepEqual(asked.slice(1), [`GET ${slug}`, 'POST {"project_id":1}', `GET ${slug}`]);
    await page.unroute(held);
    await visit(`/ui/overflow?project=${slug}`);
    await region("Quarantine").getByText("Nothing of this project is in quarantine.").waitFor();
  });

  test("a later page of the quarantine that holds nothing any more leads to the first", async () => {
    /** @type {string[]} */
    const asked = [];
    const held = (/** @type {URL} */ url) => url.pathname.startsWith("/admin/quarantine");
    await page.route(held, (route) => {
      const cursor = new URL(route.request().url()).searchParams.get("cursor") ?? "";
      asked.push(cursor);
      return route.fulfill({ json: { quarantine: cursor === "" ? [HELD] : [], next_cursor: cursor === "" ? "later" : null, events: 1, bytes: 2048, max_events: 10000, max_bytes: 1 << 26 } });
    });
    await visit("/ui/overflow");
    await region("Quarantine").getByRole("button", { name: "Older" }).click();
    await settled();
    await region("Quarantine").getByText("held back").first().waitFor();
    assert.deepEqual(asked, ["", "later", ""]);
    await page.unroute(held);
  });

  test("a service that is not ready shows its spool and what is wrong", async () => {
    const asked = (/** @type {URL} */ url) => url.pathname === "/readyz";
    const spool = {
      state: "open", blocks: 3, events: 420, bytes: 1 << 20, max_bytes: 1 << 28, held_groups: 1, lost_groups: 0, oldest_age_seconds: 95,
      drained_events: 1200, stored_before_events: 0, drained_per_second: 310, dropped_events: { project_deleted: 2, key_revoked: 0, damaged: 0 },
    };
    const checks = { hmac_secret: { ok: true, detail: null }, database: { ok: false, detail: "The database does not answer." } };
    const quarantine = { events: 4, bytes: 900, max_events: 10_000, max_bytes: 1 << 26 };
    await page.route(asked, (route) => route.fulfill({ status: 503, json: { ready: false, checks, spool, quarantine } }));
    await visit("/ui/overflow");
    for (const text of ["Waiting for the database: 420 events, the oldest for 2 min.", "1.0 MiB", "310", "Dropped: project deleted"]) {
      await region("Spool").getByText(text).first().waitFor();
    }
    await visit("/ui/system");
    await region("Health").getByText("Not ready: database.").waitFor();
    const facts = await region("Health").locator(".facts > div").allTextContents();
    assert.equal(facts[0], "DatabaseThe database does not answer.", "what is wrong comes first");
    assert.equal(facts.at(-1), "HMAC secretset");
    await visit("/ui/");
    await page.getByText("Not ready: database (The database does not answer).").waitFor();
    assert.equal(await tile("In the spool").textContent(), "420");
    assert.equal(await tile("In quarantine").textContent(), "4");
    await page.unroute(asked);
  });

  test("the page fits and is accessible in every size and theme", async () => {
    await inEachSize(browser, context, async (look, width) => {
      for (const [name, address] of [["dashboard", `/ui/?project=${slug}`], ["overflow", "/ui/overflow"], ["system", "/ui/system"]]) {
        await visit(address ?? "", look);
        if (name === "system") {
          await look.getByLabel("Project").selectOption({ label: slug });
          await look.getByLabel("Age", { exact: true }).selectOption("now");
          await look.getByLabel("Only what matches").fill("order");
          await look.getByLabel("Age", { exact: true }).selectOption("Received before…");
          await look.getByLabel("Received before").fill("never");
          await look.getByRole("button", { name: "Preview" }).click();
          await look.getByText("This is no time in the past.").waitFor();
          await check(look, `${name}-no-time-${width}`, true);
          await look.getByLabel("Received before").fill("0 s ago");
          await look.getByRole("button", { name: "Preview" }).click();
          await look.getByLabel("Type").waitFor();
        }
        await check(look, `${name}-${width}`, true);
      }
    });
  });

  test("purging counts first, asks for the name, and is in the audit log", async () => {
    await visit("/ui/system");
    await page.getByRole("button", { name: "Run maintenance now" }).click();
    await page.getByText(/^Done in/).waitFor();
    await page.getByLabel("Project").selectOption({ label: slug });
    await page.getByLabel("Only what matches").fill("level:fatal");
    await page.getByLabel("Age", { exact: true }).selectOption("Any age");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByText(`1 event of ${slug}, any age, matching “level:fatal” will be deleted for good.`).waitFor();
    const sure = page.getByRole("button", { name: "Delete them" });
    await page.getByLabel("Type").fill("another");
    assert.ok(await sure.isDisabled());
    await page.getByLabel("Type").fill(slug);
    await sure.click();
    await page.getByText("1 event deleted.").waitFor();
    await region("Audit log").getByRole("rowheader").first().waitFor();
    assert.match((await region("Audit log").getByRole("columnheader").first().textContent()) ?? "", /^Time, (UTC|[+-]\d\d:\d\d)/);
    await until(async () => (await region("Audit log").getByRole("cell", { name: "Purged events", exact: true }).count()) > 0, "the purge is in the audit log");
    await region("Audit log").getByRole("cell", { name: `project ${slug}: matching “level:fatal”`, exact: true }).waitFor();
    const purge = region("Audit log").getByRole("row").filter({ has: page.getByRole("cell", { name: "Purged events", exact: true }) }).first();
    await purge.getByRole("cell", { name: "Done: 1 event deleted", exact: true }).waitFor();
    await purge.getByRole("button", { name: "Raw" }).click();
    await region("Audit log").getByText('"deleted_events": 1,').waitFor();
    await purge.getByRole("button", { name: "Raw" }).click();
    assert.equal(await region("Audit log").locator("pre").count(), 0);
    await page.getByLabel("Only what matches").fill("level:fatal");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByText("Nothing would be deleted.").waitFor();
  });

  test("a purge sends the age that was chosen, and with a query none is chosen by itself", async () => {
    /** @type {unknown[]} */
    const sent = [];
    const purge = (/** @type {URL} */ url) => url.pathname === "/admin/purge";
    const then = "2026-11-13T15:06:07.890Z";
    await page.route(purge, (route) => {
      const { older_than: asked } = route.request().postDataJSON();
      sent.push(route.request().postDataJSON());
      return route.fulfill({ json: { deleted_events: 101, deleted_blocks: 1, rewritten_blocks: 0, complete: true, ...(asked ? { older_than: then } : {}) } });
    });
    await visit("/ui/system");
    const [age, query, preview] = [page.getByLabel("Age", { exact: true }), page.getByLabel("Only what matches"), page.getByRole("button", { name: "Preview" })];
    const counts = async (/** @type {string} */ text) => {
      await preview.click();
      await page.getByText(text).waitFor();
    };
    await counts("101 events of all projects, past its retention will be deleted for good.");
    await query.fill("x");
    assert.equal(await age.inputValue(), "", "retention is no age of a query");
    assert.ok(!(await age.locator("option").allTextContents()).includes("Past its retention"));
    assert.equal(await page.getByText("deleted for good").count(), 0, "what was counted is taken back");
    await preview.click();
    assert.ok(await age.evaluate((select) => select.matches(":invalid")), "an age has to be chosen");
    assert.equal(sent.length, 1, "nothing is asked for before");
    await age.selectOption("Older than 7 days");
    await counts(`101 events of all projects, received before ${await inZone(then)}, matching “x” will be deleted for good.`);
    await age.selectOption("Any age");
    await counts("101 events of all projects, any age, matching “x” will be deleted for good.");
    const sure = page.getByRole("button", { name: "Delete them" });
    const border = (/** @type {import("playwright-core").Locator} */ button) => button.evaluate((one) => getComputedStyle(one).borderStyle);
    assert.notEqual(await border(sure), await border(preview), "what can't be pressed looks like it");
    await query.fill("");
    assert.equal(await age.inputValue(), "retention", "any age is of a query alone");
    await counts("101 events of all projects, past its retention will be deleted for good.");
    await query.fill("x");
    await age.selectOption("Older than 1 hour");
    await query.fill("");
    await counts(`101 events of all projects, received before ${await inZone(then)} will be deleted for good.`);
    assert.deepEqual(sent, [{ dry_run: true }, { older_than: "-7d", q: "x", dry_run: true }, { q: "x", dry_run: true }, { dry_run: true }, { older_than: "-1h", dry_run: true }]);
    await page.unroute(purge);
  });

  test("a purge deletes by the very time its preview counted by, typed in any way", async () => {
    /** @type {any[]} */
    const sent = [];
    /** @type {any[]} */
    const answers = [];
    const purge = (/** @type {URL} */ url) => url.pathname === "/admin/purge";
    await page.route(purge, async (route) => {
      sent.push(route.request().postDataJSON());
      const reply = await route.fetch();
      answers.push(await reply.json());
      // Only numbers are made up: whether anything is that old is no matter here.
      return route.fulfill({ response: reply, json: { ...answers.at(-1), deleted_events: 3 } });
    });
    await visit("/ui/system");
    const [age, time, preview] = [page.getByLabel("Age", { exact: true }), page.getByLabel("Received before"), page.getByRole("button", { name: "Preview" })];
    assert.ok(await time.isHidden(), "a time is typed only where one is asked for");
    await age.selectOption("Received before…");
    for (const wrong of ["", "whenever", "2999-01-01", "in 3 hours"]) {
      await time.fill(wrong);
      await preview.click();
      await page.getByText("This is no time in the past.").waitFor();
      assert.ok(await time.evaluate((input) => input === document.activeElement && input.ariaInvalid === "true" && (input.getAttribute("aria-describedby") ?? "").includes("error")));
    }
    assert.deepEqual(sent, [], "what is no time is not sent");
    for (const [typed, asked] of [["2 weeks ago", "-2w"], ["Nov 20, 2025 4:06 pm utc", "2025-11-20T16:06:00.000Z"], ["2025-10-20T16:06:07.5+05:30", "2025-10-20T10:36:07.500Z"]]) {
      await time.fill(typed ?? "");
      assert.equal(await page.getByText("This is no time").count(), 0, "what was said of another time is gone");
      await preview.click();
      await page.getByText("will be deleted for good").waitFor();
      assert.deepEqual(sent.at(-1), { older_than: asked, dry_run: true });
      const then = answers.at(-1).older_than;
      assert.match(then, /^\d{4}-\d\d-\d\dT/);
      await page.getByText(`3 events of all projects, received before ${await inZone(then)} will be deleted for good.`).waitFor();
      await page.getByLabel("Type").fill("all projects");
      await page.getByRole("button", { name: "Delete them" }).click();
      await page.getByText("3 events deleted.").waitFor();
      assert.deepEqual(sent.at(-1), { older_than: then }, "what was counted is what is deleted");
      await settled();
    }
    await age.selectOption("Everything until now");
    await preview.click();
    await page.getByText("will be deleted for good").waitFor();
    assert.deepEqual(sent.at(-1), { older_than: "now", dry_run: true });
    await page.getByText(`received before ${await inZone(answers.at(-1).older_than)} will be deleted for good.`).waitFor();
    await page.unroute(purge);
  });

  test("a purge says which blocks are too damaged to be looked through: before it, after it, and where nothing would go", async () => {
    const purge = (/** @type {URL} */ url) => url.pathname === "/admin/purge";
    /** What the answer to a preview and to a purge have. */
    let [preview, purged] = [{ deleted_events: 3, unreadable_blocks: 2 }, { deleted_events: 3, unreadable_blocks: 1 }];
    await page.route(purge, async (route) => {
      const reply = await route.fetch();
      const { unreadable_blocks: own, ...answer } = await reply.json();
      assert.equal(own, undefined, "no block here is damaged");
      await route.fulfill({ response: reply, json: { ...answer, ...(route.request().postDataJSON().dry_run ? preview : purged) } });
    });
    await visit("/ui/system");
    // The audit log tells of earlier ones.
    const form = region("Purge");
    const count = () => form.getByRole("button", { name: "Preview" }).click();
    await form.getByLabel("Age", { exact: true }).selectOption("Older than 7 days");
    await count();
    await form.getByText(/^3 events of all projects, .* will be deleted for good\. 2 damaged blocks can't be read and will stay\.$/).waitFor();
    await form.getByLabel("Type").fill("all projects");
    await form.getByRole("button", { name: "Delete them" }).click();
    await form.getByText("3 events deleted. 1 damaged block can't be read and will stay.", { exact: true }).waitFor();
    preview = { deleted_events: 0, unreadable_blocks: 2 };
    await count();
    await form.getByText("Nothing would be deleted. 2 damaged blocks can't be read and will stay.", { exact: true }).waitFor();
    preview = { deleted_events: 0, unreadable_blocks: 0 };
    await count();
    await form.getByText("Nothing would be deleted.", { exact: true }).waitFor();
    await page.unroute(purge);
  });

  test("the time of a purge is read and said in the zone of who asks", async () => {
    const own = await browser.newContext({ locale: "en-GB", timezoneId: "Asia/Tokyo", storageState: await context.storageState() });
    const look = await own.newPage();
    await visit("/ui/system", look);
    await look.getByLabel("Age", { exact: true }).selectOption("Received before…");
    await look.getByText("without a zone, of Asia/Tokyo.").waitFor();
    await look.getByLabel("Received before").fill("2025-11-20 16:06");
    const asked = look.waitForRequest((request) => new URL(request.url()).pathname === "/admin/purge");
    await look.route((url) => url.pathname === "/admin/purge", (route) => {
      const { older_than: then } = route.request().postDataJSON();
      return route.fulfill({ json: { deleted_events: 3, deleted_blocks: 1, rewritten_blocks: 0, complete: true, older_than: then } });
    });
    await look.getByRole("button", { name: "Preview" }).click();
    assert.deepEqual((await asked).postDataJSON(), { older_than: "2025-11-20T07:06:00.000Z", dry_run: true });
    await look.getByText("received before 2025-11-20 16:06:00.000 +09:00 will be deleted for good.").waitFor();
    await own.close();
  });

  test("a preview that comes after the form was changed asks for nothing", async () => {
    const purge = (/** @type {URL} */ url) => url.pathname === "/admin/purge";
    /** @type {() => void} */
    let release = () => {};
    const released = new Promise((resolve) => (release = () => resolve(null)));
    await page.route(purge, (route) => released.then(() => route.fulfill({ json: { deleted_events: 101, deleted_blocks: 1, rewritten_blocks: 0, complete: true } })));
    await visit("/ui/system");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByText("Counting…").waitFor();
    await page.getByLabel("Only what matches").fill("x");
    release();
    await until(() => page.getByRole("button", { name: "Preview" }).isEnabled(), "the answer is there");
    assert.equal(await page.getByText("will be deleted for good").count(), 0);
    await page.unroute(purge);
  });

  test("the health is asked for anew when a section finds the database away, and when it is back", async () => {
    const audit = (/** @type {URL} */ url) => url.pathname === "/admin/audit";
    const ready = (/** @type {URL} */ url) => url.pathname === "/readyz";
    let isAway = false;
    await page.route(ready, (route) => isAway
      ? route.fulfill({ status: 503, json: { ready: false, checks: { database: { ok: false, detail: "The database does not answer." } } } })
      : route.continue());
    await page.route(audit, (route) => isAway
      ? route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify({ code: "storage_unavailable", detail: "The database does not answer." }) })
      : route.continue());
    await visit("/ui/system");
    await region("Health").getByText("Ready: every check is well.").waitFor();
    await region("Audit log").getByRole("rowheader").first().waitFor();
    isAway = true;
    // Sections that ask again, of which health is none.
    await region("Maintenance").getByRole("button", { name: "Run maintenance now" }).click();
    await region("Health").getByText("Not ready: database.").waitFor();
    isAway = false;
    await region("Audit log").getByRole("button", { name: "Try now" }).click();
    await region("Health").getByText("Ready: every check is well.").waitFor();
    await page.unroute(audit);
    await page.unroute(ready);
  });

  test("broke no policy and logged no error in all of this", () => {
    assert.deepEqual(faults, []);
  });
});
