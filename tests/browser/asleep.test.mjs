// A service that sleeps, is restarted or refuses, as the parts see it that ask for no list: the live tail, the second
// script, signing in.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until, watchedPage } from "./browser.mjs";
import { openScene } from "./scene.mjs";
import { ordinary, postBatch } from "./seed.mjs";

const SLUG = "shop";
/** Wrong tokens the service takes in a minute. */
const WRONG_TOKENS = 10;
const EXPECTED = [/^answer: (401|429) POST \/session$/, /^answer: (401|404) GET \/logs\/tail\?/];

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {import("./seed.mjs").Key} */
let key;

const line = () => scene.page.locator(".live > [role=status]");
const isTail = (/** @type {URL} */ url) => url.pathname === "/logs/tail";
const waking = (on = scene.page) => on.getByRole("heading", { name: "The service is waking up" });
const says = (/** @type {string} */ text) => until(async () => (await line().textContent())?.startsWith(text), `the line says ${text}`);
const firstRow = (/** @type {string} */ text) => until(async () => (await scene.rows().first().textContent())?.includes(text), `${text} is on top`);

async function follow(project = SLUG) {
  await scene.visit(`/ui/logs?project=${project}&live=1`);
  await says("Live.");
}

/** A tab of its own with nothing cached. @param {boolean} signedIn */
async function freshTab(signedIn) {
  const context = await scene.browser.newContext({ viewport: { width: 1440, height: 900 }, storageState: signedIn ? await scene.context.storageState() : undefined });
  const { page: tab } = await watchedPage(context, scene.server.base, scene.faults, EXPECTED);
  return { tab, close: () => context.close() };
}

before(async () => {
  scene = await openScene({}, EXPECTED);
  ({ key } = await scene.project(SLUG, "Shop"));
  await postBatch(scene.server.base, key, JSON.stringify(ordinary(20)));
});

after(() => scene?.close());

