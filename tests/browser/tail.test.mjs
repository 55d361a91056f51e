// The live tail under load, while someone reads: what arrives waits, is counted, and is all there afterwards, once.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { until } from "./browser.mjs";
import { openScene } from "./scene.mjs";
import { ordinary, postBatch } from "./seed.mjs";

const SLUG = "tail";
const EVENTS = 40;
/** Events a batch, and batches: 250 each 250 ms are 1,000 a second, and fewer than the list keeps. */
const BATCH = 250;
const BATCHES = 14;
/** Batches after which someone scrolls down. */
const BEFORE = 4;
const HEAP_BYTES = 50_000_000;
/** Events a millisecond of a flood: more than twice what the list follows, as a slow machine may read them late. */
const FLOOD = 4;
const FLOOD_MS = 50;
/** Fewer events than come between two times that the list is drawn in a flood, and more than come in a quarter of it. */
const ONCE_A_SECOND = 1600;
/** What is behind with writing writes no more than this at once. */
const FLOOD_MOST = 4000;

/** @type {import("./scene.mjs").Scene} */
let scene;
/** @type {import("./seed.mjs").Key} */
let key;

const status = () => scene.page.locator(".live [role=status]");
const catchUp = () => scene.page.getByRole("button", { name: / new$/ });
const numberOf = (/** @type {string | null} */ text) => Number(/\d[\d,]*/.exec(text ?? "")?.[0].replaceAll(",", "") ?? 0);

/** @param {string} name @param {number} from @param {number} count */
const post = (name, from, count) => postBatch(scene.server.base, key, JSON.stringify(
  Array.from({ length: count }, (_, n) => ({ level: n % 50 === 0 ? "error" : "info", message: `${name} ${from + n}.`, source: name, request_id: `${name}-${from + n}` }))));

/** The numbers of the newest event of a flood in the list, in the order they are drawn from now on: it grows. */
const newestDrawn = () => scene.page.evaluateHandle(() => {
  /** @type {number[]} */
  const found = [];
  const pane = document.querySelector(".rows");
  if (pane === null) throw new Error("there is a list");
  new MutationObserver(() => {
    const number = Number(/flood (\d+)\./.exec(pane.querySelector("[role=row]")?.textContent ?? "")?.[1]);
    if (number && number !== found.at(-1)) found.push(number);
  }).observe(pane, { childList: true, subtree: true, characterData: true });
  return found;
});

/**
 * A stream of more events than the service under test can be sent here, until it is told to stop.
 * @param {any} like an event of the service
 */
