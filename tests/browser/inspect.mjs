// Every page seen with axe-core, at one size and in one theme: no violation, nothing wider than the window, and a
// screenshot for people to look at.

import assert from "node:assert/strict";
import axe from "axe-core";

/** @typedef {import("playwright-core").Page} Page */

export const SCREENSHOTS = new URL("./screenshots/", import.meta.url);

/**
 * @param {import("playwright-core").BrowserContext} context signed in, without the policy, which axe may break
 * @param {string} base
 * @param {string} slug a project with the seeded events
 * @param {string} label ends the names of the screenshots
 */
export async function inspect(context, base, slug, label) {
  const look = await context.newPage();
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
    ["purged", "/ui/logs/00000000000000000000000000-0", () => look.getByText("This event is not here").waitFor()],
    ["projects", "/ui/projects", () => look.getByRole("cell", { name: slug, exact: true }).waitFor()],
    ["created", "/ui/projects", () => createAnother(look, `${slug} ${label}`)],
    ["help", logs, () => look.locator(".rows a").first().waitFor().then(() => look.keyboard.press("?"))],
  ];
  for (const [name, address, ready] of views) {
    await look.goto(base + address);
    await ready();
    await check(look, `${name}-${label}`);
  }
  await context.clearCookies();
  await look.goto(`${base}/ui/login`);
  await look.getByLabel("Admin token").waitFor();
  await check(look, `login-${label}`);
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
 * A page that can't show its data: while it loads, while the service wakes, after a failure.
 * @param {Page} look
 * @param {string} address
 * @param {(url: URL) => boolean} data what it loads
 * @param {string} name
 */
export async function checkStates(look, address, data, name) {
  const problem = { status: 500, contentType: "application/problem+json", body: JSON.stringify({ code: "internal", detail: "A fault of ours." }) };
  const waking = { status: 502, contentType: "text/html", body: "starting" };
  /** @type {[string, string, (route: import("playwright-core").Route) => unknown][]} */
  const states = [
    ["loading", "Loading…", () => {}],
    ["waking", "The service is waking up", (route) => route.fulfill(waking)],
    ["failed", "A fault of ours.", (route) => route.fulfill(problem)],
  ];
  for (const [state, text, answer] of states) {
    await look.route(data, answer);
    await look.goto(address);
    await look.getByText(text).first().waitFor();
    await check(look, `${name.replace("*", state)}`);
    await look.unroute(data);
  }
}

/**
 * @param {Page} look
 * @param {string} name of the screenshot
 * @param {boolean} [whole] the page scrolls: show all of it
 */
export async function check(look, name, whole = false) {
  await look.evaluate(axe.source);
  /** @type {import("axe-core").AxeResults} */
  const result = await look.evaluate(() => Reflect.get(window, "axe").run());
  // The page scrolls within its window, so a taller window shows more of it.
  const usual = look.viewportSize();
  if (whole && usual) {
    const height = await look.evaluate(() => (document.querySelector("main")?.scrollHeight ?? 0) + 60);
    await look.setViewportSize({ width: usual.width, height: Math.max(usual.height, height) });
  }
  await look.screenshot({ path: new URL(`${name}.png`, SCREENSHOTS).pathname });
  if (whole && usual) await look.setViewportSize(usual);
  const found = result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(" | ")}`);
  assert.deepEqual(found, [], name);
  // The page scrolls within its window, so what sticks out of it widens `main` and not the document.
  const overflow = await look.evaluate(() => [document.documentElement, ...document.querySelectorAll("main")].map((box) => box.scrollWidth - box.clientWidth));
  assert.ok(overflow.every((wide) => wide === 0), `${name} is ${overflow} px wider than its window`);
}