describe("the live tail", { concurrency: false }, () => {
  test("waits for a service that wakes, and for its database, and says which", async () => {
    const away = { code: "storage_unavailable", detail: "The storage can't answer now; try again.", status: 503 };
    let answer = "waking";
    await scene.page.route(isTail, (route) => {
      if (answer === "waking") return route.fulfill({ status: 502, contentType: "text/html", body: "<p>starting</p>" });
      return answer === "away" ? route.fulfill({ status: 503, contentType: "application/problem+json", json: away }) : route.fallback();
    });
    await scene.page.goto(`${scene.server.base}/ui/logs?project=${SLUG}&live=1`);
    await waking().waitFor();
    answer = "away";
    await scene.page.getByRole("heading", { name: "The database is away" }).waitFor();
    await scene.page.getByText(/The storage can't answer now.*Trying again in \d+ s/).waitFor();
    answer = "open";
    await says("Live.");
    assert.equal(await scene.page.locator(".live .panel").count(), 0);
    await scene.page.unroute(isTail);
    await postBatch(scene.server.base, key, JSON.stringify([{ message: "after waking" }]));
    await firstRow("after waking");
  });

  test("gives up in the end, and asks no more once it was left", async () => {
    const { tab, close } = await freshTab(true);
    await tab.clock.install();
    let asked = 0;
    await tab.route(isTail, (route) => {
      asked += 1;
      return route.fulfill({ status: 503, contentType: "text/html", body: "<p>starting</p>" });
    });
    await tab.goto(`${scene.server.base}/ui/logs?project=${SLUG}&live=1`);
    await waking(tab).waitFor();
    await until(async () => {
      await tab.clock.runFor(20_000);
      return (await tab.getByRole("button", { name: "Try again" }).count()) > 0;
    }, "it gives up");
    assert.match((await tab.locator(".live > [role=status]").textContent()) ?? "", /^The service does not answer\./);
    assert.ok(asked <= 20, `${asked} requests`);
    await tab.getByRole("button", { name: "Try again" }).click();
    await waking(tab).waitFor();
    await tab.getByRole("link", { name: "Live", exact: true }).click();
    await until(async () => (await tab.locator(".live").count()) === 0, "it is left");
    await scene.settled(tab);
    const left = asked;
    await tab.clock.runFor(120_000);
    await scene.settled(tab);
    assert.equal(asked, left);
    await close();
  });

  test("says that its connection is lost, and misses nothing by a restart of the service", async () => {
    await follow();
    await scene.server.sleep();
    await says("Connection lost, trying again.");
    await scene.server.wake();
    await postBatch(scene.server.base, key, JSON.stringify([{ message: "after the restart" }]));
    await firstRow("after the restart");
    await says("Live.");
  });

  test("leads to signing in when the session has ended, and back to following", async () => {
    await follow();
    const address = scene.page.url();
    await scene.server.sleep();
    await scene.context.clearCookies();
    await scene.server.wake();
    const token = scene.page.getByLabel("Admin token");
    await token.waitFor();
    await token.fill(scene.server.token);
    await scene.page.keyboard.press("Enter");
    await says("Live.");
    assert.equal(scene.page.url(), address);
  });

  test("ends with its project, and says so", async () => {
    await scene.project("gone");
    await follow("gone");
    // The service looks each 15 s whether a stream may go on; coming back is asked at once.
    await scene.page.route(isTail, (route) => route.abort("connectionrefused"));
    await scene.server.sleep();
    await says("Connection lost");
    await scene.server.wake();
    await scene.admin("DELETE", "/admin/projects/gone");
    await scene.page.unroute(isTail);
    await says("The project was removed.");
    await scene.page.getByRole("button", { name: "Try again" }).waitFor();
  });
});

describe("a page that is not loaded yet", { concurrency: false }, () => {
  test("is waited for while the service sleeps, and comes by itself", async () => {
    const { tab, close } = await freshTab(true);
    await tab.goto(`${scene.server.base}/ui/logs?project=${SLUG}`);
    await scene.rows(tab).first().waitFor();
    await scene.server.sleep();
    await tab.getByRole("link", { name: "Alerts", exact: true }).click();
    await waking(tab).waitFor();
    await tab.getByText(/Trying again in \d+ s; waited [1-9]\d* s\./).waitFor();
    await scene.server.wake();
    await tab.getByRole("heading", { name: "Alerts", level: 1 }).waitFor();
    await scene.settled(tab);
    assert.equal(new URL(tab.url()).pathname, "/ui/alerts");
    await close();
  });

  test("is no longer waited for by someone who went elsewhere, and says so when it is not there", async () => {
    const { tab, close } = await freshTab(true);
    await tab.goto(`${scene.server.base}/ui/logs?project=${SLUG}`);
    await scene.rows(tab).first().waitFor();
    const isScript = (/** @type {URL} */ url) => url.pathname.endsWith("/rest.js");
    await tab.route(isScript, (route) => route.fulfill({ status: 404, body: "" }));
    // The service answers: waiting would not bring what is not there.
    await tab.getByRole("link", { name: "Alerts", exact: true }).click();
    await tab.getByRole("heading", { name: "This page could not be opened" }).waitFor();
    await tab.route((url) => url.pathname === "/healthz", (route) => route.fulfill({ status: 503, body: "" }));
    await tab.getByRole("link", { name: "Issues", exact: true }).click();
    await waking(tab).waitFor();
    await tab.getByRole("link", { name: "Logs", exact: true }).click();
    await scene.rows(tab).first().waitFor();
    assert.equal(await waking(tab).count(), 0);
    await close();
  });
});

describe("signing in", { concurrency: false }, () => {
  test("waits for a service that sleeps, and goes on by itself", async () => {
    const { tab, close } = await freshTab(false);
    await tab.goto(`${scene.server.base}/ui/login?next=/ui/system`);
    await tab.getByLabel("Admin token").waitFor();
    await scene.server.sleep();
    await tab.keyboard.type(scene.server.token);
    await tab.keyboard.press("Enter");
    await waking(tab).waitFor();
    assert.equal(await tab.locator("#login-error").textContent(), "");
    await scene.server.wake();
    await tab.getByRole("heading", { name: "System", level: 1 }).waitFor();
    await close();
  });

  test("says that it waits for an answer", async () => {
    const { tab, close } = await freshTab(false);
    /** @type {() => void} */
    let answer = () => {};
    const held = new Promise((resolve) => (answer = () => resolve(null)));
    await tab.route((url) => url.pathname === "/session", async (route) => {
      await held;
      await route.fallback();
    });
    await tab.goto(`${scene.server.base}/ui/login`);
    await tab.getByLabel("Admin token").fill("not the token");
    await tab.keyboard.press("Enter");
    await tab.getByText("Signing in…").waitFor();
    answer();
    await tab.getByText("This token is not accepted.").waitFor();
    assert.equal(await tab.getByText("Signing in…").count(), 0);
    await close();
  });

  test("says how long to wait after too many wrong tokens", async () => {
    const { tab, close } = await freshTab(false);
    await tab.goto(`${scene.server.base}/ui/login`);
    const said = tab.locator("#login-error");
    for (let tries = 0; tries <= WRONG_TOKENS; tries += 1) {
      await tab.getByLabel("Admin token").fill(`wrong ${tries}`);
      await tab.keyboard.press("Enter");
      await until(async () => (await said.textContent()) !== "" && (await tab.getByRole("button", { name: "Sign in" }).isEnabled()), "it is answered");
      if (/in \d+ s/.test((await said.textContent()) ?? "")) break;
    }
    assert.match((await said.textContent()) ?? "", /^Too many wrong tokens\. Try again in [1-9]\d* s\.$/);
    assert.equal(await tab.getByLabel("Admin token").getAttribute("aria-invalid"), null);
    await close();
  });
});

test("broke no policy and logged no error in all of this", () => {
  // A service that is stopped can't be reached, and the browser says so of each request.
  const unexpected = scene.faults.filter((fault) => !/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED/.test(fault));
  assert.deepEqual(unexpected, []);
});
