import assert from "node:assert/strict";
import { test } from "node:test";
import { gapsOf, gapText, shortTime } from "../parts/histogram.js";
import { showTimesIn } from "../lib/time.js";
import { fieldOf, members, ruleLimits, ruleSentence, spanText } from "../lib/rules.js";

const HOUR = 3_600_000;
const AT = Date.parse("2026-11-20T06:00:00Z");
/** All of it is over, on the same day in the zones tests run in. */
const NOW = AT + 5 * HOUR;
/** @param {number} n @param {object} [counts] */
const hour = (n, counts = {}) => ({ hour: new Date(AT + n * HOUR).toISOString(), received: 9, limited: 0, refused: 0, rejected: 0, ...counts });

test("hours without loss are no gap, and neighbours are one", () => {
  assert.deepEqual(gapsOf([]), []);
  assert.deepEqual(gapsOf([hour(0), hour(1)]), []);
  const gaps = gapsOf([hour(0, { limited: 5 }), hour(1, { limited: 2, rejected: 1 }), hour(2), hour(3, { refused: 1200 })]);
  assert.deepEqual(gaps, [
    { from: AT, to: AT + 2 * HOUR, missing: { limited: 7, rejected: 1 } },
    { from: AT + 3 * HOUR, to: AT + 4 * HOUR, missing: { refused: 1200 } },
  ]);
  assert.match(gapText(gaps, NOW), /^Not everything was stored: 7 limited, 1 rejected, 1,200 refused within 2 times from \d\d:00 to \d\d:00\.$/);
  assert.match(gapText(gaps.slice(0, 1), NOW), /^Not everything was stored: 7 limited, 1 rejected within \d\d:00 to \d\d:00\.$/);
});

test("where the service was not there is said apart", () => {
  const nap = { from: AT - 3 * HOUR, to: AT - HOUR, missing: {} };
  assert.match(gapText([nap], NOW), /^Asleep or without its database, \d\d:00 to \d\d:00\.$/);
  const both = gapText([...gapsOf([hour(0, { limited: 5 })]), nap, { ...nap, from: AT + HOUR, to: AT + 2 * HOUR }], NOW);
  assert.match(both, /^Not everything was stored: 5 limited within the hour \d\d:00 to \d\d:00\. Asleep or without its database, 2 times from \d\d:00 to \d\d:00\.$/);
});

test("an hour that is not over ends now, not later", () => {
  const gaps = gapsOf([hour(0), hour(1, { rejected: 1 })]);
  assert.match(gapText(gaps, AT + 1.5 * HOUR), /^Not everything was stored: 1 rejected within this hour, \d\d:\d\d to now\.$/);
});

test("an edge of another year says which", () => {
  showTimesIn("UTC");
  const now = Date.parse("2026-01-02T12:00:00Z");
  assert.equal(shortTime("2026-01-02T11:30:00Z", now), "11:30");
  assert.equal(shortTime("2026-01-01T00:00:00Z", now), "Jan 01 00:00");
  assert.equal(shortTime("2025-12-31T23:59:30Z", now), "2025 Dec 31 23:59:30");
  showTimesIn("");
});

test("a rule is a sentence, and says what narrows it", () => {
  const rule = { id: 3, project_id: null, kind: "error_rate", name: "", enabled: true, source: /** @type {const} */ ("custom") };
  assert.equal(ruleSentence({ ...rule, n: 50, window_sec: 60, share: 0.25 }), "50 errors of a project in 1 min, at least 25 % of its events, and well above what is usual.");
  assert.equal(ruleSentence({ ...rule, kind: "query", n: 1, window_sec: 90, q: "level:fatal" }), "1 event matching level:fatal in 90 s.");
  assert.equal(ruleSentence({ ...rule, kind: "not_known_yet" }), "");
  const selection = { include: ["production"], exclude: [] };
  assert.equal(ruleLimits({ ...rule, levels: ["fatal"], environments: selection, cooldown_sec: 900, channels: [1, "env-slack"] }, (id) => `c${id}`),
    "Only fatal; only in production; repeats at most every 15 min; to c1, cenv-slack.");
  assert.equal(ruleLimits({ ...rule, cooldown_sec: 0, channels: null }, String, 1), "Each time; to every channel of the project.");
  assert.equal(ruleLimits({ ...rule, cooldown_sec: 0, channels: null }, String), "Each time.", "what is not known is not said");
  assert.equal(ruleLimits({ ...rule, cooldown_sec: 0, channels: null }, String, 0), "Each time; to no channel yet.");
  assert.deepEqual([spanText(90), spanText(600), spanText(7200), spanText(0)], ["90 s", "10 min", "2 h", "0 s"]);
});

test("a refusal is told apart from its field", () => {
  assert.deepEqual(fieldOf("url: must begin with https://."), ["url", "Must begin with https://."]);
  assert.deepEqual(fieldOf("environments.include: must be a list."), ["environments", "Must be a list."]);
  assert.deepEqual(fieldOf("This service holds at most 100 channels."), ["", "This service holds at most 100 channels."]);
  assert.deepEqual(members(" a@b.c , d@e.f\na@b.c,,"), ["a@b.c", "d@e.f"]);
});
