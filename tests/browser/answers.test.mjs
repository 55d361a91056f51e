// What the log list asks the service for, and what it says of answers that are less than one asked for: from the spool
// alone while the database is away, or refused for now.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { openScene } from "./scene.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";

/** @typedef {import("playwright-core").Route} Route */

const SLUG = "shop";
const EVENTS = 130;
/** Events that an answer of the spool has. */
const SPOOLED = 3;
const NOTICE = "The database is away. Only events that wait in the spool are shown.";

/** @type {import("./scene.mjs").Scene} */
let scene;

const isSearch = (/** @type {URL} */ url) => url.pathname === "/logs";
const status = async () => (await scene.page.locator(".logs-line .status").textContent()) ?? "";
const notices = () => scene.page.locator(".notices .notice").allTextContents();
const more = () => scene.page.locator(".more");
const button = (/** @type {string} */ name) => scene.page.getByRole("button", { name, exact: true });

/** The service's own answer, as it is while the database is away. @param {Route} route @param {number} events in the spool */
async function fromSpool(route, events) {
  const reply = await route.fetch();
  const body = await reply.json();
  const json = {
    ...body, logs: body.logs.slice(0, events), next_cursor: null, warnings: ["database_away"], total: events,
    scanned: { blocks: 1, events, bytes: 900, ms: 2, complete: false },
  };
  if (events === 0) json.histogram = { ...body.histogram, total: 0, buckets: body.histogram.buckets.map((/** @type {object} */ one) => ({ ...one, counts: {} })) };
  await route.fulfill({ response: reply, json });
}

/** Does something, and gives the parameters of the one search it leads to. @param {() => Promise<unknown>} work */
async function searched(work) {
  const asked = scene.page.waitForRequest((request) => isSearch(new URL(request.url())));
  await work();
  const { searchParams } = new URL((await asked).url());
  await scene.settled();
  return searchParams;
}

before(async () => {
  scene = await openScene();
  const { key } = await scene.project(SLUG, "Shop");
  await postBatch(scene.server.base, key, JSON.stringify([...ordinary(EVENTS - 1), FULL]));
  await until(async () => (await scene.admin("GET", "/stats")).total === EVENTS, "the events are counted");
});

after(() => scene?.close());

describe("while the database is away", { concurrency: false }, () => {
  test("the list shows what waits in the spool, says that this is not all, and asks again for the rest", async () => {
    await scene.page.route(isSearch, (route) => fromSpool(route, SPOOLED));
    await scene.visit(`/ui/logs?project=${SLUG}`);
    assert.deepEqual(await notices(), [NOTICE], "one reason, said once");
    assert.equal(await scene.total(), SPOOLED);
    assert.match(await status(), /^3 shown so far, newest first\. Read 3 events in 1 block, 2 ms\.$/);
    assert.match((await scene.page.locator("figcaption").textContent()) ?? "", /^At least /, "the bars count too few");
    assert.equal(await scene.page.getByRole("button", { name: "Load older events" }).count(), 0);
    assert.match((await more().textContent()) ?? "", /^Not all of this range was read\./);
    await scene.page.unrouteAll({ behavior: "wait" });
    await more().getByRole("button", { name: "Search again" }).click();
    await until(async () => (await scene.total()) === 100, "with the database back, all of it is listed");
    assert.deepEqual(await notices(), []);
  });

  test("a list without rows does not say that nothing matches", async () => {
    await scene.page.route(isSearch, (route) => fromSpool(route, 0));
    await scene.visit(`/ui/logs?project=${SLUG}&q=query`);
    await scene.page.getByRole("heading", { name: "Nothing found so far" }).waitFor();
    await scene.page.getByText("There may be matches all the same.").waitFor();
    assert.deepEqual(await notices(), [NOTICE]);
    assert.equal(await status(), "0 events.");
    assert.equal(await scene.page.locator(".histogram").isVisible(), false);
    await scene.page.unrouteAll({ behavior: "wait" });
    await button("Search again").click();
    await scene.rows().first().waitFor();
    assert.deepEqual(await notices(), []);
  });
});

describe("a search that is refused for now", { concurrency: false }, () => {
  const refusal = { status: 429, headers: { "Retry-After": "7" }, contentType: "application/problem+json", body: JSON.stringify({ code: "rate_limited_client", detail: "Too many requests.", status: 429 }) };

  test("says why and for how long, and is tried again on a click", async () => {
    await scene.page.route(isSearch, (route) => route.fulfill(refusal));
    await scene.visit(`/ui/logs?project=${SLUG}&q=query`);
    const alert = scene.page.getByRole("alert").filter({ hasText: "Too many requests. Try again in 7 s." });
    await alert.waitFor();
    assert.equal(await status(), "The search failed.");
    assert.equal(await scene.rows().count(), 0);
    await scene.page.unrouteAll({ behavior: "wait" });
    await alert.getByRole("button", { name: "Try again" }).click();
    await scene.rows().first().waitFor();
    await alert.waitFor({ state: "hidden" });
    assert.equal(scene.param("q"), "query");
  });

  test("for the next rows keeps those that are there, and goes on from them", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await scene.page.route(isSearch, (route) => route.fulfill(refusal));
    await button("Load older events").click();
    await more().getByText("Too many requests. Try again in 7 s.").waitFor();
    assert.equal(await scene.total(), 100);
    await scene.page.unrouteAll({ behavior: "wait" });
    await more().getByRole("button", { name: "Try again" }).click();
    await until(async () => (await scene.total()) === EVENTS, "all of them are listed");
  });
});

describe("what is counted beside the list", { concurrency: false }, () => {
  test("has the paths that have a column, and is asked for anew with one more", async () => {
    const asked = await searched(() => scene.visit(`/ui/logs?project=${SLUG}&cols=ctx.order.id&side=fields`));
    assert.ok(asked.get("fields")?.split(",").includes("ctx.order.id"), `${asked}`);
    assert.deepEqual([asked.get("include"), asked.get("top")], ["histogram,facets", "10"]);
    const counts = scene.page.getByRole("region", { name: "Counts" });
    await counts.getByText("ctx.order.id").first().waitFor();
    await counts.getByRole("button", { name: `Only ctx.order.id:${FULL.ctx.order.id}` }).waitFor();
    const again = await searched(() => scene.travel(`/ui/logs?project=${SLUG}&cols=ctx.order.id%2Cctx.gateway&side=fields`));
    assert.ok(["ctx.order.id", "ctx.gateway"].every((name) => again.get("fields")?.split(",").includes(name)), `${again}`);
    await counts.getByRole("button", { name: `Only ctx.gateway:${FULL.ctx.gateway}` }).waitFor();
  });

  test("is a hundred patterns", async () => {
    const asked = await searched(() => scene.visit(`/ui/logs?project=${SLUG}&side=patterns`));
    assert.deepEqual([asked.get("include"), asked.get("top")], ["histogram,patterns", "100"]);
  });
});

test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
