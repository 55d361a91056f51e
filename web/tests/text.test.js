import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExact } from "../api.js";
import { shown, signalOf } from "../lib/h.js";
import { isFlood, liveText } from "../parts/live.js";

test("control characters and hidden direction marks become visible, line breaks stay", () => {
  assert.equal(shown("a\u001b[31mb\nc\td"), "a^[[31mb\nc\td");
  assert.equal(shown("x\u202ey"), "x\u27e8U+202E\u27e9y");
  assert.equal(shown("\u0000\u007f"), "^@^?");
  assert.equal(shown("żółć 漢字 👩‍🚀"), "żółć 漢字 👩‍🚀");
});

test("JSON is read as it is, with or without long digits", () => {
  assert.deepEqual(parseExact('{"a":1,"b":"1234567890123456789"}'), { a: 1, b: "1234567890123456789" });
  assert.deepEqual(parseExact('{"a":1234567890123456}'), { a: 1234567890123456 });
  assert.throws(() => parseExact("{"));
});

test("a signalOf tells its readers once for each change until they stop", () => {
  const value = signalOf(1);
  /** @type {number[]} */
  const seen = [];
  const stop = value.watch((n) => seen.push(n));
  value.set(2);
  value.set(2);
  stop();
  value.set(3);
  assert.deepEqual(seen, [1, 2]);
  assert.equal(value.get(), 3);
});

test("a flood is more than can be followed, beat for beat, and is said", () => {
  assert.equal(isFlood(400, 1), false);
  assert.equal(isFlood(401, 1), true);
  assert.equal(isFlood(1_600, 4), false, "a second's worth that waited is none");
  assert.equal(isFlood(5_000, 4), true);
  const counts = { shown: 12_000, skipped: 0, late: 0 };
  assert.equal(liveText("Live.", { ...counts, slow: false }, false), "Live. 12,000 new so far.");
  assert.match(liveText("Live.", { ...counts, slow: true }, false), /^Live\. So much arrives that the list is drawn once a second\. 12,000/);
});
