// Times of the page against their budgets, for docs/PERFORMANCE.md. Nothing is asserted: a busy machine is slow.
//
//   scripts/build-release && npm --prefix tests/browser run measure [slow] [list] [histogram] [tail]
//
// RUNS (5) is how often the slow line is measured, FRAMES (40) how often the list and the histogram are; TAIL_SECONDS (60)
// is how long the tail is. The middle is told, and the most.

import { execFileSync } from "node:child_process";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { until } from "./browser.mjs";
import { openScene, slowDown } from "./scene.mjs";
import { ordinary, postBatch } from "./seed.mjs";

const RUNS = Number(process.env.RUNS ?? 5);
const TAIL_SECONDS = Number(process.env.TAIL_SECONDS ?? 60);
const TAIL_BATCH = 250;
/** Frames that are measured in one run. */
const FRAMES = Number(process.env.FRAMES ?? 40);
const MANY_ROWS = 100_000;
const SLUG = "measured";

process.env.TEKNO_BIN ??= fileURLToPath(new URL("../../target/release/tekno-logger", import.meta.url));
const wanted = process.argv.slice(2);
/** @type {Awaited<ReturnType<typeof openScene>>} */
let scene;

/** @param {number[]} values @param {number} part */
function at(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** @param {string} what @param {number} goal in ms @param {number[]} values in ms */
function say(what, goal, values) {
  const middle = at(values, 0.5);
  console.log(`${what}: middle ${middle.toFixed(1)} ms, most ${Math.max(...values).toFixed(1)} ms, of ${values.length}; goal ${goal} ms${middle > goal ? ", OVER" : ""}`);
}

/** From the first byte asked for to the paint, on a slow line and a slow processor, with nothing cached. */
async function slow() {
  /** @type {{ paint: number[], rows: number[], more: number[] }} */
  const times = { paint: [], rows: [], more: [] };
  for (let run = 0; run < RUNS; run += 1) {
    const context = await scene.browser.newContext({ viewport: { width: 1440, height: 900 }, storageState: await scene.context.storageState() });
    const tab = await context.newPage();
    await slowDown(tab);
    await tab.addInitScript(() => {
      const rows = () => Number(document.querySelector(".table")?.getAttribute("aria-rowcount") ?? 1) - 1;
      /** @type {Record<string, number>} */
      const seen = {};
      Reflect.set(window, "seen", seen);
      new MutationObserver(() => {
        for (const [name, least] of /** @type {const} */ ([["rows", 1], ["more", 200]])) {
          if (rows() < least || name in seen) continue;
          seen[name] = 0;
          requestAnimationFrame(() => requestAnimationFrame(() => (seen[name] = performance.now())));
        }
      }).observe(document, { childList: true, subtree: true, attributes: true });
    });
    await tab.goto(`${scene.server.base}/ui/logs?project=${SLUG}`);
    const seen = () => tab.evaluate(() => /** @type {Record<string, number>} */ (Reflect.get(window, "seen")));
    await until(async () => ((await seen()).rows ?? 0) > 0, "the rows are painted");
    const more = tab.getByRole("button", { name: "Load older events" });
    if (((await seen()).more ?? 0) === 0 && (await more.count()) > 0) await more.click();
    await until(async () => ((await seen()).more ?? 0) > 0, "200 rows are there");
    times.paint.push(await tab.evaluate(() => performance.getEntriesByType("paint").find(({ name }) => name === "first-contentful-paint")?.startTime ?? 0));
    times.rows.push((await seen()).rows ?? 0);
    times.more.push((await seen()).more ?? 0);
    await context.close();
  }
  say("slow line, first paint", 1000, times.paint);
  say("slow line, rows of the first page", 2000, times.rows);
  say("slow line, 200 rows", 2000, times.more);
}

/** Gives the page `rendered`: how long some work takes with the style, layout and paint that follow it. */
async function prepare() {
  // The joined scripts keep their classes for themselves, under short names: the page runs the modules they are made of.
  await scene.page.route((url) => /^\/assets\/.*\.js$/.test(url.pathname), async (route) => {
    const name = new URL(route.request().url()).pathname.split("/").slice(3).join("/");
    await route.fulfill({ path: fileURLToPath(new URL(`../../web/${name}`, import.meta.url)) });
  });
  await scene.visit(`/ui/logs?project=${SLUG}`);
  await scene.page.evaluate(async () => {
    const main = /** @type {HTMLScriptElement} */ (document.querySelector("script[type=module]")).src;
    const [{ EventList }, { HistogramView }] = await Promise.all(["parts/list.js", "parts/histogram.js"].map((name) => import(new URL(name, main).href)));
    Reflect.set(window, "measured", { EventList, HistogramView });
    Reflect.set(window, "rendered", (/** @type {() => void} */ work) => new Promise((resolve) => requestAnimationFrame(() => {
      const begin = performance.now();
      work();
      // A message sent before a frame is drawn arrives after it.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(performance.now() - begin);
      port2.postMessage(null);
    })));
  });
}

/** The list with many rows: new ones on top as the tail puts them, and going to a place far away. */
async function list() {
  await prepare();
  const { added, moved, nodes } = await scene.page.evaluate(async ({ frames, many }) => {
    const { EventList } = Reflect.get(window, "measured");
    const rendered = Reflect.get(window, "rendered");
    const event = (/** @type {number} */ n) => ({
      id: `e${n}`, project_id: 1, project: "measured", ts: new Date(1.79e12 + n * 10).toISOString(), received_at: "", level: ["info", "warn", "error"][n % 3],
      source: "web", env: "production", message: `GET /api/carts/${n} 200 in ${n % 97} ms, and a text that is cut at the end of the line because it is long enough for that`,
    });
    const view = { now: Date.now(), manyProjects: false, q: "carts" };
    const shown = new EventList(() => {});
    document.querySelector(".list .table")?.replaceWith(shown.element);
    shown.element.hidden = false;
    let next = many;
    shown.append(Array.from({ length: many }, (_, n) => event(many - n)), view);
    const added = [];
    const moved = [];
    let nodes = 0;
    for (let frame = 0; frame < frames; frame += 1) {
      const batch = Array.from({ length: 250 }, () => event((next += 1))).reverse();
      added.push(await rendered(() => shown.prepend(batch, view, many)));
      moved.push(await rendered(() => shown.focus(Math.floor(Math.random() * many))));
      nodes = Math.max(nodes, shown.element.querySelectorAll("*").length);
    }
    return { added, moved, nodes };
  }, { frames: FRAMES, many: MANY_ROWS });
  say(`list of ${MANY_ROWS.toLocaleString("en")}, 250 new on top`, 16, added);
  say(`list of ${MANY_ROWS.toLocaleString("en")}, going to any row`, 16, moved);
  console.log(`list: at most ${nodes} nodes; goal 500${nodes > 500 ? ", OVER" : ""}`);
}

async function histogram() {
  await prepare();
  const times = await scene.page.evaluate(async (frames) => {
    const { HistogramView } = Reflect.get(window, "measured");
    const rendered = Reflect.get(window, "rendered");
    const view = new HistogramView(() => {});
    document.querySelector(".histogram")?.replaceWith(view.element);
    const made = () => ({
      from: new Date(1.79e12).toISOString(), to: new Date(1.79e12 + 120 * 30_000).toISOString(), step_seconds: 30,
      buckets: Array.from({ length: 120 }, (_, n) => ({
        from: new Date(1.79e12 + n * 30_000).toISOString(), to: new Date(1.79e12 + (n + 1) * 30_000).toISOString(),
        counts: Object.fromEntries(["trace", "debug", "info", "warn", "error", "fatal"].map((level) => [level, Math.floor(Math.random() * 500)])),
      })),
    });
    const times = [];
    for (let frame = 0; frame < frames; frame += 1) {
      const next = made();
      times.push(await rendered(() => view.show(next, true)));
    }
    return times;
  }, FRAMES);
  say("histogram, 120 buckets of six levels", 8, times);
}

/** The tail at 1,000 events a second. Each batch is timed with its layout; the heap is what is used, and what stays. */
async function tail() {
  await prepare();
  await scene.page.evaluate(() => {
    const { EventList } = Reflect.get(window, "measured");
    const { prepend } = EventList.prototype;
    /** @type {number[]} */
    const times = [];
    Reflect.set(window, "batches", times);
    EventList.prototype.prepend = function timed(/** @type {unknown[]} */ ...what) {
      const begin = performance.now();
      prepend.apply(this, what);
      void this.element.offsetHeight;
      times.push(performance.now() - begin);
    };
  });
  await scene.travel(`/ui/logs?project=${SLUG}&live=1`);
  const status = async () => (await scene.page.locator(".live [role=status]").textContent()) ?? "";
  await until(async () => (await status()).startsWith("Live."), "the tail is open");
  const session = await scene.context.newCDPSession(scene.page);
  await session.send("Performance.enable");
  const busy = async () => (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0;
  const [busyBefore, begin] = [await busy(), performance.now()];
  let most = { heap: 0, rows: 0, nodes: 0 };
  const key = keys[0] ?? { api_key: "", signing_secret: "" };
  for (let index = 0; index < (TAIL_SECONDS * 1000) / TAIL_BATCH; index += 1) {
    const due = begin + index * TAIL_BATCH;
    await until(async () => performance.now() >= due, "the next batch is due");
    await postBatch(scene.server.base, key, JSON.stringify(Array.from({ length: TAIL_BATCH }, (_, n) => ({
      level: n % 50 === 0 ? "error" : "info", message: `flood ${index * TAIL_BATCH + n}`, source: "flood", request_id: `flood-${index}-${n}`,
    }))));
    if (index % 8 !== 0) continue;
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    const now = await scene.page.evaluate(() => ({ rows: Number(document.querySelector(".table")?.getAttribute("aria-rowcount")) - 1, nodes: document.querySelectorAll(".table *").length }));
    most = { heap: Math.max(most.heap, usedSize), rows: Math.max(most.rows, now.rows), nodes: Math.max(most.nodes, now.nodes) };
  }
  const took = (performance.now() - begin) / 1000;
  const share = (100 * ((await busy()) - busyBefore)) / took;
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const times = await scene.page.evaluate(() => /** @type {number[]} */ (Reflect.get(window, "batches")));
  say(`tail for ${took.toFixed(0)} s, a batch with its layout`, 16, times);
  console.log(`tail: 99 of 100 batches within ${at(times, 0.99).toFixed(1)} ms, page's thread busy ${share.toFixed(0)} % of the time, ${await status()}`);
  console.log(`tail: at most ${most.rows} rows, ${most.nodes} nodes, heap at most ${(most.heap / 1e6).toFixed(1)} MB, ${(usedSize / 1e6).toFixed(1)} MB after collecting; goal 50 MB${most.heap > 50e6 ? ", OVER" : ""}`);
}

/** @type {import("./seed.mjs").Key[]} */
const keys = [];
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
console.log(`page of ${commit}, load average ${loadavg().map((load) => load.toFixed(1)).join(" ")}`);
scene = await openScene();
try {
  const { key } = await scene.project(SLUG);
  keys.push(key);
  await postBatch(scene.server.base, key, JSON.stringify(ordinary(230)));
  for (const [name, work] of Object.entries({ slow, list, histogram, tail })) if (wanted.length === 0 || wanted.includes(name)) await work();
  if (scene.faults.length > 0) console.log(`faults:\n${scene.faults.join("\n")}`);
} finally {
  await scene.close();
}
