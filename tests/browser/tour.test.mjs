// The scene of the README's pictures: an hour of a shop whose payment gateway goes away. The pictures are written beside the
// other screenshots; those in docs/images are copies of them. For those, FAKETIME_LIB names libfaketime.so.1: the service's
// clock then goes through that hour, and events are received as they happen. Without it they are all received now.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "./browser.mjs";
import { SCREENSHOTS } from "./inspect.mjs";
import { openScene } from "./scene.mjs";
import { postBatch } from "./seed.mjs";

const ROOT = new URL("../../", import.meta.url);
const MOST_BYTES = 150 * 1024;
const MINUTES = 55;

/** @type {import("./scene.mjs").Scene} */
let scene;

/** What the shop says in a minute, newest last. @param {number} minute before now */
function minuteOf(minute) {
  const at = (/** @type {number} */ second) => new Date(Date.now() - minute * 60_000 + second * 1000).toISOString();
  const cart = (7300 + minute * 37).toString(16);
  const events = [
    { ts: at(2), level: "info", source: "web", message: `GET /carts/${cart} 200 in ${9 + (minute % 7)} ms`, request_id: `01hr${cart}a` },
    { ts: at(11), level: "info", source: "checkout", message: `order ${8000 + minute} placed, 3 lines, 129.90 EUR`, user_id: `u-${400 + (minute % 9)}` },
    { ts: at(19), level: "debug", source: "worker", message: `reserved stock for order ${8000 + minute} in ${3 + (minute % 4)} ms` },
    { ts: at(33), level: "info", source: "web", message: `POST /orders 201 in ${44 + (minute % 23)} ms`, request_id: `01hr${cart}b` },
  ];
  if (minute % 6 === 0) events.push({ ts: at(38), level: "warn", source: "worker", message: `retry 1 of 3: inventory answered 503 after ${800 + minute} ms` });
  if (minute <= 14 && minute >= 5) {
    for (let n = 0; n < 3 + ((minute * 5) % 7); n += 1) {
      events.push({ ts: at(40 + n * 2), level: "error", source: "checkout", message: `payment failed for order ${8000 + minute}: gateway did not answer in 5000 ms`, request_id: `01hr${cart}${n}` });
    }
  }
  return events.map((event) => ({ env: "production", release: "2026.11.4", ...event }));
}

const WORST = {
  level: "fatal", source: "checkout", env: "production", release: "2026.11.4", user_id: "u-407", request_id: "01hr84fa0", tags: ["payment"],
  message: "checkout worker stopped: 40 payments in a row failed\nTimeoutError: gateway did not answer in 5000 ms",
  ctx: { order: { id: 8009, total: 129.9, currency: "EUR" }, gateway: "north", failed: 40 },
  stack: "TimeoutError: gateway did not answer in 5000 ms\n    at Gateway.charge (/srv/shop/gateway.js:118:11)\n    at async Checkout.pay (/srv/shop/checkout.js:64:20)",
};

const { FAKETIME_LIB } = process.env;
/** What the service's clock is off by, as libfaketime reads it. */
let clock = "";

/** @param {number} minutes behind ours */
const turnBack = (minutes) => writeFile(clock, `${minutes === 0 ? "+" : "-"}${minutes * 60}`);

before(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  clock = join(await mkdtemp(join(tmpdir(), "tekno-clock-")), "offset");
  await turnBack(MINUTES + 1);
  scene = await openScene(FAKETIME_LIB ? { LD_PRELOAD: FAKETIME_LIB, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" } : {});
  const { key } = await scene.project("shop", "Shop");
  let posted = 0;
  for (let minute = MINUTES; minute > 0; minute -= 1) {
    /** @type {object[]} */
    const events = minuteOf(minute);
    if (minute === 5) events.push({ ...WORST, ts: new Date(Date.now() - 4 * 60_000).toISOString() });
    // The minute has just passed.
    await turnBack(minute - 1);
    await postBatch(scene.server.base, key, JSON.stringify(events), FAKETIME_LIB ? Date.now() - (minute - 1) * 60_000 : Date.now());
    posted += events.length;
  }
  await until(async () => (await scene.admin("GET", "/stats")).total === posted, "the events are counted");
});

after(async () => {
  await scene?.close();
  await rm(join(clock, ".."), { recursive: true, force: true });
});

test("the scene of the README's pictures can be shown, in pictures of at most 150 KB", async () => {
  await scene.page.setViewportSize({ width: 1240, height: 780 });
  await scene.visit("/ui/?project=shop");
  await picture("tour-now");
  await scene.page.setViewportSize({ width: 1120, height: 600 });
  await scene.visit("/ui/logs?project=shop&q=-level%3Adebug");
  await scene.rows().filter({ hasText: "checkout worker stopped" }).click();
  await scene.page.getByRole("complementary", { name: "Event" }).getByText("u-407").waitFor();
  await scene.settled();
  await scene.page.mouse.move(0, 0);
  await picture("tour-logs");
  assert.deepEqual(scene.faults, []);
});

test("each picture in docs/images is one of the README's, and has at most 150 KB", async () => {
  const readme = await readFile(new URL("README.md", ROOT), "utf8");
  const names = (await readdir(new URL("docs/images/", ROOT))).filter((name) => name.endsWith(".png"));
  assert.deepEqual(names.sort(), ["logs.png", "now.png"]);
  for (const name of names) {
    assert.ok(readme.includes(`](docs/images/${name})`), `README.md shows ${name}`);
    const { size } = await stat(new URL(`docs/images/${name}`, ROOT));
    assert.ok(size <= MOST_BYTES, `${name} has ${size} bytes`);
  }
});

/** @param {string} name */
async function picture(name) {
  const path = new URL(`${name}.png`, SCREENSHOTS).pathname;
  await scene.page.screenshot({ path });
  const { size } = await stat(path);
  assert.ok(size <= MOST_BYTES, `${name} has ${size} bytes`);
}
