// The states of the pages that no other test comes by, one after the other, for axe-core and for people to look at: with
// nothing in the service, without an answer of it, with menus and forms open, at 200 %, and in a theme of forced colours.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { until, watchedPage } from "./browser.mjs";
import { arrive, check, checkStates, inEachSize, SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {[string, string, (look: Page) => Promise<unknown>, boolean?]} View name, address, what to wait for or to do, whole */

const SLUG = "shop";
const EVENTS = 130;
const LONG = "a-project-with-the-longest-name-one-may-give-it-0123456789-abcde";
const PAGES = ["/ui/", "/ui/logs", "/ui/issues", "/ui/projects", "/ui/overflow", "/ui/alerts", "/ui/system"];

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {import("./seed.mjs").Key} */
let key;
let receiverAddress = "";
/** Answers whatever alerts send. */
const receiver = createServer((request, reply) => {
  request.resume();
  request.on("end", () => reply.writeHead(request.url === "/well" ? 200 : 404, { "Content-Type": "text/plain" }).end(request.url === "/well" ? "ok" : "{\"message\": \"Unknown Webhook\", \"code\": 10015}"));
});

/** @param {string} address */
const nameOf = (address) => address.replace(/^\/ui\/?/, "") || "now";
const heading = (/** @type {Page} */ look, /** @type {string} */ name) => look.getByRole("heading", { name, exact: true }).waitFor();

/** @param {View[]} views */
const shoot = (views) => inEachSize(scene.browser, scene.context, async (look, width) => {
  for (const [name, address, ready, whole] of views) {
    await arrive(look, scene.server.base + address);
    await scene.settled(look);
    await ready(look);
    await check(look, `${name}-${width}`, whole);
  }
}, [/^answer: 404 GET \/logs\/0{26}-0$/]);

/** Answers for the service. @param {Page} look @param {string} path @param {unknown} json */
const answered = (look, path, json) => look.route((url) => url.pathname === path, (route) => (route.request().method() === "GET" ? route.fulfill({ json }) : route.fallback()));

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", () => resolve(null)));
  const address = /** @type {import("node:net").AddressInfo} */ (receiver.address());
  receiverAddress = `http://127.0.0.1:${address.port}`;
  scene = await openScene({ OUTBOUND_ALLOW_PRIVATE: "true" });
});

after(async () => {
  await scene?.close();
  receiver.close();
});

