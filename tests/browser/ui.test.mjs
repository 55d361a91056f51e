// Drives the page of the running service in Chromium.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { startBrowser, until, watchedPage } from "./browser.mjs";
import { inEachSize, inspect, SCREENSHOTS } from "./inspect.mjs";
import { FULL, HOSTILE, hostileEvents, ordinary, postBatch } from "./seed.mjs";
import { startServer } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const FIRST_LOAD = { requests: 16, bytes: 40 * 1024 };
/** Sessions that end, events and projects that are not there, a name that is taken, and ranges longer than the ledger gives. */
const EXPECTED = [/^answer: 404 GET \/ui\/nothing-here$/, /^answer: 401 (GET|POST) /, /^answer: 404 GET \/logs[/?]/, /^answer: 409 POST \/admin\/projects$/, /^answer: 400 GET \/stats\/ledger\?from=20(19|2\d)-/];
const stamp = Date.now().toString(36);
const slug = `shop-${stamp}`;
const SEARCHES = (/** @type {URL} */ url) => url.pathname === "/logs";
const BIG = "12345678901234567890";

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
/** The command the page offers for the new project. */
let command = "";
/** @type {import("./seed.mjs").Key} */
let key;

const rows = () => page.getByRole("row").filter({ has: page.getByRole("cell") });
/** All rows of the list, in the document or not. */
const total = async () => Number(await page.getByRole("table").getAttribute("aria-rowcount", { timeout: 10_000 })) - 1;
const drawer = () => page.getByRole("complementary", { name: "Event" });
const query = () => page.getByRole("combobox", { name: "Search" });
const param = (/** @type {string} */ name) => new URL(page.url()).searchParams.get(name);

/** Opens an address of the UI and waits until its search is done. @param {string} address */
async function visit(address) {
  await page.goto(server.base + address);
  await settled();
}

async function settled() {
  await until(async () => (await page.locator("main > *").count()) > 0 && (await page.locator("[aria-busy=true]").count()) === 0, "nothing is loading");
}

/** Scrolls through the list and gives the addresses of its rows. */
async function allRows() {
  /** @type {Set<string>} */
  const seen = new Set();
  const height = await page.locator(".list").evaluate((list) => list.scrollHeight);
  for (let top = 0; top <= height; top += 240) {
    const [links, nodes] = await page.locator(".list").evaluate(async (list, at) => {
      list.scrollTop = at;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      return [[...list.querySelectorAll(".rows a")].map((link) => link.getAttribute("href") ?? ""), list.querySelectorAll(".table *").length];
    }, top);
    for (const link of links) seen.add(link);
    assert.ok(nodes <= 500, `${nodes} nodes`);
  }
  return seen;
}

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  server = await startServer();
  browser = await startBrowser();
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.base });
  ({ page, faults } = await watchedPage(context, server.base, [], EXPECTED));
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

