// A service of its own, a browser that is signed in to it, and what tests ask of both.

import { startBrowser, until, watchedPage } from "./browser.mjs";
import { startServer } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {Awaited<ReturnType<typeof openScene>>} Scene */

const TOKEN = "a-token-for-these-tests-0123456789abcdef";
/** A name for this machine that a browser takes for no secure place: there is no clipboard without HTTPS. */
export const PLAIN_HOST = "plain.test";

/** A slow line: 150 ms of round trip, 1.6 Mbit/s down and 0.75 Mbit/s up. */
const SLOW = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 };
/** How many times slower than this machine's a slow processor is. */
const CPU_RATE = 4;

/** Puts a tab on a slow line and a slow processor. @param {Page} tab */
export async function slowDown(tab) {
  const session = await tab.context().newCDPSession(tab);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", SLOW);
  await session.send("Emulation.setCPUThrottlingRate", { rate: CPU_RATE });
}

/**
 * @param {Record<string, string>} [settings] of the service
 * @param {RegExp[]} [expected] faults that the tests bring about
 */
export async function openScene(settings = {}, expected = []) {
  const server = await startServer({ ADMIN_TOKEN: TOKEN, RATE_LIMIT_PER_MINUTE: "0", ...settings });
  const browser = await startBrowser([`--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`, "--enable-precise-memory-info"]);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
  await context.request.post(`${server.base}/session`, { data: { token: TOKEN } });
  const { page, faults } = await watchedPage(context, server.base, [], expected);

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async function admin(method, path, body) {
    const headers = { "X-Admin-Token": TOKEN, "Content-Type": "application/json" };
    const reply = await fetch(server.base + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  const settled = (on = page) =>
    until(async () => (await on.locator("main > *").count()) > 0 && (await on.locator("[aria-busy=true]").count()) === 0, "nothing is loading");

  return {
    server, browser, context, page, faults, admin, settled,
    /** A project, its key and its number. @param {string} slug @param {string} [name] */
    project: async (slug, name = slug) => {
      const made = await admin("POST", "/admin/projects", { name, slug, retention_days: 1 });
      return { id: /** @type {number} */ (made.project.id), key: /** @type {import("./seed.mjs").Key} */ (made.key) };
    },
    /** Opens an address and waits until nothing on it loads. @param {string} address @param {Page} [on] */
    visit: async (address, on = page) => {
      await on.goto(server.base + address);
      await settled(on);
    },
    /** Goes to an address within the page, as a link does. @param {string} address @param {Page} [on] */
    travel: async (address, on = page) => {
      await on.evaluate((to) => {
        history.pushState(null, "", to);
        dispatchEvent(new PopStateEvent("popstate"));
      }, address);
      await settled(on);
    },
    /** A part of the address. @param {string} name @param {Page} [on] */
    param: (name, on = page) => new URL(on.url()).searchParams.get(name),
    rows: (on = page) => on.locator(".rows .row"),
    /** Rows of the list, in the document or not. */
    total: async (on = page) => Number(await on.getByRole("table", { name: "Events, newest first" }).getAttribute("aria-rowcount")) - 1,
    close: async () => {
      await browser.close();
      await server.stop();
    },
  };
}
