// Fifty hostile texts in every place a value is shown: nothing runs, nothing is asked of other hosts, no rule of the
// page's policy is even tried, and no console error is logged.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { PAYLOADS, payloadEvents, unharmed } from "./payloads.mjs";
import { openScene } from "./scene.mjs";
import { postBatch } from "./seed.mjs";

const SLUG = "hostile";

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {import("./seed.mjs").Key} */
let key;
/** @type {string[]} */
let ids = [];

/** Fields shown before each message. */
const COLUMNS = "source,env,release,user_id,request_id,tags,ctx.list,ctx.deep";
/** What bars can be by and all events have. */
const BARS = ["source", "env", "release", "user_id", "request_id", "tags"];

const counts = () => scene.page.getByRole("region", { name: "Counts" });
const drawer = () => scene.page.getByRole("complementary", { name: "Event" });

const clean = (/** @type {string} */ where) => unharmed(scene, where);
/** A search that finds one event. @param {number} index */
const only = (index) => encodeURIComponent(`message:/hostile ${index}$/`);

before(async () => {
  scene = await openScene({}, [/^answer: (400|404) GET \/(logs|stats|issues|admin)\b/]);
  ({ key } = await scene.project(SLUG, PAYLOADS[1]));
  await postBatch(scene.server.base, key, JSON.stringify(payloadEvents()));
  await until(async () => {
    const reply = await scene.admin("GET", `/logs?project_id=${SLUG}&limit=100`);
    ids = reply.logs.map((/** @type {{ id: string }} */ one) => one.id);
    const stats = await scene.admin("GET", "/stats");
    return ids.length === PAYLOADS.length && stats.total === PAYLOADS.length && (await scene.admin("GET", "/issues")).issues.length > 0;
  }, "the events are stored and counted");
});

after(() => scene?.close());

