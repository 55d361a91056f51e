// Chromium as the tests use it, and what a page must never do while they do.

import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
/** How long anything may take; a machine with much else to do is given more: PATIENCE=6. */
const WAIT_MS = 10_000 * Number(process.env.PATIENCE ?? 1);

/** @param {string[]} [more] flags */
export function startBrowser(more = []) {
  return chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium", args: [...FLAGS, ...more] });
}

/**
 * A page that notes every fault, and so does each page that is opened from it: errors of scripts, errors in the console,
 * violations of the page's Content-Security-Policy, requests to other hosts, and each answer of the service that is an
 * error, unless the test says that it expects it. What a test answers for the service is its own doing and no fault.
 * @param {import("playwright-core").BrowserContext} context
 * @param {string} base empty for where the first page comes from
 * @param {string[]} [faults] where they are noted
 * @param {RegExp[]} [expected] faults that the tests bring about, such as `answer: 404 GET /logs/1`; none unless named
 */
export async function watchedPage(context, base, faults = [], expected = []) {
  let home = base;
  const note = (/** @type {string} */ fault) => void (expected.some((one) => one.test(fault)) || faults.push(fault));
  context.on("page", (page) => {
    page.setDefaultTimeout(WAIT_MS);
    page.on("pageerror", (error) => note(`script: ${error.stack ?? error}`));
    page.on("console", (message) => {
      // What an answer was is told by the answer itself.
      const answered = /^Failed to load resource: .* status of \d/.test(message.text());
      if (message.type() === "error" && !answered) note(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      const url = request.url();
      home ||= new URL(url).origin;
      if (!url.startsWith(`${home}/`) && !url.startsWith("data:")) note(`request: ${url}`);
    });
    page.on("response", (reply) => {
      // The service numbers each of its answers; those that a test makes up have no number.
      if (reply.status() < 400 || reply.headers()["x-request-id"] === undefined) return;
      const { pathname, search } = new URL(reply.url());
      note(`answer: ${reply.status()} ${reply.request().method()} ${pathname}${search}`);
    });
  });
  await context.exposeFunction("reportViolation", (/** @type {string} */ text) => note(`policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      Reflect.get(window, "reportViolation")(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return { page: await context.newPage(), faults, expected };
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
