import assert from "node:assert/strict";
import { test } from "node:test";
import { barPaths, countText, stackOf, sumCounts } from "../lib/series.js";
import { addScanned, besides, beyond, orderText } from "../parts/result.js";
import { worstText } from "../parts/side.js";

const SPAN = { from: "2026-11-20T06:00:00Z", to: "2026-11-20T07:00:00Z" };
const histogram = (/** @type {object} */ more) => /** @type {import("../api.js").Histogram} */ ({ ...SPAN, step_seconds: 3600, buckets: [], ...more });

test("bars by level stack the worst at the baseline", () => {
  const { series, buckets } = stackOf(histogram({ buckets: [{ ...SPAN, counts: { info: 40, error: 3 } }, { ...SPAN, counts: {} }] }));
  assert.equal(countText(sumCounts(buckets), series), "43 events: 3 error, 40 info");
  const paths = barPaths(buckets, series);
  assert.deepEqual(paths.map(({ tone }) => tone), ["error", "info"]);
  assert.match(paths[0]?.path ?? "", /^M0\.075 \d+(\.\d+)?h0\.85v\d/, "one bar, in the first bucket");
  const height = (/** @type {number} */ at) => Number(/v([\d.]+)/.exec(paths[at]?.path ?? "")?.[1]);
  assert.ok(height(0) >= 4 && Math.abs(height(0) + height(1) - 100) < 0.02, "few are seen, and the highest bar fills its box");
  assert.equal(countText([], stackOf(undefined).series), "0 events");
});

test("bars by a field are of five values, others and events without one, and every event is in one", () => {
  const values = ["web", "other", "__proto__", "a\u202eb", "", "sixth", "seventh"];
  const counts = Object.fromEntries(values.map((value, at) => [value, 10 - at]));
  const { series, buckets } = stackOf(histogram({ by: "source", values, buckets: [{ ...SPAN, counts, other: 2, none: 1 }, { ...SPAN, counts: { web: 1 } }] }));
  assert.equal(countText(sumCounts(buckets), series), "53 events: 11 web, 9 other, 8 __proto__, 7 a\u27e8U+202E\u27e9b, 6 (empty), 11 other values, 1 without source");
  assert.deepEqual(barPaths(buckets, series).map(({ tone }) => tone), ["1", "2", "3", "4", "5", "other", "none"]);
  assert.deepEqual(buckets[1]?.counts, [1, 0, 0, 0, 0, 0, 0]);
  const few = stackOf(histogram({ by: "env", values: ["production"], buckets: [{ ...SPAN, counts: { production: 2 }, none: 1 }] }));
  assert.equal(countText(sumCounts(few.buckets), few.series), "3 events: 2 production, 1 without env");
});

test("what pages read is summed, and the last says whether it was all", () => {
  const one = { blocks: 1, events: 130, bytes: 9, ms: 2, complete: false };
  assert.deepEqual(addScanned(undefined, one), one);
  assert.deepEqual(addScanned(one, { ...one, events: 31, complete: true }), { blocks: 2, events: 161, bytes: 9, ms: 4, complete: true });
});

test("a list says its order and what is beyond it, and asks for its bars", () => {
  const filters = { q: "", project: "", levels: [], range: "1h", from: "", to: "" };
  assert.deepEqual([orderText(false), beyond({ order: "" })], ["newest first", "older"]);
  assert.deepEqual([orderText(true), beyond({ order: "asc" })], ["oldest first", "newer"]);
  assert.equal(besides({ ...filters, tz: "UTC" }, false).by, undefined);
  assert.equal(besides({ ...filters, tz: "UTC", by: "ctx.a" }, false).by, "ctx.a");
});

test("a pattern's worst level never reads as the level of all its events", () => {
  assert.equal(worstText({ level: "error", count: 40, levels: { error: 3, info: 37 } }), "3 error");
  assert.equal(worstText({ level: "error", count: 39, levels: { error: 39 } }), "all error");
  assert.equal(worstText({ level: "warn", count: 1 }), "all warn");
});

test("long values are named so that they can be told apart", () => {
  const long = "https://shop.example/api/v2/customers/orders/";
  const names = (/** @type {string[]} */ ...values) =>
    stackOf(histogram({ by: "ctx.url", values, buckets: [{ ...SPAN, counts: Object.fromEntries(values.map((value) => [value, 1])) }] })).series.slice(0, values.length).map(({ name }) => name);
  assert.deepEqual(names(`${long}1`, "x"), ["https://shop.example/api/v2/customers/or…", "x"]);
  assert.deepEqual(names(`${long}1`, `${long}2`), ["https://sh…ple/api/v2/customers/orders/1", "https://sh…ple/api/v2/customers/orders/2"]);
});