describe("hostile texts", { concurrency: false }, () => {
  test("would be noticed if one ran", async () => {
    assert.equal(PAYLOADS.length, 50);
    await scene.visit("/ui/projects");
    await scene.page.evaluate(() => {
      const script = document.createElement("script");
      try {
        script.textContent = "window.ran = 1";
      } catch {
        // Refused, and reported.
      }
      document.querySelector("main")?.append(script, document.createElement("iframe"));
    });
    await until(async () => scene.faults.length > 0, "the attempt is reported");
    await assert.rejects(clean("a foreign element"));
    scene.faults.length = 0;
  });

  test("and so would an error in the console, a script that fails, and a request to another host", async () => {
    await scene.visit("/ui/projects");
    const fails = [
      [/^console: broken on purpose/, () => console.error("broken on purpose")],
      [/^script: .*broken on purpose/s, () => void setTimeout(() => {
        throw new Error("broken on purpose");
      })],
      [/^request: https:\/\/example\.invalid\//, () => void Reflect.construct(Image, []).setAttribute("src", "https://example.invalid/x.png")],
    ];
    for (const [wanted, provoke] of /** @type {[RegExp, () => void][]} */ (fails)) {
      await scene.page.evaluate(provoke);
      await until(async () => scene.faults.some((fault) => wanted.test(fault)), `${wanted} is noted`);
      await assert.rejects(clean("a fault"));
      scene.faults.length = 0;
    }
  });

  test("in events: rows, columns, detail, JSON, counts, permalink and each scope of what is around it", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    assert.equal(await scene.total(), PAYLOADS.length);
    for (const [index, id] of ids.entries()) {
      const found = `/ui/logs?project=${SLUG}&q=${only(index)}&cols=${COLUMNS}`;
      await scene.travel(`${found}&side=fields&sel=${id}`);
      assert.equal(await scene.total(), 1, `the search for ${index}`);
      const row = await scene.rows().first().textContent() ?? "";
      for (const column of COLUMNS.split(",")) assert.ok(row.includes(`${column}=`), `${column} of ${index} in ${row}`);
      await drawer().getByRole("button", { name: "JSON", exact: true }).click();
      const inApp = drawer().getByRole("button", { name: "In-app" });
      await inApp.click();
      await until(async () => (await inApp.getAttribute("aria-pressed")) === "true", "frames of libraries are left out");
      assert.ok((await drawer().textContent())?.includes("hostile"), `event ${index}`);
      assert.notEqual(await counts().getByRole("listitem").count(), 0, `counts of ${index}`);
      await clean(`the detail and the counts of ${index}`);
      await scene.travel(`${found}&side=patterns&sel=${id}`);
      assert.notEqual(await counts().getByRole("listitem").count(), 0, `patterns of ${index}`);
      await clean(`the patterns of ${index}`);
      // Around an event of the project are forty others.
      for (const scope of [index % 2 === 0 ? "request" : "source", ...(index % 10 === 0 ? ["project"] : [])]) {
        await scene.travel(`/ui/logs/${id}?scope=${scope}`);
        await scene.page.getByRole("table", { name: "Events before and after" }).waitFor();
        await clean(`the permalink of ${index}, ${scope}`);
      }
    }
  });

  test("in bars: their colours' names, the caption, and what is said of them", async () => {
    const chart = scene.page.getByRole("slider");
    const names = scene.page.getByRole("list", { name: "Colours" }).locator(".value");
    for (let index = 0; index < PAYLOADS.length; index += 1) {
      await scene.travel(`/ui/logs?project=${SLUG}&q=${only(index)}&by=${BARS[index % BARS.length]}`);
      const [name = ""] = await names.allTextContents();
      assert.notEqual(name, "", `the colour of ${index}`);
      for (const key of ["Home", "Shift+End"]) await chart.press(key);
      assert.ok((await chart.getAttribute("aria-valuetext"))?.includes(name), `${await chart.getAttribute("aria-valuetext")} has ${name}`);
      assert.ok((await scene.page.locator("figcaption").textContent())?.includes(name), `the caption has ${name}`);
      await clean(`the bars of ${index}`);
    }
  });

  test("in issues: their list, and each with its events, whom it concerns and why it is one", async () => {
    const { issues } = await scene.admin("GET", "/issues?limit=100");
    assert.ok(issues.length > PAYLOADS.length / 2, `${issues.length} issues`);
    await scene.visit("/ui/issues?status=all");
    await clean("the list of issues");
    for (const { id } of issues) {
      await scene.travel(`/ui/issues/${encodeURIComponent(id)}`);
      await scene.page.getByRole("region", { name: "Affected" }).waitFor();
      await clean(`the issue ${id}`);
    }
  });

  test("in the first page and in the list of issues, all of them", async () => {
    const { logs } = await scene.admin("GET", `/logs?project_id=${SLUG}&limit=100`);
    const [issue] = (await scene.admin("GET", "/issues")).issues;
    const issues = PAYLOADS.map((text, index) => ({ ...issue, id: `1-${index}`, title: text, project: text, source: text, fingerprint: text }));
    /** @param {string} path @param {object} more */
    const answer = (path, more) => scene.page.route((url) => url.pathname === path, async (route) => {
      const reply = await route.fetch();
      await route.fulfill({ response: reply, json: { ...await reply.json(), ...more } });
    });
    await answer("/logs", { logs });
    await answer("/stats", { top_issues: issues });
    await answer("/issues", { issues });
    await scene.visit("/ui/");
    assert.equal(await scene.page.getByRole("region", { name: "Recent errors" }).getByRole("listitem").count(), PAYLOADS.length);
    assert.equal(await scene.page.getByRole("table").getByRole("rowheader").count(), PAYLOADS.length);
    await clean("the first page");
    let top = 0;
    await scene.page.route((url) => url.pathname === "/stats", async (route) => {
      const body = await (await route.fetch()).json();
      const [text = ""] = PAYLOADS.slice(top);
      await route.fulfill({ json: { ...body, top_issues: [{ ...issues[top], project: `${top} ${text}`, source: text, level: "error" }] } });
    });
    for (; top < PAYLOADS.length; top += 1) {
      await scene.page.getByRole("button", { name: "Refresh" }).click();
      await scene.page.locator(".verdict").filter({ hasText: `Top issue in ${top} ` }).waitFor();
      await clean(`the verdict on ${PAYLOADS[top]}`);
    }
    await scene.visit("/ui/issues?status=all");
    const boxes = scene.page.locator(".issue").getByRole("checkbox");
    assert.equal(await boxes.count(), PAYLOADS.length);
    for (let index = 0; index < PAYLOADS.length; index += 1) {
      await boxes.nth(index).check();
      await scene.page.locator("summary", { hasText: /^Mute$/ }).click();
      await scene.page.getByText(/^Mute “.+”$/).waitFor();
      await clean(`what would be muted, ${index}`);
      await scene.page.keyboard.press("Escape");
      await boxes.nth(index).uncheck();
    }
    await scene.page.unrouteAll({ behavior: "wait" });
  });

  test("in what the query box offers", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    const box = scene.page.getByRole("combobox", { name: "Search" });
    for (const typed of ["source:", "env:", "source:\"<", "env:\"'", "ctx.", "has:ctx."]) {
      await box.fill(typed);
      await scene.page.getByRole("option").first().waitFor();
      await clean(`what ${typed} offers`);
    }
    // Each of them as a value, by its own beginning.
    let offered = 0;
    for (const payload of PAYLOADS) {
      await box.fill(`source:"${payload.slice(0, 6).replace(/["\\\u0000-\u001f]/g, "")}`);
      offered += await scene.page.getByRole("option").count();
      await clean(`the value ${payload}`);
    }
    assert.ok(offered > PAYLOADS.length / 2, `${offered} values were offered`);
    await box.fill("");
  });

  test("in events: shown as they are written", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    await scene.page.setViewportSize({ width: 1440, height: 1600 });
    await until(async () => (await scene.rows().count()) === PAYLOADS.length, "all rows are in sight");
    const rows = (await scene.rows().allTextContents()).join("\n");
    await scene.page.setViewportSize({ width: 1440, height: 900 });
    for (const text of ["<script>window.ran=1</script> hostile", "${window.ran=1} hostile", "&lt;img src=x", "__proto__ hostile", "⟨U+202E⟩", "^["]) {
      assert.ok(rows.includes(text), text);
    }
    assert.ok(!/[\u202e\u0007\u001b]/.test(rows));
  });

  test("in counts of many, patterns, the dashboard, and the tail as they arrive", async () => {
    for (const address of [`/ui/logs?project=${SLUG}&side=fields`, `/ui/logs?project=${SLUG}&side=patterns`, "/ui/logs", "/ui/", `/ui/?project=${SLUG}`, "/ui/overflow"]) {
      await scene.visit(address);
      await clean(address);
    }
    await scene.visit(`/ui/logs?project=${SLUG}&live=1&q=arriving`);
    await scene.page.getByText("Live.").waitFor();
    const tailed = payloadEvents().map((event) => ({ ...event, ts: new Date().toISOString(), level: "info", message: `${event.message} arriving` }));
    await postBatch(scene.server.base, key, JSON.stringify(tailed));
    await until(async () => (await scene.total()) === PAYLOADS.length, "all of them have arrived");
    await clean("the tail");
  });

  test("in the query box", async () => {
    await scene.visit("/ui/logs");
    const box = scene.page.getByRole("combobox", { name: "Search" });
    for (const payload of PAYLOADS) {
      const typed = payload.replace(/[\u0000-\u001f]/g, "?");
      await box.fill(typed);
      await box.press("Enter");
      await until(async () => scene.param("q") === typed.trim(), `${typed} is in the address`);
      await scene.settled();
      await clean(`the query ${payload}`);
    }
  });

  test("in every parameter of an address, and in its path", async () => {
    await scene.visit("/ui/projects");
    for (const payload of PAYLOADS) {
      const text = encodeURIComponent(payload);
      for (const address of [
        `/ui/logs?q=${text}&project=${text}&level=${text}&range=${text}&from=${text}&to=${text}&sel=${text}&side=${text}&live=${text}&cols=${text}&tz=${text}&by=${text}&order=${text}&fold=${text}`,
        // Where the search itself is answered.
        `/ui/logs?project=${SLUG}&by=${text}&order=${text}&fold=${text}&cols=${text}&tz=${text}&side=${text}&sel=${text}`,
        `/ui/?project=${text}&range=${text}`, `/ui/alerts?state=${text}&project=${text}`,
        `/ui/issues?status=${text}&sort=${text}&project=${text}&q=${text}&level=${text}`,
        `/ui/overflow?span=${text}&from=${text}&to=${text}&project=${text}`, `/ui/logs/${text}?scope=${text}`, `/ui/logs/${ids[0]}?scope=${text}&tz=${text}`,
        `/ui/issues/${text}`, `/ui/projects/${text}`, `/ui/projects/${text}/setup`,
      ]) {
        await scene.travel(address);
      }
      await clean(`addresses with ${payload}`);
    }
    // Opening it takes the session for ended.
    for (const payload of PAYLOADS) {
      await scene.travel(`/ui/login?next=${encodeURIComponent(payload)}`);
      await clean(`signing in before ${payload}`);
    }
    // As a link from elsewhere opens them.
    for (const payload of PAYLOADS.slice(0, 8)) {
      await scene.visit(`/ui/logs/${encodeURIComponent(payload)}?scope=${encodeURIComponent(payload)}`);
      await scene.visit(`/ui/login?next=${encodeURIComponent(payload)}`);
      await clean(`a link with ${payload}`);
    }
  });

  test("do not lead away after signing in", async () => {
    for (const next of ["//example.invalid/", "/\\example.invalid", "https://example.invalid/", "javascript:window.ran=1", "/ui/../admin", ...PAYLOADS.filter((payload) => /^[^<]*[:/]/.test(payload))]) {
      await scene.visit(`/ui/login?next=${encodeURIComponent(next)}`);
      await scene.page.getByLabel("Admin token").fill(scene.server.token);
      await scene.page.keyboard.press("Enter");
      await until(async () => new URL(scene.page.url()).pathname !== "/ui/login", "signed in");
      const { origin, pathname } = new URL(scene.page.url());
      assert.ok(origin === scene.server.base && pathname.startsWith("/ui"), scene.page.url());
      await clean(next);
    }
  });
});