describe("every state fits and is accessible", { concurrency: false }, () => {
  test("a service in which nothing is yet", async () => {
    await shoot([
      ...PAGES.map((address) => /** @type {View} */ ([`empty-${nameOf(address)}`, address, async () => {}, true])),
      ["no-such-page", "/ui/nothing-here", (look) => heading(look, "No such page")],
    ]);
    // Where there is one project, it is the one to set up.
    const [only] = (await scene.admin("GET", "/admin/projects")).projects;
    await scene.visit("/ui/logs");
    assert.equal(await scene.page.getByRole("link", { name: "Set up" }).getAttribute("href"), `/ui/projects/${only.slug}/setup`);
    await scene.project(SLUG, "Shop");
    await shoot([["no-event", `/ui/logs?project=${SLUG}`, (look) => look.getByRole("link", { name: "Set up" }).waitFor()]]);
  });

  test("signing in, and being refused", async () => {
    const stranger = await scene.browser.newContext();
    await inEachSize(scene.browser, stranger, async (look, width) => {
      await look.goto(`${scene.server.base}/ui/login`);
      await look.getByLabel("Admin token").waitFor();
      await check(look, `login-${width}`);
      await look.getByLabel("Admin token").fill("not-it");
      await look.keyboard.press("Enter");
      await look.getByText("This token is not accepted.").waitFor();
      assert.equal(await look.getByLabel("Admin token").getAttribute("aria-invalid"), "true");
      await check(look, `login-refused-${width}`);
    }, [/^answer: 401 POST \/session$/]);
    await stranger.close();
  });

  test("lists: what is found, what is not, what is chosen", async () => {
    key = (await scene.admin("POST", `/admin/projects/${SLUG}/keys`, { kind: "server", note: "states" })).key;
    await scene.project(LONG, "A project with the longest name one may give it");
    await postBatch(scene.server.base, key, JSON.stringify([...ordinary(EVENTS - 1), FULL]));
    await until(async () => (await scene.admin("GET", "/issues?status=all")).issues.length >= 2, "the events are counted");
    await assert.rejects(postBatch(scene.server.base, key, JSON.stringify([{ message: "kept" }, { level: "info" }])), /rejected/);
    await until(async () => (await scene.admin("GET", "/stats/ledger")).totals.rejected === 1, "the ledger has it");
    const logs = `/ui/logs?project=${SLUG}`;
    await shoot([
      ["logs-full", "/ui/logs", async () => {}],
      ["logs-end", logs, async (look) => {
        await look.getByRole("button", { name: "Load older events" }).click();
        await look.getByText("No older event in this range matches.").scrollIntoViewIfNeeded();
      }],
      ["logs-export", logs, async (look) => {
        const view = look.getByRole("button", { name: "View" });
        if (await view.isVisible()) await view.click();
        await look.locator("summary", { hasText: "Export" }).click();
      }],
      ["logs-brush", logs, brush],
      ["logs-suggestions", logs, async (look) => {
        await look.getByRole("combobox", { name: "Search" }).pressSequentially("source:w");
        await look.getByRole("option").first().waitFor();
        await look.keyboard.press("ArrowDown");
      }],
      ["logs-out-of-range", `${logs}&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z`, (look) => heading(look, "Nothing in this time range")],
      ["logs-focus", logs, async (look) => {
        await look.locator("main").focus();
        await look.keyboard.press("j");
        await look.keyboard.press("j");
      }],
      ["logs-drawer-gone", `${logs}&sel=00000000000000000000000000-0`, (look) => look.getByText("No event has this id").waitFor()],
      ["logs-fields-drawer", `${logs}&side=fields`, async (look) => {
        // On a phone the counts cover the list.
        if ((look.viewportSize()?.width ?? 0) <= 900) await look.getByRole("button", { name: "Close" }).click();
        await look.locator(".rows a").nth(1).click();
        await look.getByRole("button", { name: "Copy JSON" }).waitFor();
      }],
      ["issues-decided", "/ui/issues", async (look) => {
        await look.getByLabel("Select all shown").check();
        await look.getByRole("button", { name: "Resolve" }).click();
        await look.getByRole("button", { name: "Undo" }).waitFor();
      }],
      ["issues-resolved", "/ui/issues?status=resolved", async (look) => {
        await look.getByLabel("Select all shown").check();
        await look.getByRole("button", { name: "Reopen" }).click();
        await look.getByRole("button", { name: "Undo" }).waitFor();
      }],
      ["issue-delete", "/ui/issues", async (look) => {
        await look.locator(".issue .title").first().click();
        await look.getByText(/^The (newest|only one)\.$/).waitFor();
        await look.getByRole("button", { name: "Delete…" }).click();
      }],
      ["projects-full", "/ui/projects", async () => {}, true],
      ["now-focus", `/ui/?project=${SLUG}`, (look) => look.locator(".tile a").first().focus()],
    ]);
  });

  test("a search that the spool answers, one that stopped early, and a tail that waits", async () => {
    await inEachSize(scene.browser, scene.context, async (look, width) => {
      await look.route((url) => url.pathname === "/logs", async (route) => {
        const reply = await route.fetch();
        const body = await reply.json();
        const scanned = { blocks: 1, events: 3, bytes: 900, ms: 2, complete: false };
        await route.fulfill({ response: reply, json: { ...body, logs: body.logs.slice(0, 3), next_cursor: null, scanned, warnings: ["database_away"] } });
      });
      await scene.visit(`/ui/logs?project=${SLUG}`, look);
      await look.getByText("Only events that wait in the spool are shown.").waitFor();
      await check(look, `logs-from-spool-${width}`);
      await look.unrouteAll({ behavior: "wait" });
      await look.route((url) => url.pathname === "/logs", async (route) => {
        const reply = await route.fetch();
        const body = await reply.json();
        body.scanned = { blocks: 9, events: 1200, bytes: 1, ms: 900, complete: false };
        body.warnings = ["`((` does not parse and was searched as text."];
        await route.fulfill({ response: reply, json: body });
      });
      await scene.visit(`/ui/logs?project=${SLUG}&q=query`, look);
      await look.getByText("was searched as text").waitFor();
      await check(look, `logs-stopped-early-${width}`);
      await look.unrouteAll();
      await scene.visit(`/ui/logs?project=${SLUG}&live=1`, look);
      await look.getByText("Live.").waitFor();
      await look.locator(width > 900 ? ".list" : "main").evaluate((pane) => pane.scrollTo(0, 600));
      await postBatch(scene.server.base, key, JSON.stringify([1, 2, 3].map((n) => ({ level: "info", message: `arrives while reading ${n}` }))));
      const catchUp = look.getByRole("button", { name: "3 new" });
      await catchUp.waitFor();
      const box = await catchUp.boundingBox();
      assert.ok(box && box.y >= 0 && box.y + box.height < 800, `it is in sight: ${JSON.stringify(box)}`);
      await check(look, `live-paused-${width}`);
    });
  });

  test("the service is not well", async () => {
    const now = Date.now();
    const at = (/** @type {number} */ ms) => new Date(now + ms).toISOString();
    const spool = { state: "open", blocks: 3, events: 420, bytes: 1 << 20, max_bytes: 1 << 28, held_groups: 1, lost_groups: 0, oldest_age_seconds: 95,
      drained_events: 1200, stored_before_events: 0, drained_per_second: 310, dropped_events: { project_deleted: 2, key_revoked: 0, damaged: 0 } };
    const unready = { ready: false, checks: { database: { ok: false, detail: "The database does not answer." }, spool: { ok: true, detail: null } }, spool, quarantine: { events: 4, bytes: 900, max_events: 10_000, max_bytes: 1 << 26 } };
    const held = { id: "06gvotvlt5ofh0b26ilsv7bnrs-0", project_id: 1, project: SLUG, bytes: 2048, received_at: at(-60_000), quarantined_at: at(0), expires_at: at(86_400_000),
      reason: { code: "too_large", detail: "It is larger than the database takes.", error_number: 1153, error_message: "Got a packet bigger than 'max_allowed_packet' bytes" }, event: { ...FULL, id: "1" } };
    await inEachSize(scene.browser, scene.context, async (look, width) => {
      await answered(look, "/readyz", unready);
      await answered(look, "/admin/quarantine", { quarantine: [held, { ...held, event: null }], next_cursor: "more", events: 4, bytes: 900, max_events: 10_000, max_bytes: 1 << 26 });
      await scene.visit("/ui/overflow", look);
      await look.getByRole("button", { name: "Discard", exact: true }).first().click();
      await check(look, `overflow-unwell-${width}`, true);
      for (const address of ["/ui/", "/ui/system"]) {
        await scene.visit(address, look);
        await check(look, `${nameOf(address)}-unwell-${width}`, true);
      }
    });
  });

  test("alerts: answers of channels, forms, messages of each state", async () => {
    for (const [name, path] of [["Operations", "/well"], ["Second channel", "/api/webhooks/1/gone"]]) {
      await scene.admin("POST", "/admin/alerts/channels", { kind: "webhook", name, url: receiverAddress + path, project_id: null });
    }
    const message = { id: "1", project_id: 1, rule: "spike", kind: "spike", title: "payment failed: gateway did not answer in 5000 ms", channel: "1", attempts: 3, detail: "It said 503.", created_at: new Date().toISOString(), next_attempt_at: null };
    const history = [{ ...message, state: "waiting", next_attempt_at: new Date(Date.now() + 90_000).toISOString() }, { ...message, state: "delivered", detail: "" }, { ...message, state: "dead" }, { ...message, state: "unsent", channel: null, detail: "" }];
    await inEachSize(scene.browser, scene.context, async (look, width) => {
      await answered(look, "/admin/alerts/history", { history, next_cursor: "more" });
      await scene.visit("/ui/alerts", look);
      await look.getByRole("region", { name: "Rules" }).getByRole("button", { name: "Edit" }).first().click();
      for (const send of await look.getByRole("button", { name: "Send test" }).all()) await send.click();
      await look.getByText("Not delivered, status 404").waitFor();
      await look.getByText("Delivered, status 200").waitFor();
      await look.getByRole("button", { name: "Delete" }).last().click();
      await check(look, `alerts-busy-${width}`, true);
    });
  });

  test("no answer, on every page", async () => {
    const [event] = (await scene.admin("GET", `/logs?project_id=${SLUG}&level=fatal`)).logs;
    await inEachSize(scene.browser, scene.context, async (look, width) => {
      for (const [name, address, path] of [["now", "/ui/", "/stats"], ["logs", "/ui/logs", "/logs"], ["event", `/ui/logs/${event.id}`, `/logs/${event.id}`], ["overflow", "/ui/overflow", "/stats/ledger"],
        ["projects", "/ui/projects", "/admin/projects"], ["alerts", "/ui/alerts", "/admin/alerts/channels"], ["system", "/ui/system", "/admin/audit"]]) {
        await checkStates(look, scene.server.base + address, (url) => url.pathname === path, `${name}-*-${width}`);
      }
      await look.route((url) => url.pathname.endsWith("/rest.js"), (route) => route.abort());
      await look.goto(`${scene.server.base}/ui/system`);
      await heading(look, "This page could not be opened");
      await check(look, `not-opened-${width}`);
    }, [/^console: Failed to load resource: net::ERR_FAILED/]);
  });

  test("a section that fails says so by itself, and can be tried again", async () => {
    /** What each asks for. @type {[string, [string, string][]][]} */
    const pages = [
      ["/ui/", [["Errors", "/stats"], ["Recent errors", "/logs"], ["This service", "/readyz"]]],
      ["/ui/overflow", [["Ledger", "/stats/ledger"], ["Spool", "/readyz"], ["Quarantine", "/admin/quarantine"], ["Limits in force", "/config"]]],
      ["/ui/alerts", [["Rules", "/admin/alerts/rules"], ["Channels", "/admin/alerts/channels"], ["History", "/admin/alerts/history"]]],
      ["/ui/system", [["Health", "/healthz"], ["Storage", "/stats"], ["Maintenance", "/admin/maintenance"], ["Purge", "/admin/projects"], ["Audit log", "/admin/audit"]]],
      [`/ui/projects/${SLUG}`, [["Keys", "/keys"]]],
    ];
    const fault = { status: 500, contentType: "application/problem+json", body: JSON.stringify({ code: "internal", detail: "A fault of ours." }) };
    const { page } = scene;
    for (const [address, sections] of pages) {
      for (const [name, path] of sections) {
        const asked = (/** @type {URL} */ url) => url.pathname.endsWith(path) && !url.pathname.startsWith("/ui");
        await page.route(asked, (route) => route.fulfill(fault));
        await scene.visit(address);
        const own = page.getByRole("region", { name, exact: true });
        await own.getByRole("alert").filter({ hasText: "A fault of ours." }).waitFor();
        assert.equal(await page.getByRole("alert").filter({ hasText: /./ }).count(), 1, `${name} alone fails on ${address}`);
        for (const [other] of sections) if (other !== name) assert.ok((await page.getByRole("region", { name: other, exact: true }).locator(".section-body > *").count()) > 0, `${other} stands while ${name} fails`);
        if (name === sections.at(-1)?.[0]) await page.screenshot({ path: new URL(`${nameOf(address).replace(/[/?].*/, "-one")}-section-failed.png`, SCREENSHOTS).pathname });
        await page.unroute(asked);
        await own.getByRole("button", { name: "Try again", exact: true }).click();
        await own.getByRole("alert").waitFor({ state: "hidden" });
        await scene.settled();
      }
    }
    assert.deepEqual(scene.faults, []);
  });

  test("at 200 %, and in forced colours", async () => {
    const [event] = (await scene.admin("GET", `/logs?project_id=${SLUG}&level=fatal`)).logs;
    const [issue] = (await scene.admin("GET", "/issues?status=all&sort=count")).issues;
    const zoomed = await scene.browser.newContext({ viewport: { width: 720, height: 450 }, deviceScaleFactor: 2, reducedMotion: "reduce", bypassCSP: true, storageState: await scene.context.storageState() });
    const { page: look, faults } = await watchedPage(zoomed, scene.server.base);
    for (const address of [...PAGES, `/ui/logs?project=${SLUG}&sel=${event.id}`, `/ui/issues/${issue.id}`]) {
      await scene.visit(address, look);
      await check(look, `zoom-${nameOf(address).replace(/[/?].*/, "-one")}`);
    }
    await look.emulateMedia({ forcedColors: "active" });
    const outlined = (/** @type {string} */ part) => look.locator(part).first().evaluate((one) => getComputedStyle(one).outlineStyle);
    for (const address of ["/ui/", `/ui/logs?project=${SLUG}&level=warn,fatal&sel=${event.id}`, "/ui/issues", "/ui/alerts"]) {
      await scene.visit(address, look);
      assert.equal(await outlined(".bar-link[aria-current]"), "solid");
      if (address.includes("sel=")) for (const chosen of [".row:has([aria-current])", ".chip:has(:checked)"]) assert.equal(await outlined(chosen), "solid", chosen);
      // Its colours are the system's, which axe doesn't know.
      await look.screenshot({ path: new URL(`forced-${nameOf(address).replace(/[/?].*/, "-one")}.png`, SCREENSHOTS).pathname });
    }
    assert.deepEqual(faults, []);
    await zoomed.close();
  });
});

/** @param {Page} look */
async function brush(look) {
  const box = await look.locator(".chart").boundingBox();
  assert.ok(box);
  await look.mouse.move(box.x + box.width * 0.7, box.y + 20);
  await look.mouse.down();
  await look.mouse.move(box.x + box.width * 0.85, box.y + 20, { steps: 4 });
  // Bars of any height would hide what lies below them.
  assert.equal(await look.locator(".chart svg > :first-child").getAttribute("class"), "mark");
}
