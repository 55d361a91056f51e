// How the log list shows what it has: repeats folded into one row, and times in a zone of choice.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { until, watchedPage } from "./browser.mjs";
import { check, SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { postBatch } from "./seed.mjs";

const SLUG = "repeats";
/** Events of which a letter says the kind, newest first: four runs, and the first kind again apart from the first. */
const KINDS = "aaa" + "ee" + "b" + "aaaa" + "e" + "c";
const TEXTS = { a: "cache miss for page", b: "user signed in, visit", c: "backup done, run", e: "payment failed for order" };
const ROWS = 6;

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {import("./seed.mjs").Key} */
let key;
/** Time of the newest. */
const begin = Math.floor(Date.now() / 1000) * 1000 - 60_000;

const drawer = () => scene.page.getByRole("complementary", { name: "Event" });
const status = () => scene.page.locator(".logs-line .status");
const repeats = () => scene.page.locator(".rows .repeats");
const press = (/** @type {string} */ name) => scene.page.keyboard.press(name);
const texts = async () => (await scene.rows().locator(".message").allTextContents()).map((text) => text.replace(/ \d+$/, ""));
const focused = () => scene.page.evaluate(() => document.activeElement?.closest(".row")?.querySelector("a")?.textContent ?? null);

const idsOf = (/** @type {{ logs: { id: string }[] }} */ { logs }) => logs.map(({ id }) => id);

/** Ids of all that match, page after page. @param {string} q */
async function pagesOf(q) {
  const ids = [];
  for (let cursor = ""; ;) {
    const query = new URLSearchParams({ project_id: SLUG, q, from: "-1h", limit: "1000", ...(cursor === "" ? {} : { cursor }) });
    const page = await scene.admin("GET", `/logs?${query}`);
    ids.push(...idsOf(page));
    if (page.next_cursor === null) return ids;
    cursor = page.next_cursor;
  }
}

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  // The ledger of this year until now is longer than the service gives it.
  scene = await openScene({}, [/^answer: 400 GET \/stats\/ledger\?from=2025-12/]);
  ({ key } = await scene.project(SLUG, "Repeats"));
  const events = [...KINDS].map((kind, at) => ({
    ts: new Date(begin - at * 1000).toISOString(), level: kind === "e" ? "error" : "info", source: "web",
    message: `${TEXTS[/** @type {keyof typeof TEXTS} */ (kind)]} ${1000 + at}`,
  }));
  await postBatch(scene.server.base, key, JSON.stringify(events));
  await until(async () => (await scene.admin("GET", `/logs?project_id=${SLUG}`)).logs.length === KINDS.length, "the events are stored");
});

after(() => scene?.close());

