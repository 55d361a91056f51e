// The page as a screen reader tells it, and as the keyboard goes through it: names, headings, landmarks, what is said
// when something changes, and where the focus is after what had it is gone.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { openScene } from "./scene.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";

const SLUG = "shop";

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {import("./seed.mjs").Key} */
let key;
/** The one fatal event. @type {{ id: string, fingerprint: string, project_id: number }} */
let worst;

/** What has the focus, in a few words. */
const focused = () => scene.page.evaluate(() => `${document.activeElement?.tagName.toLowerCase()} ${(document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "").slice(0, 80)}`.trim());
const press = (/** @type {string[]} */ ...keys) => keys.reduce((done, one) => done.then(() => scene.page.keyboard.press(one)), Promise.resolve());

before(async () => {
  scene = await openScene({}, [/^answer: 404 GET \/ui\/nothing-here$/]);
  ({ key } = await scene.project(SLUG, "Shop"));
  await postBatch(scene.server.base, key, JSON.stringify([...ordinary(129), FULL]));
  await until(async () => (await scene.admin("GET", "/issues?status=all")).issues.length >= 2, "the events are counted");
  [worst] = (await scene.admin("GET", `/logs?project_id=${SLUG}&level=fatal`)).logs;
});

after(() => scene?.close());

describe("as it is read aloud", { concurrency: false }, () => {
  test("each page has a title of its own, one first heading, no level left out, and named landmarks", async () => {
    const pages = [["/ui/", "Now"], ["/ui/logs", "Logs"], [`/ui/logs/${worst.id}?scope=source`, "Event"], ["/ui/issues", "Issues"],
      [`/ui/issues/${worst.project_id}-${worst.fingerprint}`, "Unhandled exception"], ["/ui/projects", "Projects"], [`/ui/projects/${SLUG}`, "Project"], [`/ui/projects/${SLUG}/setup`, "Setup"],
      ["/ui/overflow", "Overflow"], ["/ui/alerts", "Alerts"], ["/ui/system", "System"], ["/ui/nothing-here", "No such page"]];
    for (const [address = "", title = ""] of pages) {
      await scene.visit(address);
      await until(async () => (await scene.page.title()).startsWith(title), `${address} has its title`);
      assert.match(await scene.page.title(), / · Tekno Logger$/);
      const found = await scene.page.evaluate(() => {
        const shown = (/** @type {Element} */ element) => element instanceof HTMLElement && element.checkVisibility();
        return {
          levels: [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map(({ tagName }) => Number(tagName.slice(1))),
          unnamed: [...document.querySelectorAll("nav, aside, form, [role=region], [role=search], [role=table], table, section[role]")].filter(shown)
            .filter((one) => !one.hasAttribute("aria-label") && !one.hasAttribute("aria-labelledby") && !one.closest("[aria-label]")).map(({ outerHTML }) => outerHTML.slice(0, 120)),
        };
      });
      assert.equal(found.levels.filter((level) => level === 1).length, 1, `${address}: ${found.levels}`);
      assert.ok(found.levels.every((level, index) => level <= (found.levels[index - 1] ?? 0) + 1), `${address}: ${found.levels}`);
      assert.deepEqual(found.unnamed, [], address);
    }
  });

  test("coming to another page says its name", async () => {
    await scene.visit("/ui/");
    await scene.page.getByRole("link", { name: "Alerts", exact: true }).click();
    await scene.page.getByRole("main", { name: "Alerts" }).waitFor();
    assert.equal(await focused(), "main Alerts");
  });

  test("the list is a table that says how many rows it has, of which few are in the document", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    const table = scene.page.getByRole("table", { name: "Events, newest first" });
    assert.deepEqual((await table.getByRole("columnheader").allTextContents()).slice(1), ["Level", "Source", "Message"]);
    assert.equal(await table.getAttribute("aria-rowcount"), "101");
    const first = table.getByRole("row").nth(1);
    assert.deepEqual((await first.getByRole("cell").allInnerTexts()).slice(1), ["fatal", "checkout", FULL.message.replace("\n", " ")]);
    await first.getByRole("link", { name: "Unhandled exception: checkout failed" }).waitFor();
    await press("j");
    for (let row = 0; row < 60; row += 1) await press("j");
    const at = await scene.page.evaluate(() => document.activeElement?.closest("[role=row]")?.getAttribute("aria-rowindex"));
    assert.equal(at, "62");
    assert.equal(await scene.page.getByRole("status").filter({ hasText: /^100 (of \d+ shown|shown so far), newest first\./ }).count(), 1);
  });

  test("what is waited for and what failed are said", async () => {
    const searches = (/** @type {URL} */ url) => url.pathname === "/logs";
    await scene.page.route(searches, (route) => route.fulfill({ status: 502, body: "starting" }));
    await scene.page.goto(`${scene.server.base}/ui/logs`);
    await scene.page.getByRole("status").filter({ hasText: "The service is waking up" }).waitFor();
    await scene.page.unroute(searches);
    await scene.page.route(searches, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", json: { code: "internal", detail: "A fault of ours." } }));
    await scene.page.getByRole("button", { name: "Try now" }).click();
    await scene.page.getByRole("alert").filter({ hasText: "A fault of ours." }).waitFor();
    await scene.page.unroute(searches);
  });
});

describe("the focus", { concurrency: false }, () => {
  test("comes back from a menu closed by Escape, and pointing elsewhere closes it too", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    const menu = scene.page.locator("summary", { hasText: "Export" });
    await menu.focus();
    await press("Enter");
    await scene.page.getByRole("link", { name: "NDJSON" }).focus();
    await press("Escape");
    await scene.page.getByRole("link", { name: "NDJSON" }).waitFor({ state: "hidden" });
    assert.equal(await focused(), "summary Export");
    await press("Enter");
    await scene.page.getByRole("link", { name: "NDJSON" }).waitFor();
    await scene.page.locator("figcaption").click();
    await scene.page.getByRole("link", { name: "NDJSON" }).waitFor({ state: "hidden" });
  });

  test("comes back from the help and from the open event", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await scene.page.getByRole("button", { name: "Keyboard help" }).focus();
    await press("Enter");
    await scene.page.getByRole("dialog", { name: "Help" }).waitFor();
    await press("Escape");
    await until(async () => (await focused()) === "button Keyboard help", "the focus is back");
    await scene.page.locator(".rows a").nth(3).focus();
    const row = await focused();
    await press("Enter");
    await until(async () => (await focused()) === "h2 Event", "the focus is in the event");
    await press("Escape");
    await until(async () => (await focused()) === row, "the focus is back");
  });

  test("stays where it was when what was pressed is drawn anew", async () => {
    await scene.visit("/ui/alerts");
    const rules = scene.page.getByRole("region", { name: "Rules" });
    const turn = rules.getByRole("button", { name: "Turn off" }).nth(1);
    await turn.focus();
    await press("Enter");
    await rules.getByRole("button", { name: "Turn on" }).waitFor();
    await until(async () => (await focused()) === "button Turn on", "the button that stands there has it");
    await press("Enter");
    await rules.getByRole("button", { name: "Turn on" }).waitFor({ state: "hidden" });
    await until(async () => (await focused()) === "button Turn off", "and again");
  });

  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
