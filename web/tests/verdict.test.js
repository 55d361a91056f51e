import assert from "node:assert/strict";
import test from "node:test";
import { bytes, count, counted, rate } from "../lib/amount.js";
import { showTimesIn } from "../lib/time.js";
import { errorRate, verdict, verdictText } from "../lib/verdict.js";

const START = Date.UTC(2026, 10, 20, 12);
const at = (/** @type {number} */ minute) => new Date(START + minute * 60_000).toISOString();

/** Stats of ten minutes with these errors in each, and of the ten before. */
function stats(/** @type {number[]} */ errors, before = 0, complete = true) {
  const total = errors.reduce((sum, n) => sum + n, 0);
  const period = (/** @type {number} */ from, /** @type {number} */ n) => ({ from: at(from), to: at(from + 10), total: n, events: { error: n }, error_rate: 1, per_minute: n / 10 });
  return {
    ...period(0, total),
    previous: { ...period(-10, before), complete },
    trend: errors.map((n, index) => ({ from: at(index), to: at(index + 1), counts: { error: n } })),
    top_issues: [],
    storage: { blocks: 0, events: 0, raw_bytes: 0, stored_bytes: 0 },
  };
}

test("no errors are calm, and began at no time", () => {
  const found = verdict(stats([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 50));
  assert.equal(found.state, "calm");
  assert.ok(Number.isNaN(found.since) && Number.isNaN(found.last));
});

test("a run of errors begins after the last long gap", () => {
  const found = verdict(stats([3, 0, 0, 0, 2, 0, 4, 5, 0, 0], 0));
  assert.equal(found.since, START + 4 * 60_000);
  assert.equal(found.last, START + 8 * 60_000);
});

test("a change is told only against a whole period and for more than a few", () => {
  assert.equal(verdict(stats([0, 0, 0, 0, 0, 0, 0, 0, 20, 20], 5)).state, "more");
  assert.equal(verdict(stats([0, 0, 0, 0, 0, 0, 0, 0, 20, 20], 5, false)).state, "steady");
  assert.equal(verdict(stats([0, 0, 0, 0, 0, 0, 0, 0, 0, 4], 0)).state, "steady");
  assert.equal(verdict(stats([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 50)).state, "fewer");
});

test("the verdict says how many are fatal, takes bucket edges for what they are, and gives the top issue its part", () => {
  showTimesIn("UTC");
  const now = START + 600_000;
  const issue = { project_id: 1, project: "ops", fingerprint: "f", title: "t", source: "billing", level: "error", count: 4, first_seen: at(0), last_seen: at(1) };
  const counts = { ...stats([0, 0, 3, 0, 0, 0, 4, 4, 0, 0]), events: { error: 10, fatal: 1 }, top_issues: [issue] };
  const text = (/** @type {number} */ began, time = now) => verdictText(counts, verdict(counts), began, time);
  assert.equal(text(NaN), "11 errors (1 fatal), more than in the period before. Received since about 12:06; none for about 2 min. Top issue in ops / billing (4 of 11).");
  assert.match(text(NaN, START + 8 * 60_000 + 40_000), /; none for about 1 min\. /);
  assert.match(text(NaN, START + 8 * 60_000 + 8000), /since about 12:06\. /);
  assert.match(text(START + 5 * 60_000 + 1000), /since about 12:06; /, "within a bar");
  assert.match(text(START - 60_000 + 250), /since about 12:06, happened from 11:59:00 on; none/, "more than a bar before");
  assert.doesNotMatch(verdictText({ ...counts, events: { error: 11 } }, verdict(counts), NaN, now), /fatal/);
  showTimesIn("");
});

test("errors a minute are their part of what comes in a minute", () => {
  assert.equal(errorRate({ ...stats([]), error_rate: 0.25, per_minute: 8 }), 2);
});

test("amounts are written for people", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(counted(1, "event"), "1 event");
  assert.equal(bytes(0), "0 B");
  assert.equal(bytes(1536), "1.5 KiB");
  assert.equal(bytes(300 * 1024 * 1024), "300 MiB");
  assert.deepEqual([0, 0.001, 0.5, 3.44, 1200].map(rate), ["0", "under 0.01", "0.50", "3.4", "1,200"]);
});