describe("folding repeats", { concurrency: false }, () => {
  test("is off until asked for, asks the service nothing, and is in the address", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    assert.equal(await scene.total(), KINDS.length);
    assert.equal(await repeats().count(), 0);
    /** @type {string[]} */
    const asked = [];
    scene.page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await scene.page.locator("main").focus();
    await press("r");
    await until(async () => (await scene.total()) === ROWS, "neighbours that say the same are one row");
    assert.equal(scene.param("fold"), "1");
    assert.deepEqual(asked, []);
    assert.deepEqual(await texts(), ["× 3cache miss for page", "× 2payment failed for order", "user signed in, visit", "× 4cache miss for page", "payment failed for order", "backup done, run"]);
    assert.match((await status().textContent()) ?? "", /^12 events in 6 rows, newest first\./);
    await scene.page.getByRole("link", { name: "Fold repeats" }).click();
    await until(async () => (await scene.total()) === KINDS.length, "each has its row again");
    assert.equal(scene.param("fold"), null);
  });

  test("a row says to a screen reader how many it stands for, and opens and closes by mouse and by key", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&fold=1`);
    const three = scene.page.getByRole("button", { name: /^× 3 in a row, back to \d\d:\d\d:\d\d/ });
    assert.equal(await three.getAttribute("aria-expanded"), "false");
    await three.click();
    assert.equal(await three.getAttribute("aria-expanded"), "true");
    assert.equal(await scene.total(), ROWS + 2);
    assert.equal(await scene.page.locator(".row[data-repeat]").count(), 2);
    assert.equal(await drawer().isVisible(), false, "no event is opened by it");
    await press("Enter");
    assert.equal(await scene.total(), ROWS, "the button kept the focus");
    await scene.page.locator("main").focus();
    for (const name of ["j", "j", "x"]) await press(name);
    assert.equal(await scene.total(), ROWS + 1, "the second row's repeats are shown");
    assert.match((await focused()) ?? "", /order 1003$/);
    await press("j");
    assert.match((await focused()) ?? "", /order 1004$/);
    await press("x");
    assert.equal(await scene.total(), ROWS, "a repeat folds itself");
    assert.match((await focused()) ?? "", /order 1003$/, "the focus goes to the row that stands for it");
    const indices = await scene.rows().evaluateAll((rows) => rows.map((row) => row.getAttribute("aria-rowindex")));
    assert.deepEqual(indices, ["2", "3", "4", "5", "6", "7"]);
  });

  test("keys to errors, opening and links to a folded event work on", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&fold=1`);
    await scene.page.locator("main").focus();
    await press("e");
    assert.match((await focused()) ?? "", /order 1003$/);
    await press("e");
    assert.match((await focused()) ?? "", /order 1010$/);
    await press("E");
    await press("Enter");
    await drawer().getByText("order 1003").first().waitFor();
    assert.equal(scene.param("fold"), "1");
    const hidden = (await scene.admin("GET", `/logs?project_id=${SLUG}&q=1004`)).logs[0].id;
    await scene.visit(`/ui/logs?project=${SLUG}&fold=1&sel=${hidden}`);
    await drawer().getByText("order 1004").first().waitFor();
    assert.match((await scene.page.locator(".rows [aria-current]").textContent()) ?? "", /order 1003$/, "the row it is folded into is marked");
    await press("j");
    await drawer().getByText("visit 1005").first().waitFor();
  });

  test("what arrives live joins the row of its kind", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&fold=1&live=1`);
    await scene.page.getByText("Live.").waitFor();
    const post = (/** @type {number} */ n) => postBatch(scene.server.base, key, JSON.stringify(Array.from({ length: n }, (_, at) => ({ level: "warn", source: "web", message: `queue is long: ${at}` }))));
    await post(3);
    await until(async () => (await texts())[0] === "× 3queue is long:", "three are one row");
    await post(2);
    await until(async () => (await texts())[0] === "× 5queue is long:", "it counts on");
    assert.equal(await scene.total(), ROWS + 1);
    await repeats().first().click();
    assert.equal(await scene.total(), ROWS + 5);
    await post(1);
    await until(async () => (await scene.total()) === ROWS + 6, "an open row stays open");
  });

  test("a row of repeats keeps its focus, its place and a press that has begun while more arrive", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&fold=1&live=1`);
    await scene.page.getByText("Live.").waitFor();
    const newest = "ticket is stale";
    let sent = 0;
    const post = async () => {
      sent += 1;
      await postBatch(scene.server.base, key, JSON.stringify([{ level: "info", source: "desk", message: `${newest} ${sent}` }]));
      await until(async () => (await texts())[0] === `${sent > 1 ? `× ${sent}` : ""}${newest}`, `${sent} are one row`);
    };
    await post();
    const link = scene.rows().first().locator("a");
    await link.focus();
    await post();
    assert.equal(await focused(), `${newest} 2`);
    assert.equal(await scene.rows().first().locator("time").getAttribute("datetime"), (await scene.admin("GET", `/logs?project_id=${SLUG}&q=source:desk`)).logs[0].ts);
    await repeats().first().focus();
    await post();
    assert.match(await scene.page.evaluate(() => document.activeElement?.textContent ?? ""), /^× 3/);
    await press("Enter");
    assert.equal(await scene.page.locator(".row[data-repeat]").count(), 2);
    await post();
    assert.match(await scene.page.evaluate(() => document.activeElement?.textContent ?? ""), /^× 4/);
    assert.equal(await scene.page.locator(".row[data-repeat]").count(), 3, "it stays open");
    assert.deepEqual((await texts()).slice(0, 4), [`× 4${newest}`, newest, newest, newest]);
    await press("Enter");
    assert.equal(await scene.page.locator(".row[data-repeat]").count(), 0);
    await link.hover();
    await scene.page.mouse.down();
    await post();
    await scene.page.mouse.up();
    await drawer().getByText(`${newest} 5`).first().waitFor();
  });

  test("the number of a run that may go on behind the loaded page is no exact one", async () => {
    const loop = Array.from({ length: 150 }, (_, at) => ({ ts: new Date(begin - at * 10).toISOString(), level: "info", source: "loop", message: `loop ${at}` }));
    await postBatch(scene.server.base, key, JSON.stringify(loop));
    await scene.visit(`/ui/logs?project=${SLUG}&fold=1&q=source:loop`);
    await until(async () => (await repeats().allTextContents()).join() === "× 100+", "the page ended within the run");
    assert.match((await repeats().getAttribute("title")) ?? "", /^× 100\+ in a row, back to \S+ or further$/);
    await scene.page.getByRole("button", { name: "Load older events" }).click();
    await until(async () => (await repeats().allTextContents()).join() === "× 150", "the run has ended");
    assert.match((await repeats().getAttribute("title")) ?? "", /^× 150 in a row, back to \S+$/);
  });

  test("folding and columns keep the open event, the rows and the focus, and search no second time", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&q=-source:pairs`);
    await scene.rows().nth(1).click();
    await drawer().getByRole("button", { name: "Copy JSON" }).waitFor();
    const sel = scene.param("sel");
    /** @type {string[]} */
    const asked = [];
    scene.page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await press("r");
    assert.deepEqual([scene.param("fold"), scene.param("sel")], ["1", sel]);
    const menu = scene.page.locator("summary", { hasText: "Columns" });
    await menu.click();
    const names = scene.page.getByLabel("Columns");
    await names.fill("source, two words");
    await press("Enter");
    assert.equal(scene.param("cols"), null);
    assert.match(await names.evaluate((input) => /** @type {HTMLInputElement} */ (input).validationMessage), /^No column: two words\. /);
    await names.fill("source");
    await scene.page.getByRole("button", { name: "Show", exact: true }).click();
    assert.deepEqual([scene.param("cols"), scene.param("fold"), scene.param("sel")], ["source", "1", sel]);
    await until(async () => (await scene.rows().first().locator(".message").textContent())?.includes("source=") ?? false, "the column is there");
    assert.equal(await menu.evaluate((name) => name === document.activeElement), true, "the focus is where the menu was");
    assert.ok(await drawer().isVisible());
    assert.deepEqual(asked, []);
  });

  test("the status line says what runs, and is left alone by keys that move", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await scene.rows().first().click();
    await drawer().getByRole("button", { name: "Copy JSON" }).waitFor();
    await status().evaluate((line) => (line.textContent = "as it was"));
    await press("j");
    await until(async () => (await focused()) !== null, "the key moved");
    assert.equal(await status().textContent(), "as it was");
    /** @type {() => void} */
    let go = () => {};
    const held = new Promise((resolve) => (go = () => resolve(null)));
    const searches = (/** @type {URL} */ url) => url.pathname === "/logs";
    await scene.page.route(searches, async (route) => (await held, route.continue()));
    await scene.page.getByRole("button", { name: "Search", exact: true }).click();
    await until(async () => (await status().textContent()) === "Searching…", "it says so");
    await scene.page.locator("main").focus();
    await press("r");
    await until(async () => scene.param("fold") === "1", "the rows are folded meanwhile");
    assert.equal(await status().textContent(), "Searching…");
    go();
    await scene.settled();
    await scene.page.unroute(searches);
    assert.match((await status().textContent()) ?? "", / rows, newest first\./);
  });

  test("the way on from a full list shows it in the same way", async () => {
    for (let part = 0; part < 9; part += 1) {
      const many = Array.from({ length: 250 }, (_, at) => ({ ts: new Date(begin - (part * 250 + at)).toISOString(), level: "info", source: "many", message: `many ${at}` }));
      await postBatch(scene.server.base, key, JSON.stringify(many));
    }
    // Pages as large as the service gives them are fewer clicks.
    const searches = (/** @type {URL} */ url) => url.pathname === "/logs";
    await scene.page.route(searches, (route) => route.continue({ url: route.request().url().replace("limit=100", "limit=1000") }));
    await scene.visit(`/ui/logs?project=${SLUG}&q=source:many`);
    await scene.page.getByRole("button", { name: "Load older events" }).click();
    const on = scene.page.getByRole("link", { name: /^Continue before / });
    await on.waitFor();
    const asks = async () => new URL((await on.getAttribute("href")) ?? "", scene.server.base).searchParams;
    assert.equal((await asks()).get("fold"), null);
    await scene.page.locator("main").focus();
    await press("r");
    await until(async () => (await asks()).get("fold") === "1", "it leads to folded rows");
    assert.notEqual((await asks()).get("to"), null);
    // The two lists meet: one event may be in both, none is in neither.
    const answered = scene.page.waitForResponse((reply) => searches(new URL(reply.url())));
    await on.click();
    const next = idsOf(await (await answered).json());
    await scene.settled();
    const all = await pagesOf("source:many");
    const at = all.indexOf(next[0] ?? "");
    assert.ok(all.length === 2250 && at > 0 && at <= 2000, `the second list begins at ${at} of ${all.length}`);
    assert.deepEqual(all.slice(at), next);
    await scene.page.unroute(searches);
  });

  test("a full list of one time keeps its button, and leads to each event once", async () => {
    const time = new Date(begin - 30_000).toISOString();
    for (let part = 0; part < 9; part += 1) {
      const many = Array.from({ length: 250 }, (_, at) => ({ ts: time, level: "info", source: "same", message: `same ${part * 250 + at}` }));
      await postBatch(scene.server.base, key, JSON.stringify(many));
    }
    const searches = (/** @type {URL} */ url) => url.pathname === "/logs";
    /** @type {string[]} */
    const seen = [];
    const note = async (/** @type {import("playwright-core").Response} */ reply) => {
      if (searches(new URL(reply.url()))) seen.push(...idsOf(await reply.json()));
    };
    scene.page.on("response", note);
    await scene.page.route(searches, (route) => route.continue({ url: route.request().url().replace("limit=100", "limit=1000") }));
    await scene.visit(`/ui/logs?project=${SLUG}&q=source:same`);
    const older = scene.page.getByRole("button", { name: "Load older events" });
    for (const rows of [1000, 2000]) {
      await until(async () => (await scene.total()) === rows, `${rows} rows`);
      assert.equal(await scene.page.getByRole("link", { name: /^Continue / }).count(), 0, `no link to itself below ${rows}`);
      await older.click();
    }
    await until(async () => (await scene.total()) === 2250, "all of them are listed");
    await scene.page.getByText("No older event in this range matches.").waitFor();
    await until(async () => seen.length >= 2250, "the answers are read");
    assert.deepEqual([seen.length, new Set(seen).size], [2250, 2250], "none twice");
    scene.page.off("response", note);
    await scene.page.unroute(searches);
  });

  test("a tall list of folded rows stays a table of at most 500 nodes, and has each row that is in sight", async () => {
    const pairs = Array.from({ length: 200 }, (_, at) => ({ ts: new Date(begin - at * 10).toISOString(), level: at % 4 < 2 ? "info" : "warn", source: "pairs", message: `pair ${at}\nsays more` }));
    await postBatch(scene.server.base, key, JSON.stringify(pairs));
    await scene.page.setViewportSize({ width: 1440, height: 1300 });
    await scene.visit(`/ui/logs?project=${SLUG}&fold=1&q=source:pairs`);
    await scene.page.getByRole("button", { name: "Load older events" }).click();
    await until(async () => (await scene.total()) === 100, "a hundred rows stand for two hundred events");
    assert.ok((await repeats().count()) > 40, "each row has a number");
    // However high the window is.
    await scene.page.setViewportSize({ width: 1440, height: 3840 });
    for (const last of [100, 200]) {
      await until(async () => (await scene.total()) === last, `${last} rows`);
      await scene.page.locator(".more").scrollIntoViewIfNeeded();
      await until(async () => (await scene.rows().last().getAttribute("aria-rowindex")) === String(last + 1), "the last row is there");
      const seen = await scene.rows().last().evaluate((row) => {
        const { left, top, height } = row.getBoundingClientRect();
        return row.contains(document.elementFromPoint(left + 8, top + height / 2));
      });
      assert.ok(seen, "the last row is in sight");
      const nodes = await scene.page.evaluate(() => document.querySelectorAll(".table *").length);
      assert.ok(nodes <= 500 && (await scene.rows().count()) > 60, `${nodes} nodes`);
      if (last === 100) await scene.page.getByRole("link", { name: "Fold repeats" }).click();
    }
    await scene.page.setViewportSize({ width: 1440, height: 900 });
  });

  test("looks right, also on a phone and in the dark, and axe finds nothing", async () => {
    for (const [width, height, scheme] of /** @type {[number, number, "light" | "dark"][]} */ ([[1440, 900, "light"], [390, 844, "light"], [390, 844, "dark"]])) {
      await scene.page.setViewportSize({ width, height });
      await scene.page.emulateMedia({ colorScheme: scheme });
      await scene.visit(`/ui/logs?project=${SLUG}&fold=1&q=-source:pairs`);
      await repeats().nth(1).click();
      await check(scene.page, `folded-${width}-${scheme}`);
    }
    await scene.page.setViewportSize({ width: 1440, height: 900 });
    await scene.page.emulateMedia({ colorScheme: null });
  });
});

describe("the time zone", { concurrency: false }, () => {
  const zone = () => scene.page.getByLabel("Time zone");
  const head = () => scene.page.getByRole("columnheader").first();
  /** What clocks in Tokyo show of the oldest event, which have no summer time. */
  const tokyo = new Date(begin - (KINDS.length - 1) * 1000 + 9 * 3_600_000).toISOString().slice(11, 19);

  test("of the address is the one of rows, histogram and details, and links carry it on", async () => {
    const asked = scene.page.waitForRequest((request) => new URL(request.url()).pathname === "/logs");
    await scene.visit(`/ui/logs?project=${SLUG}&q=backup&tz=asia/tokyo`);
    assert.equal(new URL((await asked).url()).searchParams.get("tz"), "Asia/Tokyo");
    assert.equal(await head().textContent(), "Time +09:00");
    assert.match((await scene.rows().first().locator("time").textContent()) ?? "", new RegExp(`${tokyo}\\.\\d{3}$`));
    assert.match((await scene.rows().first().locator("time").getAttribute("title")) ?? "", /\+09:00$/);
    assert.equal(await zone().inputValue(), "Asia/Tokyo");
    await scene.rows().first().click();
    await drawer().getByText(`${tokyo}.000 +09:00`).first().waitFor();
    assert.equal(scene.param("tz"), "Asia/Tokyo");
    await drawer().getByRole("link", { name: "Permalink" }).click();
    await scene.page.getByRole("link", { name: "Logs around this time" }).waitFor();
    assert.equal(scene.param("tz"), "Asia/Tokyo");
    await scene.page.getByText(`${tokyo}.000 +09:00`).first().waitFor();
    await scene.page.getByRole("link", { name: "Logs around this time" }).click();
    await until(async () => scene.param("from") !== null && scene.param("tz") === "Asia/Tokyo", "the list has it again");
    assert.match(await scene.page.getByLabel("From", { exact: true }).inputValue(), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
  });

  test("is chosen beside the range, changes what is open, and typed times are of it", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&q=backup`);
    assert.equal(scene.param("tz"), null);
    await scene.rows().first().click();
    await drawer().getByRole("button", { name: "Copy JSON" }).waitFor();
    await zone().focus();
    assert.ok((await zone().locator("option").count()) > 300, "every zone is offered");
    await zone().selectOption("Asia/Tehran");
    await until(async () => scene.param("tz") === "Asia/Tehran", "it is in the address");
    await until(async () => (await head().textContent()) === "Time +03:30", "the rows are of it");
    await drawer().getByText(/ \+03:30$/).first().waitFor();
    await scene.page.getByLabel("Time range").selectOption("custom");
    const from = scene.page.getByLabel("From", { exact: true });
    await from.fill("2026-01-02 03:30");
    await scene.page.getByLabel("To", { exact: true }).fill("now");
    await from.press("Enter");
    await until(async () => scene.param("from") === "2026-01-02T00:00:00.000Z", "half past three there is midnight in UTC");
    await zone().selectOption("UTC");
    await until(async () => scene.param("tz") === "UTC", "another is chosen");
    assert.equal(await from.inputValue(), "2026-01-02 00:00:00");
    await zone().selectOption("");
    await until(async () => scene.param("tz") === null, "the default needs no mention");
  });

  test("can be chosen again and again from all there are", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&q=backup`);
    await zone().focus();
    for (const name of ["Asia/Tehran", "Europe/Berlin", "Asia/Tokyo"]) {
      assert.ok((await zone().locator("option").count()) > 300, `every zone is offered before ${name}`);
      await zone().selectOption(name);
      await until(async () => scene.param("tz") === name, `${name} is in the address`);
      await scene.settled();
      assert.equal(await zone().inputValue(), name);
    }
  });

  test("turns the rows and their head together, before the service answers", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&q=backup&tz=UTC`);
    /** @type {() => void} */
    let answer = () => {};
    const asked = new Promise((resolve) => (answer = () => resolve(null)));
    await scene.page.route((url) => url.pathname === "/logs", async (route) => {
      await asked;
      await route.continue();
    });
    await zone().focus();
    await zone().selectOption("Asia/Tokyo");
    await until(async () => (await head().textContent()) === "Time +09:00", "the head is of it");
    assert.match((await scene.rows().first().locator("time").textContent()) ?? "", new RegExp(`${tokyo}\\.\\d{3}$`));
    assert.equal(await scene.rows().count(), 1);
    answer();
    await scene.settled();
    await scene.page.unrouteAll({ behavior: "wait" });
  });

  test("the service does not know leaves the list, with bars of its offset", async () => {
    await scene.page.route((url) => url.pathname === "/logs" && url.searchParams.get("tz") === "Asia/Tokyo", async (route) => {
      const url = new URL(route.request().url());
      url.searchParams.set("tz", "Mars/Olympus");
      await route.continue({ url: url.href });
    });
    const before = scene.faults.length;
    await scene.visit(`/ui/logs?project=${SLUG}&q=backup&tz=Asia/Tokyo`);
    await scene.page.getByText("The service does not know the time zone “Asia/Tokyo”. The bars are of +09:00.").waitFor();
    assert.equal(await scene.rows().count(), 1);
    await scene.page.unrouteAll({ behavior: "wait" });
    const refused = scene.faults.splice(before);
    assert.ok(refused.length === 1 && /^answer: 400 GET \/logs\?/.test(refused[0] ?? ""), `the refused request is the one fault: ${refused}`);
  });

  test("with an hour that comes twice keeps both ends of a range apart", async () => {
    const [from, to] = ["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"];
    // A clock is that of all pages of its context.
    const own = await scene.browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", storageState: await scene.context.storageState() });
    const { page: tab } = await watchedPage(own, scene.server.base, scene.faults);
    await tab.clock.install({ time: to });
    await scene.visit(`/ui/logs?project=${SLUG}&tz=Europe/Berlin`, tab);
    await tab.getByLabel("Time range").selectOption("custom");
    const shown = await Promise.all(["From", "To"].map((name) => tab.getByLabel(name, { exact: true }).inputValue()));
    assert.deepEqual(shown.map((text) => text.slice(0, 16)), ["2026-10-25 02:30", "2026-10-25 02:30"]);
    await tab.getByLabel("To", { exact: true }).press("Enter");
    await until(async () => scene.param("from", tab) !== null, "the range is in the address");
    const ends = ["from", "to"].map((name) => Date.parse(scene.param(name, tab) ?? ""));
    assert.equal((ends[1] ?? 0) - (ends[0] ?? 0), 3_600_000);
    assert.ok(Math.abs((ends[0] ?? 0) - Date.parse(from)) < 60_000);
    await own.close();
    assert.ok(await scene.page.evaluate((real) => Math.abs(Date.now() - real) < 3_600_000, Date.now()), "the other pages have their clock");
  });

  test("that is none is said, and times are local", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&q=backup&tz=Mars/Olympus`);
    await scene.page.getByText("the time zone “Mars/Olympus”, which this browser does not know. Times are local.").waitFor();
    assert.equal(await zone().inputValue(), "");
    assert.equal(await scene.rows().count(), 1);
  });

  test("is that of the list alone: other pages stay local", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}&tz=Asia/Tokyo`);
    await scene.travel("/ui/system");
    await scene.page.getByRole("heading", { name: "System", level: 1 }).waitFor();
    await scene.travel(`/ui/logs?project=${SLUG}`);
    await scene.rows().first().waitFor();
    assert.notEqual(await head().textContent(), "Time +09:00");
  });

  test("looks right, also on a phone and in the dark, and axe finds nothing", async () => {
    for (const [width, height, scheme] of /** @type {[number, number, "light" | "dark"][]} */ ([[1440, 900, "light"], [390, 844, "dark"]])) {
      await scene.page.setViewportSize({ width, height });
      await scene.page.emulateMedia({ colorScheme: scheme });
      await scene.visit(`/ui/logs?project=${SLUG}&tz=America/Argentina/ComodRivadavia`);
      await check(scene.page, `zone-${width}-${scheme}`);
    }
    await scene.visit(`/ui/logs?project=${SLUG}&q=backup&tz=Mars/Olympus&from=-2h`);
    await check(scene.page, "zone-wrong-390");
  });

  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
