import assert from "node:assert/strict";
import { test } from "node:test";
import { momentText, readMoment, relativeAt } from "../lib/moment.js";

/** A Friday: 18:30 in Berlin. */
const NOW = Date.parse("2026-11-20T17:30:00.000Z");
const BERLIN = "Europe/Berlin";

/** @param {string} text @param {import("../lib/moment.js").Zone} [zone] @param {number} [after] */
const read = (text, zone = BERLIN, after = undefined) => readMoment(text, NOW, zone, after)?.text ?? null;

test("a time of day is the latest of the chosen zone that is not to come", () => {
  for (const [text, at] of [
    ["4:06 pm", "2026-11-20T15:06:00.000Z"],
    ["4:06pm", "2026-11-20T15:06:00.000Z"],
    ["16:06", "2026-11-20T15:06:00.000Z"],
    ["at 16:06:07.25", "2026-11-20T15:06:07.250Z"],
    ["4 P.M.", "2026-11-20T15:00:00.000Z"],
    ["12:05 am", "2026-11-19T23:05:00.000Z"],
    ["noon", "2026-11-20T11:00:00.000Z"],
    ["23:50", "2026-11-19T22:50:00.000Z"],
  ]) assert.equal(read(text ?? ""), at, text);
  assert.equal(read("4:06 pm", "America/New_York"), "2026-11-19T21:06:00.000Z");
  assert.equal(read("4:06 pm", "UTC"), "2026-11-20T16:06:00.000Z");
});

test("the end of a range may be a time of day to come", () => {
  assert.equal(read("19:00", BERLIN, Date.parse("2026-11-20T15:00:00Z")), "2026-11-20T18:00:00.000Z");
  assert.equal(read("19:00", BERLIN, Date.parse("2026-11-19T15:00:00Z")), "2026-11-19T18:00:00.000Z");
});

test("what is relative stays so", () => {
  for (const [text, kept] of [
    ["3 hours ago", "-3h"], ["an hour ago", "-1h"], ["90 min ago", "-90m"], ["2 Days Ago", "-2d"], ["1 week ago", "-1w"], ["15s ago", "-15s"],
    ["now", "now"], ["-2h", "-2h"], ["now-5m", "now-5m"], ["now+1h", "now+1h"],
  ]) assert.equal(read(text ?? ""), kept, text);
  assert.equal(readMoment("3 hours ago", NOW, BERLIN)?.at, NOW - 3 * 3_600_000);
  assert.equal(relativeAt("2026-11-20", NOW), null);
});

test("days are named, with or without a time", () => {
  for (const [text, at] of [
    ["yesterday 14:00", "2026-11-19T13:00:00.000Z"],
    ["yesterday at 2 pm", "2026-11-19T13:00:00.000Z"],
    ["14:00 yesterday", "2026-11-19T13:00:00.000Z"],
    ["today", "2026-11-19T23:00:00.000Z"],
    ["today 19:00", "2026-11-20T18:00:00.000Z"],
    ["monday 9:00", "2026-11-16T08:00:00.000Z"],
    ["Friday", "2026-11-12T23:00:00.000Z"],
    ["wednesday", "2026-11-17T23:00:00.000Z"],
    ["Nov 19 23:57:01.123", "2026-11-19T22:57:01.123Z"],
    ["20 November", "2026-11-19T23:00:00.000Z"],
    ["Dec 24", "2025-12-23T23:00:00.000Z"],
    ["Feb 29, 2024 12:00", "2024-02-29T11:00:00.000Z"],
  ]) assert.equal(read(text ?? ""), at, text);
});

test("dates and epochs are read as logs have them", () => {
  for (const [text, at] of [
    ["2026-11-20", "2026-11-19T23:00:00.000Z"],
    ["2026-11-20 16:06", "2026-11-20T15:06:00.000Z"],
    ["2026-11-20T16:06:07", "2026-11-20T15:06:07.000Z"],
    ["2026-11-20T16:06:07Z", "2026-11-20T16:06:07.000Z"],
    ["2026-11-20T16:06:07.123456+05:30", "2026-11-20T10:36:07.123Z"],
    ["2026-11-20 23:57:01.123 +01:00", "2026-11-20T22:57:01.123Z"],
    ["2026-11-20 16:06 UTC", "2026-11-20T16:06:00.000Z"],
    ["1795212636", "2026-11-20T22:10:36.000Z"],
    ["1795212636.853", "2026-11-20T22:10:36.853Z"],
    ["1795212636853", "2026-11-20T22:10:36.853Z"],
    ["1795212636853000000", "2026-11-20T22:10:36.853Z"],
  ]) assert.equal(read(text ?? ""), at, text);
});

test("what is no time is none", () => {
  for (const text of [
    "", "soon", "25:00", "13 pm", "0:30 pm", "12:60", "16", "2026-02-30", "2026-13-01", "Nov 31", "20 Nov 20", "yesterday 14", "tomorrowday", "3 hours",
    "3 fortnights ago", "99999999 hours ago", "-5", "12345", "2026-11-20T", "2026-11-20 16:06 CET", "x".repeat(500), "constructor", "monkeyday",
  ]) assert.equal(read(text), null, text);
});

test("clocks that change have each time once", () => {
  // In Berlin 2:30 comes twice on the 25th of October, and not at all on the 29th of March.
  assert.equal(read("2026-10-25 02:30"), "2026-10-25T00:30:00.000Z");
  assert.equal(read("2026-03-29 02:30"), "2026-03-29T01:30:00.000Z");
  assert.equal(read("2026-11-01 01:30", "America/New_York"), "2026-11-01T05:30:00.000Z");
  // The other of the two is named by its offset.
  assert.equal(read("2026-10-25 02:30 +01:00"), "2026-10-25T01:30:00.000Z");
  assert.equal(momentText("2026-10-25T01:30:00.000Z", BERLIN), "2026-10-25 02:30:00");
  assert.equal(read("2026-04-05 01:45", "Australia/Lord_Howe"), "2026-04-04T14:45:00.000Z");
});

test("a time of the address is shown in the zone, and read back the same", () => {
  assert.equal(momentText("2026-11-20T15:06:00.000Z", BERLIN), "2026-11-20 16:06:00");
  assert.equal(momentText("2026-11-20T15:06:00.250Z", BERLIN), "2026-11-20 16:06:00.250");
  assert.equal(read(momentText("2026-11-20T15:06:00.250Z", BERLIN)), "2026-11-20T15:06:00.250Z");
  assert.equal(momentText("-3h", BERLIN), "3 hours ago");
  assert.equal(momentText("-1d", BERLIN), "1 day ago");
  assert.equal(read(momentText("-15m", BERLIN)), "-15m");
  for (const kept of ["", "now", "1795212636", "soon"]) assert.equal(momentText(kept, BERLIN), kept);
});
