// Drives the setup page, and runs every snippet it offers: what people paste first must not rot.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { signIn, startBrowser, until, watchedPage } from "./browser.mjs";
import { check, checkStates, inEachSize, SCREENSHOTS } from "./inspect.mjs";
import { postBatch } from "./seed.mjs";
import { startServer } from "./server.mjs";

/** @typedef {import("playwright-core").Page} Page */

const run = promisify(execFile);
const EXPECTED = [/^answer: 404 GET \/admin\/projects\/no-such-project$/];
const slug = `setup-${Date.now().toString(36)}`;
const SETUP = `/ui/projects/${slug}/setup`;
/** What each snippet needs. What may be missing at a desk is skipped in words; the others must be there. */
const NEEDS = /** @type {const} */ ([
  ["curl + openssl", ["sh", "curl", "openssl"], true], ["Node", ["node"], true], ["Python", ["python3"], true], ["Rust", ["cargo"], true],
  ["Go", ["go"], false], ["PHP", ["php"], false], ["Ruby", ["ruby"], false], ["Java", ["java", "javac"], false], ["Shell function", ["sh", "curl", "openssl"], true],
]);
/** Building three small crates, the first time. */
const RUN_MS = 300_000;
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
/** Where the snippets run. */
let folder = "";

/** Opens an address and waits until nothing on it loads. @param {string} address @param {Page} [on] */
async function visit(address, on = page) {
  await on.goto(server.base + address);
  await settled(on);
}

async function settled(on = page) {
  await until(async () => (await on.locator("main > *").count()) > 0 && (await on.locator("[aria-busy=true]").count()) === 0, "nothing is loading");
}

/** The names of the programs that are not installed. @param {readonly string[]} names */
async function missing(names) {
  const there = await Promise.all(names.map((name) => run("sh", ["-c", `command -v ${name}`]).then(() => true, () => false)));
  return names.filter((_, index) => !there[index]);
}

