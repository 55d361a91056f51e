// Fifty hostile texts in every place a value is shown: nothing runs, nothing is asked of other hosts, no rule of the
// page's policy is even tried, and no console error is logged.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { PAYLOADS, payloadEvents } from "./payloads.mjs";
import { openScene } from "./scene.mjs";
import { postBatch } from "./seed.mjs";

const SLUG = "hostile";
/** What no page of ours has inside. */
const FOREIGN = "img, iframe, script, object, embed, style, link, base, meta, math, video, audio, marquee, [onclick], [onload], [onerror], [onfocus], [onmouseover], a[href^='javascript' i], a[href^='data:'], a[href^='//']";
const NAME = 120;

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {string[]} */
let ids = [];

const drawer = () => scene.page.getByRole("complementary", { name: "Event" });

/** Nothing ran and nothing foreign is in the document. @param {string} where */
async function clean(where) {
  const found = await scene.page.evaluate((foreign) => ({
    ran: Reflect.get(window, "ran"), polluted: Reflect.get({}, "ran") ?? Reflect.get({}, "hostile"),
    elements: [...document.querySelectorAll(foreign)].filter((one) => !document.head.contains(one)).map((one) => one.outerHTML.slice(0, 200)),
  }), FOREIGN);
  assert.deepEqual(found, { ran: undefined, polluted: undefined, elements: [] }, where);
  assert.deepEqual(scene.faults, [], where);
}

before(async () => {
  scene = await openScene({ OUTBOUND_ALLOW_PRIVATE: "true" });
  const { id, key } = await scene.project(SLUG, PAYLOADS[1]);
  await postBatch(scene.server.base, key, JSON.stringify(payloadEvents()));
  for (const [index, payload] of PAYLOADS.entries()) {
    const name = payload.slice(0, NAME).replace(/[\u0000-\u001f]/g, "?");
    await scene.admin("POST", "/admin/projects", { name, slug: `named-${index}` });
    await scene.admin("POST", `/admin/projects/${id}/keys`, { kind: "read", note: name }).catch((error) => {
      // A project has a bound of keys.
      if (!/422|409/.test(String(error))) throw error;
    });
    await scene.admin("POST", "/admin/alerts/channels", { kind: "webhook", name, url: `http://127.0.0.1:9/${index}`, project_id: id, enabled: index % 2 === 0 });
  }
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

  test("in events: rows, detail, JSON, permalink and what is around it", async () => {
    await scene.visit(`/ui/logs?project=${SLUG}`);
    assert.equal(await scene.total(), PAYLOADS.length);
    for (const [index, id] of ids.entries()) {
      await scene.travel(`/ui/logs?project=${SLUG}&sel=${id}`);
      await drawer().getByRole("button", { name: "JSON", exact: true }).click();
      assert.ok((await drawer().textContent())?.includes("hostile"), `event ${index}`);
      await clean(`the detail of ${index}`);
      await scene.travel(`/ui/logs/${id}?scope=${index % 2 === 0 ? "request" : "source"}`);
      await scene.page.getByRole("table", { name: "Events before and after" }).waitFor();
      await clean(`the permalink of ${index}`);
    }
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

  test("in counts, patterns, the tail and every page with names", async () => {
    const [first] = (await scene.admin("GET", "/issues")).issues;
    for (const address of [
      `/ui/logs?project=${SLUG}&side=fields`, `/ui/logs?project=${SLUG}&side=patterns`, `/ui/logs?project=${SLUG}&live=1`, "/ui/logs",
      "/ui/", `/ui/?project=${SLUG}`, "/ui/projects", `/ui/projects/${SLUG}`, `/ui/projects/${SLUG}/setup`, "/ui/issues?status=all", `/ui/issues/${encodeURIComponent(first.id)}`,
      "/ui/overflow", "/ui/alerts", "/ui/system",
    ]) {
      await scene.visit(address);
      await clean(address);
    }
    await scene.visit("/ui/alerts");
    assert.equal(await scene.page.getByRole("region", { name: "Channels", exact: true }).getByRole("listitem").count(), PAYLOADS.length);
    for (const name of ["Edit", "Send test", "Delete"]) {
      await scene.page.getByRole("button", { name, exact: true }).first().click();
      await scene.settled();
      await clean(`alerts, ${name}`);
    }
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
        `/ui/logs?q=${text}&project=${text}&level=${text}&range=${text}&from=${text}&to=${text}&sel=${text}&side=${text}&live=${text}&cols=${text}&tz=${text}`,
        `/ui/?project=${text}&range=${text}`, `/ui/alerts?state=${text}&project=${text}`, `/ui/issues?status=${text}&sort=${text}&project=${text}&q=${text}`,
        `/ui/logs/${text}?scope=${text}`, `/ui/issues/${text}`,
      ]) {
        await scene.travel(address);
      }
      await clean(`addresses with ${payload}`);
    }
    // As a link from elsewhere opens them.
    for (const payload of PAYLOADS.slice(0, 8)) {
      await scene.visit(`/ui/logs/${encodeURIComponent(payload)}?scope=${encodeURIComponent(payload)}`);
      await scene.visit(`/ui/login?next=${encodeURIComponent(payload)}`);
      await clean(`a link with ${payload}`);
    }
  });

  test("do not lead away after signing in", async () => {
    for (const next of ["//example.invalid/", "/\\example.invalid", "https://example.invalid/", "javascript:window.ran=1", "/ui/../admin"]) {
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
