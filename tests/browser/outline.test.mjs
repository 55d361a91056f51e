// Each page as a screen reader goes through it. What is held of each is in outlines.txt; OUTLINES=write writes it anew,
// to be read before it is committed.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { faultsOf, outlineOf, spoken } from "./outline.mjs";
import { openScene } from "./scene.mjs";
import { FULL, ordinary, postBatch } from "./seed.mjs";

const SLUG = "outline";
const HELD = new URL("./outlines.txt", import.meta.url);

/** @type {import("./scene.mjs").Scene} */
let scene;
/** Names and addresses. @type {[string, string][]} */
let pages = [];
/** What was found now, by name. @type {Map<string, string>} */
const found = new Map();

before(async () => {
  scene = await openScene({}, [/^answer: 404 GET \/(ui\/nothing-here|logs\/x)$/]);
  const { key } = await scene.project(SLUG, "Outline");
  await postBatch(scene.server.base, key, JSON.stringify([...ordinary(20), FULL]));
  await until(async () => (await scene.admin("GET", "/issues")).issues.some((/** @type {{ level: string }} */ { level }) => level === "fatal"), "the events are counted");
  const [{ id }] = (await scene.admin("GET", "/logs?level=fatal")).logs;
  const issue = (await scene.admin("GET", "/issues?level=fatal")).issues[0];
  pages = [
    ["now", "/ui/"], ["logs", "/ui/logs"], ["logs, one open", `/ui/logs?sel=${id}`], ["event", `/ui/logs/${id}?scope=source`], ["no event", "/ui/logs/x"],
    ["issues", "/ui/issues"], ["no issue", "/ui/issues?q=nothing"], ["issue", `/ui/issues/${issue.id}`], ["projects", "/ui/projects"], ["project", `/ui/projects/${SLUG}`],
    ["setup", `/ui/projects/${SLUG}/setup`], ["overflow", "/ui/overflow"], ["alerts", "/ui/alerts"], ["system", "/ui/system"], ["no page", "/ui/nothing-here"],
  ];
});

after(() => scene?.close());

/** @param {string} name */
async function listen(name, page = scene.page) {
  const heard = await spoken(page);
  assert.deepEqual(faultsOf(heard), [], name);
  found.set(name, outlineOf(heard, "main").join("\n"));
  found.set("bar", outlineOf(heard, "banner").join("\n"));
}

describe("a screen reader", { concurrency: false }, () => {
  test("finds everything named, once, and headings in order, on every page and in both sizes", async () => {
    for (const [width, mark] of /** @type {const} */ ([[390, " (phone)"], [1440, ""]])) {
      await scene.page.setViewportSize({ width, height: 900 });
      for (const [name, address] of pages) {
        await scene.visit(address);
        // It loads beside a list that is there already.
        if (address.includes("sel=")) await scene.page.getByRole("button", { name: "Copy JSON" }).waitFor();
        await listen(`${name}${mark}`);
      }
    }
    const stranger = await scene.browser.newContext({ locale: "en-GB" });
    const look = await stranger.newPage();
    await look.goto(`${scene.server.base}/ui/login`);
    await look.getByLabel("Admin token").waitFor();
    await listen("login", look);
    await stranger.close();
    await scene.visit("/ui/");
    await listen("now");
  });

  test("finds its way by the same landmarks, headings and names as before", async () => {
    const text = [...found].filter(([name]) => !name.endsWith("(phone)")).map(([name, outline]) => `== ${name}\n${outline}\n`).join("\n");
    if (process.env.OUTLINES === "write") await writeFile(HELD, text);
    const held = new Map((await readFile(HELD, "utf8")).split(/^== /m).slice(1).map((part) => {
      const end = part.indexOf("\n");
      return [part.slice(0, end), part.slice(end + 1).trimEnd()];
    }));
    for (const [name] of [["bar"], ...pages, ["login"]]) assert.equal(found.get(name ?? ""), held.get(name ?? ""), name);
  });
});

test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
