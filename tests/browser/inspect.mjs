// Every page seen with axe-core, at each size and in both themes: no violation, nothing wider than the window, and a
// screenshot for people to look at.

import assert from "node:assert/strict";
import axe from "axe-core";
import { watchedPage } from "./browser.mjs";

/** @typedef {import("playwright-core").Page} Page */

export const SCREENSHOTS = new URL("./screenshots/", import.meta.url);
export const SIZES = /** @type {const} */ ([[1440, 900], [390, 844]]);
/**
 * Both themes are looked at by every rule, where a page has something to show. Where it has one panel instead, which is the
 * same on every page, the dark theme is looked at by the rules that a theme can change: all of them would cost much time.
 */
const PANEL_ALONE = /-(loading|waking|away|failed)-\d+$/;
const COLOURS = ["color-contrast", "link-in-text-block"];
const THEMES = /** @type {const} */ (["light", "dark"]);
const NOWHERE = "/ui/nothing-here";
/** What `arrive` itself brings about. */
const ARRIVAL = new RegExp(`^answer: 404 GET ${NOWHERE}$`);

/**
 * A page of each size, in turn. It is signed in, and without the policy, which axe may break; what else is a fault is one.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContext} signedIn
 * @param {(look: Page, width: number) => Promise<unknown>} work
 * @param {RegExp[]} [expected] faults that `work` brings about
 */
export async function inEachSize(browser, signedIn, work, expected = []) {
  for (const [width, height] of SIZES) {
    const own = await browser.newContext({ viewport: { width, height }, bypassCSP: true, locale: "en-GB", storageState: await signedIn.storageState() });
    const { page, faults } = await watchedPage(own, "", [], [ARRIVAL, ...expected]);
    await work(page, width);
    assert.deepEqual(faults, [], `at ${width} px`);
    await own.close();
  }
}

/**
 * Opens a page anew as a link does: axe is loaded already, and so is the script.
 * @param {Page} look
 * @param {string} url
 */
export async function arrive(look, url) {
  if (look.url() === "about:blank") await look.goto(new URL(NOWHERE, url).href);
  await look.evaluate((places) => {
    for (const place of places) {
      history.pushState(null, "", place);
      dispatchEvent(new PopStateEvent("popstate"));
    }
  }, [NOWHERE, url]);
}

/**
 * @param {Page} look
 * @param {string} base
 * @param {string} slug a project with the seeded events
 * @param {number} width ends the names of the screenshots
 */
export async function inspect(look, base, slug, width) {
  const logs = `/ui/logs?project=${slug}`;
  await look.goto(`${base}${logs}&level=fatal`);
  await look.locator(".rows a").first().waitFor();
  const full = await look.locator(".rows a").first().getAttribute("href");
  const id = encodeURIComponent(decodeURIComponent(full?.split("/").at(-1) ?? ""));

  /** @type {[string, string, () => Promise<unknown>][]} */
  const views = [
    ["logs", `${logs}&q=query`, () => look.locator(".rows a").first().waitFor()],
    ["hostile", `${logs}&q=hostile`, () => look.locator(".rows a").first().waitFor()],
    ["detail", `${logs}&sel=${id}`, () => look.getByText("Gateway.charge").waitFor()],
    ["custom-range", `${logs}&from=2026-01-01T00:00:00Z&to=2999-01-01T00:00:00Z`, () => look.locator(".rows a").first().waitFor()],
    ["no-match", `${logs}&q=nosuchwordanywhere`, () => look.getByText("No event matches").waitFor()],
    ["event", full ?? "", () => look.getByText("Gateway.charge").waitFor()],
    ["fields", `${logs}&side=fields`, () => look.locator(".facet li").first().waitFor()],
    ["patterns", `${logs}&side=patterns`, () => look.locator(".patterns li").first().waitFor()],
    ["live", `${logs}&live=1`, () => look.getByText("Live.").waitFor()],
    ["context", `${full}?scope=source`, () => look.getByRole("table", { name: "Events before and after" }).waitFor()],
    ["cut-short", "/ui/logs/00000000000000000000000000-0", () => look.getByText("This event is not here").waitFor()],
    ["purged", (full ?? "").replace(/-\d+$/, "-99999"), () => look.getByText("was deleted by a purge, was never stored").waitFor()],
    ["projects", "/ui/projects", () => look.getByRole("cell", { name: slug, exact: true }).waitFor()],
    ["created", "/ui/projects", () => createAnother(look, `${slug} ${width}`)],
    ["help", logs, () => look.locator(".rows a").first().waitFor().then(() => look.keyboard.press("?"))],
  ];
  for (const [name, address, ready] of views) {
    await arrive(look, base + address);
    await ready();
    await check(look, `${name}-${width}`, ["event", "created"].includes(name));
  }
}

