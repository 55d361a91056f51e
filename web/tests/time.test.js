import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, clockTime, DAY, expiresIn, fullTime, HOUR, idTime, MINUTE, offsetLabel, roughly, SECOND } from "../lib/time.js";

const NOW = new Date(2026, 10, 20, 23, 57, 1, 123).getTime();

test("a time of today shows no day, another does", () => {
  assert.equal(clockTime(NOW, NOW), "23:57:01.123");
  assert.equal(clockTime(NOW - DAY, NOW), "Nov 19 23:57:01.123");
});

test("what is no time says so instead of NaN", () => {
  assert.equal(clockTime(Number.NaN, NOW), "unknown time");
  assert.equal(fullTime(Number.NaN), "unknown time");
});

test("a zone is named by its offset", () => {
  assert.equal(offsetLabel(0), "UTC");
  assert.equal(offsetLabel(-330), "+05:30");
  assert.equal(offsetLabel(300), "-05:00");
});

test("a length is told in its largest fitting unit", () => {
  assert.equal(roughly(-5), "0 s");
  assert.equal(roughly(59 * SECOND), "59 s");
  assert.equal(roughly(90 * MINUTE), "90 min");
  assert.equal(roughly(5 * HOUR + 59 * MINUTE), "5 h");
  assert.equal(roughly(3 * DAY), "3 d");
});

test("past, future and due are told apart", () => {
  assert.equal(ago(NOW - 5 * SECOND, NOW), "5 s ago");
  assert.equal(ago(NOW + MINUTE, NOW), "in 1 min");
  assert.equal(expiresIn(NOW + 5 * HOUR, NOW), "in 5 h");
  assert.equal(expiresIn(NOW - 1, NOW), "now");
});

test("an event's id tells when it was received", () => {
  const at = Date.UTC(2026, 10, 20, 12);
  // The first 48 bits are the time, then version 7 and zeros: 26 base32 characters for 128 bits.
  const bits = (BigInt(at) << 80n) | (7n << 76n);
  const id = `${(bits << 2n).toString(32).padStart(26, "0")}-17`;
  assert.equal(idTime(id, at), at);
  assert.equal(idTime(id, at - 2 * DAY), null);
  for (const bad of ["", "abc", id.slice(1), `${id}x`, "zzzzzzzzzzzzzzzzzzzzzzzzzz-0"]) assert.equal(idTime(bad, at), null, bad);
});