describe("the page", { concurrency: false }, () => {
  test("leads someone without a session to signing in, and back", async () => {
    await page.goto(`${server.base}/ui/projects`);
    await page.getByLabel("Admin token").waitFor();
    assert.equal(param("next"), "/ui/projects");
    await page.getByLabel("Admin token").fill("not the token");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("This token is not accepted.").waitFor();
    await page.getByLabel("Admin token").fill(server.token);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/ui/projects");
    const kept = await page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length);
    assert.equal(kept, 0, "the token is out of reach of scripts");
  });

  test("creates a project and shows its secrets once, with a command that works", async () => {
    await page.getByLabel("Name").fill(`Shop ${stamp}`);
    assert.equal(await page.getByLabel("Slug").inputValue(), slug);
    await page.getByRole("button", { name: "Create project" }).click();
    await page.getByRole("heading", { name: `Shop ${stamp} is ready` }).waitFor();
    key = {
      api_key: (await page.locator("#api-key").textContent()) ?? "",
      signing_secret: (await page.locator("#signing-secret").textContent()) ?? "",
    };
    await page.getByRole("button", { name: "Copy secret" }).click();
    await until(async () => (await page.evaluate(() => navigator.clipboard.readText())) === key.signing_secret, "the secret is copied");
    command = (await page.getByLabel("curl + openssl snippet").textContent()) ?? "";
    const { stdout } = await promisify(execFile)("sh", ["-c", command]);
    assert.equal(JSON.parse(stdout).accepted, 1, stdout);
    await page.getByRole("cell", { name: slug, exact: true }).waitFor();

    await page.getByLabel("Name").fill("Another");
    await page.getByLabel("Slug").fill(slug);
    await page.getByRole("button", { name: "Create project" }).click();
    await page.getByText("Another project has this slug.").waitFor();
    await page.reload();
    await page.getByRole("cell", { name: slug, exact: true }).waitFor();
    assert.equal(await page.locator("#signing-secret").count(), 0);
  });

  test("finds signed events, and pages through all of them", async () => {
    await postBatch(server.base, key, JSON.stringify(ordinary(230)));
    await postBatch(server.base, key, JSON.stringify([FULL]));
    await postBatch(server.base, key, `[{"level":"warn","message":"long number","ctx":{"big":${BIG}}}]`);
    await visit(`/ui/logs?project=${slug}`);
    assert.equal(await total(), 100);
    await page.getByRole("button", { name: "Load older events" }).click();
    await until(async () => (await total()) === 200, "the second page is there");
    await page.getByRole("button", { name: "Load older events" }).click();
    await until(async () => (await total()) === 233, "the last page is there");
    await page.getByText("No older event in this range matches.").waitFor();
    assert.equal((await allRows()).size, 233, "no event is shown twice, and none is left out");
  });

  test("keeps every filter in the address, both ways", async () => {
    await visit("/ui/logs");
    await page.getByLabel("Project").selectOption(slug);
    await until(async () => param("project") === slug, "the project is in the address");
    await page.getByLabel("Time range").selectOption("24h");
    await page.getByLabel("fatal").check();
    await page.getByLabel("error").check();
    await query().fill("checkout failed");
    await query().press("Enter");
    await settled();
    await until(async () => (await rows().count()) === 1, "one event matches");
    assert.equal(param("level"), "error,fatal");
    assert.equal(param("range"), "24h");
    assert.equal(param("q"), "checkout failed");
    const address = page.url();
    await page.reload();
    await settled();
    assert.equal(page.url(), address);
    assert.equal(await query().inputValue(), "checkout failed");
    assert.equal(await page.getByLabel("Project").inputValue(), slug);
    assert.equal(await page.getByLabel("Time range").inputValue(), "24h");
    assert.ok(await page.getByLabel("fatal").isChecked());
    assert.equal(await rows().count(), 1);
    await page.goBack();
    await until(async () => (await query().inputValue()) === "" && (await rows().count()) > 1, "going back takes the query back");
    await page.goForward();
    await until(async () => (await rows().count()) === 1, "going forward brings it again");
  });

  test("opens the detail beside the list and closes it by going back", async () => {
    await visit(`/ui/logs?project=${slug}&level=fatal`);
    await rows().first().click();
    await drawer().getByText("cust 42").waitFor();
    const id = param("sel");
    assert.ok(id);
    for (const text of ["needs review", "gateway did not answer in 5000 ms", "TK-9", "Gateway.charge"]) {
      assert.ok((await drawer().textContent())?.includes(text), text);
    }
    await drawer().getByRole("button", { name: "Copy JSON" }).click();
    await drawer().getByRole("button", { name: "Copied" }).waitFor();
    const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
    assert.equal(copied.id, id);
    assert.deepEqual(copied.ctx, FULL.ctx);
    await page.goBack();
    await drawer().waitFor({ state: "hidden" });
    assert.equal(param("sel"), null);
    await page.goto(`${server.base}/ui/logs/${id}`);
    await page.getByRole("heading", { name: "Event", level: 1 }).waitFor();
    await page.getByText("Gateway.charge").waitFor();
    await page.getByRole("link", { name: "Logs around this time" }).click();
    await drawer().getByText("cust 42").waitFor();
    assert.equal(param("sel"), id);
  });

  test("narrows by a value and by its opposite", async () => {
    await visit(`/ui/logs?project=${slug}&level=fatal`);
    await rows().first().click();
    await drawer().getByRole("button", { name: 'Only user_id:"cust 42"' }).click();
    await until(async () => param("q") === 'user_id:"cust 42"', "the term is in the query");
    await settled();
    assert.equal(await rows().count(), 1);
    await drawer().getByRole("button", { name: "Only ctx.order.id:8121" }).click();
    await until(async () => param("q") === 'user_id:"cust 42" ctx.order.id:8121', "a term of the context is added");
    await settled();
    assert.equal(await rows().count(), 1);
    await drawer().getByRole("button", { name: 'Without user_id:"cust 42"' }).click();
    await until(async () => param("q")?.includes('-user_id:"cust 42"'), "the term is turned around");
    await page.getByText("No event matches").waitFor();
  });

  test("shows long numbers with all their digits", async () => {
    await visit(`/ui/logs?project=${slug}&q=${encodeURIComponent('"long number"')}`);
    await rows().first().click();
    await drawer().getByText(BIG).waitFor();
  });

  test("can be used by the keyboard alone", async () => {
    await visit(`/ui/logs?project=${slug}`);
    await page.keyboard.press("/");
    await page.keyboard.type("checkout j k ?");
    assert.equal(await query().inputValue(), "checkout j k ?", "keys are text while typing");
    await query().fill("slow query");
    await page.keyboard.press("Enter");
    await until(async () => param("q") === "slow query", "Enter searches");
    await settled();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    assert.equal(await page.evaluate(() => document.activeElement?.closest(".row") === document.querySelector(".rows .row")), true);
    await page.keyboard.press("Enter");
    await drawer().getByText("slow query").first().waitFor();
    const first = param("sel");
    await page.keyboard.press("j");
    await until(async () => param("sel") !== first && param("sel") !== null, "j moves the detail along");
    await page.keyboard.press("Escape");
    await drawer().waitFor({ state: "hidden" });
    assert.equal(param("sel"), null);
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  });

  test("covers the list with the detail on a phone, and gives the focus back", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await visit(`/ui/logs?project=${slug}`);
    const link = rows().nth(2).getByRole("link");
    await link.click();
    await drawer().getByRole("button", { name: "Copy JSON" }).waitFor();
    assert.equal(await page.locator(".list").evaluate((list) => Reflect.get(list, "inert")), true);
    await drawer().getByRole("button", { name: "Close" }).click();
    await drawer().waitFor({ state: "hidden" });
    assert.ok(await page.evaluate(() => document.activeElement === document.querySelectorAll(".rows .row a")[2]));
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test("takes hostile text in every field for text", async () => {
    await postBatch(server.base, key, JSON.stringify(hostileEvents()));
    await visit(`/ui/logs?project=${slug}&q=hostile`);
    assert.equal(await rows().count(), HOSTILE.length);
    for (let index = 0; index < HOSTILE.length; index += 1) {
      await rows().nth(index).getByRole("link").click();
      await drawer().getByText("hostile").first().waitFor();
      await drawer().getByRole("button", { name: "JSON", exact: true }).click();
      await page.goBack();
      await drawer().waitFor({ state: "hidden" });
    }
    for (const text of HOSTILE) {
      await visit(`/ui/logs?q=${encodeURIComponent(text)}&project=${encodeURIComponent(text)}&sel=${encodeURIComponent(text)}`);
      await page.goto(`${server.base}/ui/logs/${encodeURIComponent(text)}`);
      await until(async () => (await page.getByRole("heading", { level: 1 }).count()) === 1, "the page is there");
    }
    assert.equal(await page.evaluate(() => Reflect.get(window, "ran")), undefined);
    assert.equal(await page.locator("main img, main iframe, main script").count(), 0);
  });

  test("tells its empty states apart", async () => {
    await visit(`/ui/logs?project=${slug}&q=nosuchwordanywhere`);
    await page.getByRole("heading", { name: "No event matches" }).waitFor();
    await page.getByRole("link", { name: "Clear query", exact: true }).click();
    await until(async () => (await total()) === 100, "the events are back");
    await visit(`/ui/logs?project=${slug}&from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z`);
    await page.getByRole("heading", { name: "Nothing in this time range" }).waitFor();
    await page.getByRole("link", { name: "Jump to the latest" }).click();
    await until(async () => (await rows().count()) > 0, "the latest event is shown");
    const empty = `empty-${stamp}`;
    const made = await page.evaluate(async (name) => {
      const body = JSON.stringify({ name, slug: name, retention_days: 1 });
      return (await fetch("/admin/projects", { method: "POST", headers: { "Content-Type": "application/json" }, body })).status;
    }, empty);
    assert.equal(made, 201);
    await visit(`/ui/logs?project=${empty}`);
    await page.getByRole("heading", { name: "No event has arrived yet" }).waitFor();
    await page.goto(`${server.base}/ui/logs/00000000000000000000000000-0`);
    await page.getByRole("heading", { name: "This event is not here" }).waitFor();
    await page.goto(`${server.base}/ui/nothing-here`);
    await page.getByRole("heading", { name: "No such page" }).waitFor();
  });

  test("waits for a service that wakes up, and says what failed", async () => {
    let tries = 0;
    await page.route(SEARCHES, async (route) => {
      tries += 1;
      if (tries === 1) return route.fulfill({ status: 503, contentType: "text/html", body: "<p>starting</p>" });
      return route.fallback();
    });
    await page.goto(`${server.base}/ui/logs?project=${slug}`);
    await page.getByRole("heading", { name: "The service is waking up" }).waitFor();
    await until(async () => (await total()) === 100, "it tried again by itself");
    await page.unroute(SEARCHES);

    const problem = JSON.stringify({ code: "internal", detail: "A fault of ours.", status: 500 });
    await page.route(SEARCHES, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: problem }));
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByText("A fault of ours.").waitFor();
    await page.unroute(SEARCHES);
    await page.getByRole("button", { name: "Try again" }).click();
    await until(async () => (await total()) === 100, "trying again works");
  });

  test("says when a search stopped early", async () => {
    await page.route(SEARCHES, async (route) => {
      const reply = await route.fetch();
      const body = await reply.json();
      body.scanned = { blocks: 9, events: 1200, bytes: 1, ms: 900, complete: false };
      body.warnings = ["`((` does not parse and was searched as text."];
      await route.fulfill({ response: reply, json: body });
    });
    await visit(`/ui/logs?project=${slug}&q=query`);
    await page.getByText("was searched as text").waitFor();
    await page.getByText("The search stopped after 1,200 events").waitFor();
    await page.unroute(SEARCHES);
  });

  test("keeps its budget for a first load", async () => {
    const fresh = await browser.newContext({ storageState: await context.storageState() });
    const first = await fresh.newPage();
    /** @type {Promise<{ url: string, bytes: number }>[]} */
    const loads = [];
    first.on("requestfinished", (request) => {
      if (request.url().startsWith("data:")) return;
      loads.push(request.sizes().then(({ responseBodySize }) => ({ url: request.url(), bytes: responseBodySize })));
    });
    await first.goto(`${server.base}/ui/logs?project=${slug}`, { waitUntil: "networkidle" });
    const done = await Promise.all(loads);
    const ours = done.filter(({ url }) => /\/(assets|ui)\//.test(url)).reduce((sum, { bytes }) => sum + bytes, 0);
    assert.ok(done.length <= FIRST_LOAD.requests, `${done.length} requests:\n${done.map(({ url }) => url).join("\n")}`);
    assert.ok(ours <= FIRST_LOAD.bytes, `${ours} bytes`);
    console.log(`first load: ${done.length} requests, ${ours} bytes`);
    await fresh.close();
  });

  test("is accessible and fits in every size and theme", async () => {
    await inEachSize(browser, context, (look, width) => inspect(look, server.base, slug, width), EXPECTED);
  });

  test("signs out", async () => {
    await visit("/ui/logs");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Admin token").waitFor();
    await page.goto(`${server.base}/ui/logs`);
    await page.getByLabel("Admin token").waitFor();
    assert.equal(param("next"), "/ui/logs");
  });

  test("broke no policy and logged no error in all of this", () => {
    assert.deepEqual(faults, []);
  });
});
