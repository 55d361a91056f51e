// Chromium as the tests use it, and what a page must never do while they do.

import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const WAIT_MS = 10_000;

/** @param {string[]} [more] flags */
export function startBrowser(more = []) {
  return chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium", args: [...FLAGS, ...more] });
}

/**
 * A page that notes every fault, and so does each page that is opened from it: errors of scripts, errors in the console,
 * violations of the page's Content-Security-Policy, requests to other hosts. A failed request that a test provokes is no fault.
 * @param {import("playwright-core").BrowserContext} context
 * @param {string} base
 * @param {string[]} [faults] where they are noted
 */
export async function watchedPage(context, base, faults = []) {
  context.on("page", (page) => {
    page.setDefaultTimeout(WAIT_MS);
    page.on("pageerror", (error) => faults.push(`script: ${error.stack ?? error}`));
    page.on("console", (message) => {
      const provoked = /^Failed to load resource: .* status of (400|401|404|409|422|5\d\d)/.test(message.text());
      if (message.type() === "error" && !provoked) faults.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${base}/`) && !url.startsWith("data:")) faults.push(`request: ${url}`);
    });
  });
  await context.exposeFunction("reportViolation", (/** @type {string} */ text) => faults.push(`policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      Reflect.get(window, "reportViolation")(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return { page: await context.newPage(), faults };
}

/**
 * Signs in on a page, as a person does, and goes on to where its level 1 heading says so.
 * @param {import("playwright-core").Page} page
 * @param {import("./server.mjs").Server} server
 * @param {string} next address below `/ui`
 * @param {string} heading
 */
export async function signIn(page, server, next, heading) {
  await page.goto(`${server.base}/ui/login?next=${next}`);
  await page.getByLabel("Admin token").fill(server.token);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
}

/**
 * Waits for a condition.
 * @param {() => Promise<unknown>} holds
 * @param {string} what
 */
export async function until(holds, what) {
  const end = performance.now() + WAIT_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