/**
 * @param {Page} look
 * @param {string} name
 */
async function createAnother(look, name) {
  await look.getByLabel("Name").fill(`Probe ${name}`);
  await look.getByRole("button", { name: "Create project" }).click();
  await look.getByRole("heading", { name: "is ready" }).waitFor();
}

/**
 * A page that can't show its data: while it loads, while the service wakes or its database is away, after a failure.
 * @param {Page} look
 * @param {string} address
 * @param {(url: URL) => boolean} data what it loads
 * @param {string} name
 */
export async function checkStates(look, address, data, name) {
  const problem = (/** @type {number} */ status, /** @type {string} */ code, /** @type {string} */ detail) =>
    ({ status, contentType: "application/problem+json", body: JSON.stringify({ code, detail }) });
  const waking = { status: 502, contentType: "text/html", body: "starting" };
  /** @type {[string, RegExp, (route: import("playwright-core").Route) => unknown][]} */
  const states = [
    ["loading", /^(Loading|Searching)/, () => {}],
    ["waking", /The service is waking up/, (route) => route.fulfill(waking)],
    ["away", /The database is away/, (route) => route.fulfill(problem(503, "storage_unavailable", "The database does not answer."))],
    ["failed", /A fault of ours\./, (route) => route.fulfill(problem(500, "internal", "A fault of ours."))],
  ];
  for (const [state, text, answer] of states) {
    await look.route(data, answer);
    await arrive(look, address);
    await look.getByText(text).first().waitFor();
    await check(look, name.replace("*", state), true);
    // A section beside it says that it loads for a moment only; what is asked for here is held back for good.
    assert.ok(await look.getByText(text).first().isVisible(), `${name} still says ${text}`);
    await look.unroute(data);
  }
}

/**
 * One state of a page, in both themes.
 * @param {Page} look
 * @param {string} name of the screenshots
 * @param {boolean} [whole] the page scrolls: show all of it
 */
export async function check(look, name, whole = false) {
  if (!(await look.evaluate(() => "axe" in window))) await look.evaluate(axe.source);
  // The page scrolls within its window, so what sticks out of it widens `main` and not the document.
  const overflow = await look.evaluate(() => [document.documentElement, ...document.querySelectorAll("main")].map((box) => box.scrollWidth - box.clientWidth));
  // For the same reason a taller window shows more of it.
  const usual = look.viewportSize();
  const found = [];
  for (const colorScheme of THEMES) {
    await look.emulateMedia({ colorScheme });
    const violations = await look.evaluate(async (rules) => {
      /** @type {import("axe-core").AxeResults} */
      const result = await Reflect.get(window, "axe").run({ resultTypes: ["violations"], ...(rules ? { runOnly: rules } : {}) });
      return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(" | ")}`);
    }, colorScheme === "dark" && PANEL_ALONE.test(name) ? COLOURS : null);
    found.push(...violations.map((violation) => `${colorScheme}, ${violation}`));
    if (whole && usual) {
      const height = await look.evaluate(() => (document.querySelector("main")?.scrollHeight ?? 0) + 60);
      await look.setViewportSize({ width: usual.width, height: Math.max(usual.height, height) });
    }
    await look.screenshot({ path: new URL(`${name}-${colorScheme}.png`, SCREENSHOTS).pathname });
    if (whole && usual) await look.setViewportSize(usual);
  }
  assert.deepEqual(found, [], name);
  assert.ok(overflow.every((wide) => wide === 0), `${name} is ${overflow} px wider than its window`);
}