async function floodOf(like) {
  let sent = 0;
  let isFlowing = true;
  /** @type {Set<import("node:http").ServerResponse>} */
  const open = new Set();
  const stream = createServer((_request, reply) => {
    open.add(reply);
    reply.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    reply.write("retry: 100\n\n");
    const begin = performance.now() - sent / FLOOD;
    const timer = setInterval(() => {
      const due = Math.floor((performance.now() - begin) * FLOOD) - sent;
      if (!isFlowing || due <= 0) return;
      const ids = Array.from({ length: Math.min(FLOOD_MOST, due) }, () => (sent += 1));
      reply.write(ids.map((n) => `event: log\ndata: ${JSON.stringify({ ...like, id: like.id.replace(/\d+$/, String(100_000 + n)), message: `flood ${n}.` })}\n\n`).join(""));
    }, FLOOD_MS);
    reply.on("close", () => {
      open.delete(reply);
      clearInterval(timer);
    });
  });
  await new Promise((resolve) => stream.listen(0, "127.0.0.1", () => resolve(null)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (stream.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    /** How many it sent in all. */
    stop: () => ((isFlowing = false), sent),
    /** Ends what is open, as a service does that sleeps. */
    close: () => {
      for (const reply of open) reply.end();
      stream.close();
      stream.closeIdleConnections();
    },
  };
}

/** Bytes in use, as they are and with what could be collected. */
async function heap() {
  const session = await scene.context.newCDPSession(scene.page);
  await session.send("HeapProfiler.enable");
  const { usedSize: before } = await session.send("Runtime.getHeapUsage");
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize: after } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return { before, after };
}

/** The numbers of the events in the list, by their row, from its top to its end. */
const numbers = () => scene.page.locator(".list").evaluate(async (list) => {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (let top = 0; top < list.scrollHeight; top += list.clientHeight / 2) {
    list.scrollTop = top;
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    for (const row of list.querySelectorAll(".rows [role=row]")) {
      const number = /load (\d+)\./.exec(row.textContent ?? "")?.[1];
      if (number) found.set(row.getAttribute("aria-rowindex") ?? "", Number(number));
    }
  }
  list.scrollTop = 0;
  return [...found.values()];
});

before(async () => {
  scene = await openScene({}, []);
  ({ key } = await scene.project(SLUG));
  await postBatch(scene.server.base, key, JSON.stringify(ordinary(EVENTS)));
  await scene.visit(`/ui/logs?project=${SLUG}&live=1`);
  await until(async () => (await status().textContent())?.startsWith("Live."), "the tail is open");
});

after(() => scene?.close());

describe("the tail at 1,000 events a second", { concurrency: false }, () => {
  test("waits while someone reads further down, counts what is new, and then shows all of it once", async () => {
    const sent = BATCH * BATCHES;
    /** @type {number[]} */
    const waiting = [];
    let held = 0;
    const begin = performance.now();
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const due = begin + batch * BATCH;
      await until(async () => performance.now() >= due, "the next batch is due");
      await post("load", batch * BATCH, BATCH);
      if (batch === BEFORE) {
        await until(async () => (await scene.total()) >= EVENTS + BATCH, "the first are shown");
        await scene.page.locator(".list").evaluate((pane) => pane.scrollTo(0, 800));
      }
      if (batch === BEFORE + 1) {
        await catchUp().waitFor();
        held = await scene.total();
      }
      if (batch > BEFORE) waiting.push(numberOf(await catchUp().textContent()));
    }
    const took = Math.round(performance.now() - begin);
    await until(async () => numberOf(await catchUp().textContent()) === EVENTS + sent - held, "all the others wait");
    assert.equal(await scene.total(), held, "the list stays as it is");
    assert.ok(waiting.every((count, at) => count >= (waiting[at - 1] ?? 0)) && new Set(waiting).size >= 4, `it grows: ${waiting}`);
    assert.match((await status().textContent()) ?? "", /^Paused while you read\./);
    const loose = await heap();
    await catchUp().click();
    await until(async () => (await scene.total()) === EVENTS + sent, "all of them are in the list");
    await catchUp().waitFor({ state: "hidden" });
    const found = await numbers();
    assert.equal(found.length, sent, "each has one row");
    assert.deepEqual([...found].sort((a, b) => a - b), Array.from({ length: sent }, (_, n) => n), "nothing is lost or doubled");
    const shown = await heap();
    for (const bytes of [loose.before, loose.after, shown.before, shown.after]) assert.ok(bytes <= HEAP_BYTES, `${bytes} bytes`);
    console.log(`tail: ${sent} events in ${took} ms, ${waiting.at(-1)} waited, heap at most ${(Math.max(loose.before, shown.before) / 1e6).toFixed(1)} MB before a collection and ${(Math.max(loose.after, shown.after) / 1e6).toFixed(1)} MB after it`);
  });

});

describe("the tail in a flood", { concurrency: false }, () => {
  test("slows with a notice, shows or counts each event, and follows the service again when it is over", async () => {
    const [like] = (await scene.admin("GET", `/logs?project_id=${SLUG}&limit=1`)).logs;
    const flood = await floodOf(like);
    const tail = (/** @type {URL} */ url) => url.pathname === "/logs/tail";
    const notice = async () => ((await status().textContent()) ?? "").includes("So much arrives that the list is drawn once a second.");
    try {
      await scene.page.route(tail, (route) => route.continue({ url: flood.url }));
      await scene.visit(`/ui/logs?project=${SLUG}&live=1`);
      const drawn = await newestDrawn();
      await until(notice, "it says that it is slow");
      assert.match((await status().textContent()) ?? "", /^Live\. So much arrives .* \d[\d,]* new so far\./);
      await until(async () => (await drawn.jsonValue()).some((n, at, all) => n - (all[at - 1] ?? n) > ONCE_A_SECOND), "some are drawn together");
      const sent = flood.stop();
      await until(async () => !(await notice()), "it is over");
      const counted = async () => {
        const text = (await status().textContent()) ?? "";
        return ["new", "skipped"].reduce((sum, word) => sum + numberOf(new RegExp(`[\\d,]+ ${word}`).exec(text)?.[0] ?? null), 0);
      };
      await until(async () => (await counted()) === sent, `each of ${sent} is counted`);
      await scene.page.unroute(tail);
    } finally {
      flood.close();
    }
    await post("after", 0, 3);
    await scene.rows().filter({ hasText: "after 2." }).waitFor();
    assert.equal(await notice(), false);
  });

  test("broke no policy and logged no error in all of this", () => assert.deepEqual(scene.faults, []));
});