/** @param {string} name */
async function makeProject(name) {
  await page.evaluate(async (one) => {
    const body = JSON.stringify({ name: one, slug: one, retention_days: 1 });
    await fetch("/admin/projects", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  }, name);
}

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), "tekno-snippets-"));
  server = await startServer();
  browser = await startBrowser();
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
  ({ page, faults } = await watchedPage(context, server.base, [], EXPECTED));
  await signIn(page, server, "/ui/projects", "Projects");
  await makeProject(slug);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("the setup page", { concurrency: false }, () => {
  test("the list of projects leads to it, and it waits for the first event", async () => {
    await visit("/ui/projects");
    await page.getByRole("link", { name: `Set up ${slug}`, exact: true }).click();
    await page.getByRole("heading", { name: `Set up ${slug}`, level: 1 }).waitFor();
    assert.equal(new URL(page.url()).pathname, SETUP);
    await page.getByText("Waiting for the first event…").waitFor();
    await page.getByLabel("curl + openssl snippet").getByText("YOUR_SECRET").waitFor();
  });

  test("a test event is said to have come, and one of theirs turns the waiting into its arrival", async () => {
    await visit(SETUP);
    await page.getByText("Waiting for the first event…").waitFor();
    await page.getByRole("button", { name: "Send test event" }).click();
    await page.getByText("The test event has arrived. Waiting for one of yours…").waitFor();
    assert.equal(await page.locator(".arrived").getAttribute("data-well"), null, "it is not what one waits for");
    const { key } = await page.evaluate(async (address) =>
      (await fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ kind: "server", note: "test" }) })).json(), `/admin/projects/${slug}/keys`);
    await postBatch(server.base, key, JSON.stringify([{ level: "info", message: "one of mine" }]));
    await page.getByText("An event has arrived: one of mine").waitFor();
    assert.equal(await page.locator(".arrived").getAttribute("data-well"), "yes");
    await page.locator(".arrived a").click();
    await page.getByRole("heading", { name: "Event", level: 1 }).waitFor();
    await visit(SETUP);
    await page.getByText(/Waiting for a new event\. The last one came/).waitFor();
    await page.getByText("YOUR_KEY and YOUR_SECRET stand for a key of yours").waitFor();
    await page.getByRole("button", { name: "Copy without a key" }).waitFor();
    await page.getByRole("link", { name: "Settings and keys" }).click();
    await page.getByRole("heading", { name: slug, level: 1 }).waitFor();
    assert.equal(new URL(page.url()).pathname, `/ui/projects/${slug}`);
  });

  test("a key is made when asked for, filled in everywhere, and gone with the page", async () => {
    await visit(SETUP);
    await page.getByRole("button", { name: "Make a server key" }).click();
    await page.getByText("Copy both now.").waitFor();
    const secret = (await page.locator("#signing-secret").textContent()) ?? "";
    const key = (await page.locator("#api-key").textContent()) ?? "";
    // What a quoted text of any of the languages takes as it is.
    assert.match(`${key}${secret}`, /^[\w.-]+$/);
    for (const [name] of NEEDS) {
      await page.getByRole("button", { name, exact: true }).click();
      const code = (await page.getByLabel(`${name} snippet`).textContent()) ?? "";
      for (const part of [key, secret, `${server.base}/log`]) assert.ok(code.includes(part), `${name} has ${part}`);
    }
    const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, history.state, location.href]));
    assert.ok(!kept.includes(secret), "the secret is in the page's memory only");
    await page.reload();
    await settled();
    assert.equal(await page.locator("#signing-secret").count(), 0);
    assert.ok(!(await page.content()).includes(secret));
  });

  test("every snippet runs as it is and its event is found", { timeout: 2 * RUN_MS }, async (t) => {
    await visit(SETUP);
    await page.getByRole("button", { name: "Make a server key" }).click();
    await page.getByText("Copy both now.").waitFor();
    for (const [name, programs, needed] of NEEDS) {
      await t.test(name, async (one) => {
        const lacking = await missing(programs);
        if (lacking.length > 0 && !needed) {
          const line = `SKIPPED in tests/browser/setup: the ${name} snippet: ${lacking.join(", ")} is not installed`;
          console.log(line);
          // The whole run ends with a summary of these.
          if (process.env.TEST_SKIPS) await appendFile(process.env.TEST_SKIPS, `${line}\n`);
          return one.skip(`${lacking.join(", ")} is not installed`);
        }
        assert.deepEqual(lacking, [], `${name} needs them`);
        await page.getByRole("button", { name, exact: true }).click();
        const code = (await page.getByLabel(`${name} snippet`).textContent()) ?? "";
        const [file = "", command = ""] = await page.locator(".hint code").allTextContents();
        const own = await mkdtemp(join(folder, "run-"));
        await mkdir(dirname(join(own, file)), { recursive: true });
        await writeFile(join(own, file), code);
        // The service under test speaks plain HTTP: without TLS it is built in a quarter of the time.
        const plain = command.replace(" ureq@3 ", " && cargo add ureq@3 --no-default-features ");
        assert.equal(plain !== command, name === "Rust");
        const built = fileURLToPath(new URL("../../target/snippet", import.meta.url));
        const { stdout } = await run("sh", ["-c", plain], { cwd: own, timeout: RUN_MS, env: { ...process.env, CARGO_TARGET_DIR: built } });
        assert.equal(JSON.parse(stdout).accepted, 1, stdout);
        const word = /Hello from ([\w ]+)/.exec(code)?.[0] ?? "";
        const found = await page.evaluate(async (address) => (await fetch(address)).json(), `/logs?project_id=${slug}&q=${encodeURIComponent(`"${word}"`)}`);
        assert.equal(found.logs.length, 1, word);
        assert.equal(found.logs[0].level, "info");
        await page.locator(".arrived").getByText(found.logs[0].message).waitFor();
      });
    }
  });

  test("the shell's function takes any text for a message", async () => {
    const code = (await page.getByRole("button", { name: "Shell function" }).click().then(() => page.getByLabel("Shell function snippet").textContent())) ?? "";
    const text = "it's \"quoted\" \\ and $(id) `id`\n\ttwo lines";
    await run("sh", ["-c", `${code.replace(/^tekno_log info .*$/m, "")}\ntekno_log warn "$1"`, "odd", text]);
    const found = await page.evaluate(async (address) => (await fetch(address)).json(), `/logs?project_id=${slug}&level=warn`);
    assert.equal(found.logs[0].message, text.replace("\n\t", "  "));
  });

  test("it stops looking while hidden, and after ten minutes without an event", async () => {
    const own = await context.newPage();
    await own.clock.install();
    let looks = 0;
    await own.route((url) => url.pathname === "/logs", (route) => {
      looks += 1;
      return route.fulfill({ json: { logs: [], next_cursor: null } });
    });
    await visit(SETUP, own);
    await own.getByText("Waiting for the first event…").waitFor();
    const see = (/** @type {boolean} */ hidden) => own.evaluate((to) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => to });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await see(true);
    looks = 0;
    await own.clock.runFor(600_000);
    assert.equal(looks, 0);
    await see(false);
    await until(async () => looks === 1, "it looks at once when it is seen");
    const over = own.getByText("No longer looking.");
    for (let turn = 0; turn < 1000 && (await over.count()) === 0; turn += 1) await own.clock.runFor(2000);
    await over.waitFor();
    assert.ok(looks <= 301, `${looks} looks`);
    looks = 0;
    await own.clock.runFor(600_000);
    assert.equal(looks, 0);
    await own.getByRole("button", { name: "Look again" }).click();
    await until(async () => looks > 0, "it looks again when asked to");
    await own.close();
  });

  test("it says while the service is away that it looks again, and goes on once it is back", async () => {
    const other = `${slug}-away`;
    await makeProject(other);
    const own = await context.newPage();
    await visit(`/ui/projects/${other}/setup`, own);
    await own.getByText("Waiting for the first event…").waitFor();
    const said = own.locator(".actions").filter({ has: own.getByRole("button", { name: "Send test event" }) }).getByRole("status");
    assert.equal(await said.textContent(), "");
    const search = (/** @type {URL} */ url) => url.pathname === "/logs";
    let looks = 0;
    await own.route(search, (route) => {
      looks += 1;
      return route.abort("connectionrefused");
    });
    await until(async () => (await said.textContent()) === "The service does not answer. Looking again…", "it says so beside the button");
    await until(async () => looks > 1, "it looks again");
    await own.getByText("Waiting for the first event…").waitFor();
    // What comes meanwhile is found.
    await own.evaluate((address) => fetch(address, { method: "POST" }), `/admin/projects/${other}/test-event`);
    await own.unroute(search);
    await own.getByText("The test event has arrived.").waitFor();
    assert.equal(await said.textContent(), "");
    await own.close();
    assert.ok(faults.splice(0).every((fault) => /^console: .*net::ERR_CONNECTION_REFUSED/.test(fault)));
  });

  test("failures are said where they belong, and an unknown project is one", async () => {
    const problem = { status: 503, contentType: "application/problem+json", body: JSON.stringify({ code: "storage_unavailable", detail: "The database is away." }) };
    const posts = (/** @type {import("playwright-core").Route} */ route) => (route.request().method() === "POST" ? route.fulfill(problem) : route.fallback());
    const keys = (/** @type {URL} */ url) => /^\/admin\/projects\//.test(url.pathname);
    await visit(SETUP);
    await page.route(keys, posts);
    await page.getByRole("button", { name: "Make a server key" }).click();
    await page.getByRole("alert").getByText("The database is away.").waitFor();
    await page.getByRole("button", { name: "Send test event" }).click();
    await page.getByRole("status").getByText("The database is away.").waitFor();
    await page.unroute(keys);
    const lost = (/** @type {URL} */ url) => url.pathname.endsWith("/snippets.txt");
    await page.route(lost, (route) => route.fulfill({ status: 404, body: "" }));
    await visit(SETUP);
    await page.getByRole("button", { name: "Try again" }).waitFor();
    await page.unroute(lost);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByLabel("curl + openssl snippet").waitFor();
    await visit("/ui/projects/no-such-project/setup");
    await page.getByRole("heading", { name: "No such project" }).waitFor();
    await page.route(keys, (route) => route.fulfill({ status: 401, contentType: "application/problem+json", body: JSON.stringify({ code: "unauthorized" }) }));
    await page.goto(server.base + SETUP);
    await page.getByLabel("Admin token").waitFor();
    assert.equal(new URL(page.url()).searchParams.get("next"), SETUP);
    await page.unroute(keys);
  });

  test("the page fits and is accessible in every size and theme", async () => {
    await inEachSize(browser, context, async (look, width) => {
      await makeProject(`${slug}-${width}`);
      await visit(`/ui/projects/${slug}-${width}/setup`, look);
      await look.getByText("Waiting for the first event…").waitFor();
      await check(look, `setup-waiting-${width}`, true);
      await look.getByRole("button", { name: "Make a server key" }).click();
      await look.getByRole("button", { name: "Rust" }).click();
      await look.getByRole("button", { name: "Send test event" }).click();
      await look.getByText("The test event has arrived.").waitFor();
      await check(look, `setup-arrived-${width}`, true);
      await visit("/ui/projects/no-such-project/setup", look);
      await check(look, `setup-unknown-${width}`);
      await checkStates(look, server.base + SETUP, (url) => url.pathname === `/admin/projects/${slug}`, `setup-*-${width}`);
    }, EXPECTED);
  });

  test("broke no policy and logged no error in all of this", () => {
    assert.deepEqual(faults, []);
  });
});
