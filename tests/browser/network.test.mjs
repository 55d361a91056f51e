// The page over a slow line and on a slow machine: 150 ms of round trip, 1.6 Mbit/s, a processor four times slower. Times
// are printed for docs/PERFORMANCE.md and not asserted; what must hold is that it comes up, in few requests.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until, watchedPage } from "./browser.mjs";
import { openScene, slowDown } from "./scene.mjs";
import { ordinary, postBatch } from "./seed.mjs";

const SLUG = "slow";
const RUNS = 3;

/** @type {import("./scene.mjs").Scene} */
let scene;

before(async () => {
  scene = await openScene();
  const { key } = await scene.project(SLUG);
  await postBatch(scene.server.base, key, JSON.stringify(ordinary(230)));
});

after(() => scene?.close());

/** A tab on the slow line, with nothing cached. */
async function slowTab() {
  const context = await scene.browser.newContext({ viewport: { width: 1440, height: 900 }, storageState: await scene.context.storageState() });
  const { page: tab } = await watchedPage(context, scene.server.base, scene.faults);
  await slowDown(tab);
  return { tab, close: () => context.close() };
}

/** @param {number[]} values */
const middle = (values) => Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);

describe("over a slow line", { concurrency: false }, () => {
  test("the list comes up in few requests, and says what it waits for", async () => {
    /** @type {{ paint: number[], rows: number[] }} */
    const times = { paint: [], rows: [] };
    for (let run = 0; run < RUNS; run += 1) {
      const { tab, close } = await slowTab();
      const asked = { assets: 0 };
      tab.on("request", (request) => (asked.assets += Number(request.url().includes("/assets/"))));
      await tab.addInitScript(() => {
        new MutationObserver((_, observer) => {
          const line = document.querySelector("[role=status].status")?.textContent;
          if (line) Reflect.set(window, "saidFirst", Reflect.get(window, "saidFirst") ?? line);
          if (!document.querySelector(".rows .row")) return;
          observer.disconnect();
          requestAnimationFrame(() => Reflect.set(window, "rowsAt", performance.now()));
        }).observe(document, { childList: true, subtree: true });
      });
      await tab.goto(`${scene.server.base}/ui/logs?project=${SLUG}`);
      await scene.rows(tab).first().waitFor();
      await until(async () => (await tab.evaluate(() => Reflect.get(window, "rowsAt"))) !== undefined, "the rows are painted");
      const seen = await tab.evaluate(() => ({
        paint: performance.getEntriesByType("paint").find(({ name }) => name === "first-contentful-paint")?.startTime ?? 0, rows: Number(Reflect.get(window, "rowsAt")),
      }));
      assert.equal(await tab.evaluate(() => Reflect.get(window, "saidFirst")), "Searching…", "what it waits for, before there is a row");
      times.paint.push(seen.paint);
      times.rows.push(seen.rows);
      assert.ok(asked.assets <= 3, `${asked.assets} assets`);
      await close();
    }
    console.log(`slow line, middle of ${RUNS}: first paint ${middle(times.paint)} ms, rows ${middle(times.rows)} ms`);
  });

  test("an event, the other pages and a search still answer", async () => {
    const { tab, close } = await slowTab();
    await tab.goto(`${scene.server.base}/ui/logs?project=${SLUG}`);
    await scene.rows(tab).first().click();
    await tab.getByRole("complementary", { name: "Event" }).getByText("request_id").waitFor();
    for (const [link, heading] of [["Overflow", "Overflow"], ["Alerts", "Alerts"], ["Now", "Now"]]) {
      await tab.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: link ?? "", exact: true }).click();
      await tab.getByRole("heading", { name: heading ?? "", level: 1, exact: true }).waitFor();
      await scene.settled(tab);
    }
    await close();
  });
  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
