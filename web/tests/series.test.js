import assert from "node:assert/strict";
import { test } from "node:test";
import { readFilters } from "../lib/filters.js";
import { barPaths, countText, peakOf, stackOf, sumCounts } from "../lib/series.js";
import { unreadOf } from "../parts/histogram.js";
import { besides, beyond, orderText } from "../parts/result.js";
import { worstText } from "../parts/side.js";
import { exportText } from "../parts/tools.js";

const SPAN = { from: "2026-11-20T06:00:00Z", to: "2026-11-20T07:00:00Z" };
const histogram = (/** @type {object} */ more) => /** @type {import("../api.js").Histogram} */ ({ ...SPAN, step_seconds: 3600, buckets: [], ...more });

test("bars by level stack the worst at the baseline", () => {
  const { series, buckets } = stackOf(histogram({ buckets: [{ ...SPAN, counts: { info: 40, error: 3 } }, { ...SPAN, counts: {} }] }));
  assert.equal(countText(sumCounts(buckets), series), "43 events: 3 errors, 40 info");
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

test("bars by a field say of the rest that it was too many values to count each, and bars by level never do", () => {
  const named = (/** @type {object} */ more) => stackOf(histogram({ buckets: [{ ...SPAN, counts: { web: 2 }, other: 900, none: 1 }], ...more })).series.map(({ name }) => name);
  const by = { by: "source", values: ["web"] };
  assert.deepEqual(named({ ...by, approximate: true }), ["web", "other values, too many to count each", "without source"]);
  assert.deepEqual(named({ ...by, approximate: false }), ["web", "other values", "without source"]);
  assert.deepEqual(named(by), ["web", "other values", "without source"]);
  assert.deepEqual(named({ approximate: true }), named({}));
  assert.ok(!named({ approximate: true }).join().includes("too many"));
});

test("the first bucket begins, and the last one ends, with the minute that was asked for", () => {
  const times = ["05:00", "06:00", "07:00", "08:00"].map((time) => `2026-11-20T${time}:00.000Z`);
  const raw = times.slice(1).map((to, at) => ({ from: times[at] ?? "", to, counts: {} }));
  const edges = (/** @type {string} */ from, /** @type {string} */ to) => stackOf(histogram({ from, to, buckets: raw })).buckets.map((bucket) => [bucket.from, bucket.to]);
  assert.deepEqual(edges("2026-11-20T05:20:33.500Z", "2026-11-20T07:40:00.001Z"), [["2026-11-20T05:20:00.000Z", times[1]], [times[1], times[2]], [times[2], "2026-11-20T07:41:00.000Z"]]);
  assert.equal(edges(times[0] ?? "", "9999-12-31T23:59:59.999Z")[2]?.[1], times[3], "the end of all times is no minute that can be asked for");
  assert.deepEqual(edges("2026-11-20T05:00:00.900Z", "2026-11-20T07:59:59.000Z"), raw.map(({ from, to }) => [from, to]));
});

test("a search that stopped early leaves what lies beyond its last event unread", () => {
  const times = ["06:00", "06:30", "07:00", "07:30", "08:00"].map((time) => `2026-11-20T${time}:00Z`);
  const buckets = [0, 3, 2, 0].map((n, at) => ({ from: times[at] ?? "", to: times[at + 1] ?? "", counts: [n] }));
  assert.deepEqual(unreadOf(buckets, false), { first: 0, end: 1, edge: times[1] });
  assert.deepEqual(unreadOf(buckets, true), { first: 3, end: 4, edge: times[3] });
  assert.deepEqual(peakOf(buckets), { most: 3, of: buckets[1] });
  assert.deepEqual(peakOf([]), { most: 0, of: undefined });
});

test("an export says how many it is of", () => {
  assert.deepEqual([exportText(131), exportText(1), exportText(undefined)], ["All 131 matching events", "The matching event", "All matching events"]);
});

test("a list says its order and what is beyond it, and asks for its bars", () => {
  const filters = { q: "", project: "", levels: [], range: "1h", from: "", to: "" };
  assert.deepEqual([orderText(false), beyond({ order: "" })], ["newest first", "older"]);
  assert.deepEqual([orderText(true), beyond({ order: "asc" })], ["oldest first", "newer"]);
  assert.equal(besides({ ...filters, tz: "UTC" }, false).by, undefined);
  assert.equal(besides({ ...filters, tz: "UTC", by: "ctx.a" }, false).by, "ctx.a");
});

test("a pattern's worst level never reads as the level of all its events", () => {
  assert.equal(worstText({ level: "error", count: 40, levels: { error: 3, info: 37 } }), "3 errors");
  assert.equal(worstText({ level: "error", count: 39, levels: { error: 39 } }), "all errors");
  assert.equal(worstText({ level: "warn", count: 1 }), "1 warning");
});

test("long values are named so that they can be told apart", () => {
  const long = "https://shop.example/api/v2/customers/orders/";
  const names = (/** @type {string[]} */ ...values) =>
    stackOf(histogram({ by: "ctx.url", values, buckets: [{ ...SPAN, counts: Object.fromEntries(values.map((value) => [value, 1])) }] })).series.slice(0, values.length).map(({ name }) => name);
  assert.deepEqual(names(`${long}1`, "x"), ["https://shop.example/api/v2/customers/or…", "x"]);
  assert.deepEqual(names(`${long}1`, `${long}2`), ["https://sh…ple/api/v2/customers/orders/1", "https://sh…ple/api/v2/customers/orders/2"]);
});

test("what the service can count by has its column counted, each once, and no other is asked for", () => {
  const deep = `ctx${".a".repeat(9)}`;
  const filters = readFilters(new URLSearchParams({ side: "fields", cols: `ctx.order.id,source,tags,message,${deep}` }));
  assert.deepEqual(filters.cols, ["ctx.order.id", "source", "tags", "message", deep]);
  assert.equal(besides(filters, false).fields, "level,source,env,release,user_id,ctx.order.id,tags");
});
