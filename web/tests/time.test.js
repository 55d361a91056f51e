import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, clockTime, DAY, expiresIn, fullTime, HOUR, idTime, MINUTE, offsetLabel, offsetsLabel, ownZone, roughly, SECOND, showTimesIn, shownZone, whyAbsent, zoneName } from "../lib/time.js";

const NOW = new Date(2026, 10, 20, 23, 57, 1, 123).getTime();

test("a time of today shows no day, another does", () => {
  assert.equal(clockTime(NOW, NOW), "23:57:01.123");
  assert.equal(clockTime(NOW - DAY, NOW), "Nov 19 23:57:01.123");
});

test("what is no time says so instead of NaN", () => {
  assert.equal(clockTime(Number.NaN, NOW), "unknown time");
  assert.equal(fullTime(Number.NaN), "unknown time");
});

test("a zone is named by its offset at that time", () => {
  const summer = Date.UTC(2026, 6, 1);
  for (const [zone, ms, label] of /** @type {[import("../lib/time.js").Zone, number, string][]} */ ([
    ["UTC", NOW, "UTC"], ["Europe/London", NOW, "UTC"], ["Europe/London", summer, "+01:00"], ["Asia/Kolkata", NOW, "+05:30"],
    ["America/New_York", NOW, "-05:00"], ["America/St_Johns", NOW, "-03:30"], [-90, NOW, "-01:30"],
  ])) assert.equal(offsetLabel(ms, zone), label, String(zone));
});

test("a list over the change of clocks has the offsets of both ends", () => {
  const [winter, summer] = [Date.parse("2026-11-05T12:00:00Z"), Date.parse("2026-10-20T12:00:00Z")];
  showTimesIn("Europe/Berlin");
  assert.equal(offsetsLabel(winter, summer), "+01:00 / +02:00");
  assert.equal(offsetsLabel(summer, summer - DAY), "+02:00");
  showTimesIn("");
});

test("times are shown in the chosen zone, also where its clocks change", () => {
  const at = (/** @type {string} */ text) => Date.parse(text);
  const berlin = (/** @type {string} */ text) => fullTime(at(text), "Europe/Berlin");
  // The 25th of October has 25 hours: the hour from two to three comes twice, told apart by its offset.
  assert.equal(berlin("2026-10-25T00:59:59.999Z"), "2026-10-25 02:59:59.999 +02:00");
  assert.equal(berlin("2026-10-25T01:00:00Z"), "2026-10-25 02:00:00.000 +01:00");
  assert.equal(berlin("2026-03-29T00:59:59Z"), "2026-03-29 01:59:59.000 +01:00");
  assert.equal(berlin("2026-03-29T01:00:00Z"), "2026-03-29 03:00:00.000 +02:00");
  // A day ends where it ends there, and a zone may have half hours.
  assert.equal(clockTime(at("2026-11-20T18:29:59Z"), at("2026-11-20T18:30:00Z"), "Asia/Kolkata"), "Nov 20 23:59:59.000");
  assert.equal(clockTime(at("2026-11-20T18:30:00Z"), at("2026-11-20T20:00:00Z"), "Asia/Kolkata"), "00:00:00.000");
  assert.equal(fullTime(at("2026-04-04T15:15:00Z"), "Australia/Lord_Howe"), "2026-04-05 01:45:00.000 +10:30");
});

test("the zone of the page is the browser's own until another is chosen, and again after it", () => {
  const own = fullTime(NOW);
  assert.equal(own, fullTime(NOW, ownZone()));
  showTimesIn("Asia/Tokyo");
  assert.equal(shownZone(), "Asia/Tokyo");
  assert.equal(fullTime(NOW), fullTime(NOW, "Asia/Tokyo"));
  showTimesIn("");
  assert.equal(fullTime(NOW), own);
});

test("a zone is known by its name in any case, and nothing else is one", () => {
  for (const [text, name] of [["UTC", "UTC"], ["utc", "UTC"], ["europe/berlin", "Europe/Berlin"]]) assert.equal(zoneName(text ?? ""), name);
  for (const text of ["", "Mars/Olympus", "+02:00", "02:00", "local time", "Europe", "x".repeat(2000), "<img>", "constructor"]) assert.equal(zoneName(text), null, text);
});

test("a time that a calendar can't hold is unknown", () => {
  for (const ms of [Number.NaN, Infinity, -Infinity, 8.64e15, -8.64e15]) assert.equal(fullTime(ms, "Asia/Tokyo"), "unknown time");
});

test("a length is told in its largest fitting unit, to the nearest", () => {
  for (const [ms, text] of /** @type {[number, string][]} */ ([
    [-5, "0 s"], [0, "0 s"], [59 * SECOND, "59 s"], [59.6 * SECOND, "1 min"], [89 * SECOND, "1 min"], [90 * MINUTE, "90 min"],
    [119.4 * MINUTE, "119 min"], [119.6 * MINUTE, "2 h"], [5 * HOUR + 59 * MINUTE, "6 h"], [DAY - 1, "24 h"], [47.6 * HOUR, "2 d"],
    [2 * DAY + 23 * HOUR, "3 d"], [3 * DAY, "3 d"], [3 * DAY + 11 * HOUR, "3 d"],
  ])) assert.equal(roughly(ms), text);
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

test("of an event that is not there only what is known is said", () => {
  assert.match(whyAbsent(null, NOW, [3]), /cut short/);
  assert.match(whyAbsent(NOW - 5 * SECOND, NOW, [1, 30]), /^By its id it was received 5 s ago\. It was deleted by a purge, was never stored, or is of a project you may not read\.$/);
  assert.match(whyAbsent(NOW - 31 * DAY, NOW, [1, 30]), /received 31 d ago\. It has expired: no project keeps events for more than 30 days\.$/);
  assert.match(whyAbsent(NOW - 2 * DAY, NOW, [1]), /more than a day\.$/);
  // Between the shortest and the longest, or where no project can be read, either may be.
  for (const days of [[1, 30], []]) assert.match(whyAbsent(NOW - 2 * DAY, NOW, days), /It has expired, was deleted by a purge, was never stored, or is of/);
});
