// Times as people type them: "4:06 pm", "3 hours ago", "yesterday 14:00", dates, what a log line shows, epochs.
// Everything here takes the present and the zone as arguments.

import { DAY, HOUR, MINUTE, MONTH_NAMES, offsetAt, SECOND, wallTime } from "./time.js";

/** @typedef {import("./time.js").Zone} Zone */
/** @typedef {{ at: number, text: string }} Moment `at` in ms; `text` as the address and the API take it */
/** @typedef {{ year: number, month: number, day: number }} Day month from 0 */

/** @type {Record<string, number>} */
const UNIT_MS = { s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY };
/** @type {Record<string, string>} */
const UNIT_NAMES = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };
const WEEKDAYS = "sunday monday tuesday wednesday thursday friday saturday".split(" ");
/** The times the service keeps. */
const LAST_KEPT = Date.UTC(10000, 0) - 1;
const MOST_CHARACTERS = 60;

/**
 * Reads a time, or null when it is none. What is relative stays so; a time of day without a day is its latest that
 * is not to come, or the first after `after`.
 * @param {string} typed
 * @param {number} now
 * @param {Zone} zone
 * @param {number} [after] where the range begins
 * @returns {Moment | null}
 */
export function readMoment(typed, now, zone, after) {
  const text = typed.trim().toLowerCase().replace(/\s+/g, " ");
  if (text === "" || text.length > MOST_CHARACTERS) return null;
  const relative = relativeText(text);
  const at = relative === null ? readEpoch(text) ?? readWall(text, now, zone, after) : relativeAt(relative, now);
  if (at === null || !(at >= 0 && at <= LAST_KEPT)) return null;
  return { at, text: relative ?? new Date(at).toISOString() };
}

/**
 * When a relative time of the API (`now`, `-15m`, `now+1h`) is; null for other texts.
 * @param {string} text
 * @param {number} now
 */
export function relativeAt(text, now) {
  if (text === "now") return now;
  const [, sign, amount, unit = ""] = /^(?:now(?=[+-])|(?=-))([+-])(\d{1,9})([smhdw])$/.exec(text) ?? [];
  return amount === undefined ? null : now + (sign === "-" ? -1 : 1) * Number(amount) * (UNIT_MS[unit] ?? 0);
}

/**
 * A time of the address as its box shows it.
 * @param {string} text
 * @param {Zone} zone
 */
export function momentText(text, zone) {
  const [, amount, unit = ""] = /^(?:now)?-(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (amount !== undefined) return `${Number(amount)} ${UNIT_NAMES[unit]}${Number(amount) === 1 ? "" : "s"} ago`;
  const at = Date.parse(text);
  // What is no date of ours is shown as it is: relative times, epochs, mistakes.
  if (Number.isNaN(at) || !/^\d{4}-\d/.test(text)) return text;
  return wallTime(at, zone)?.replace("T", " ").replace(/\.000$/, "") ?? text;
}

/** "3 hours ago" as `-3h`; null for what is not relative. @param {string} text */
function relativeText(text) {
  if (relativeAt(text, 0) !== null) return text;
  const [, amount = "", unit = ""] = /^(\d{1,6}|an?|one) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?) ago$/.exec(text) ?? [];
  return unit === "" ? null : `-${/\d/.test(amount) ? Number(amount) : 1}${unit.charAt(0)}`;
}

/** Seconds, milli-, micro- or nanoseconds since 1970, by their digits. @param {string} text */
function readEpoch(text) {
  if (!/^\d{9,19}(\.\d{1,9})?$/.test(text)) return null;
  const digits = text.split(".")[0]?.length ?? 0;
  return Math.round(Number(text) / (digits < 12 ? 1e-3 : digits < 15 ? 1 : digits < 18 ? 1e3 : 1e6));
}

/**
 * A day, a time of day, or both, with or without a zone of its own.
 * @param {string} text
 * @param {number} now
 * @param {Zone} zone
 * @param {number} [after]
 */
function readWall(text, now, zone, after) {
  const [, own = "", rest = text] = flip(/^(.*\d.*?) ?(z|utc|gmt|[+-]\d\d:?\d\d)$/.exec(text));
  // The end of `2026-11-20` is no zone.
  const zoned = own !== "" && (/[a-z]/.test(own) || /:\d\d|t\d\d/.test(rest));
  const place = zoned ? ownOffset(own) : zone;
  const parts = splitTime(zoned ? rest : text);
  if (parts === null) return null;
  const clock = parts.time === "" ? 0 : readClock(parts.time);
  if (clock === null) return null;
  const today = dayAt(now, place);
  const at = (/** @type {Day} */ day) => wallAt(Date.UTC(day.year, day.month, day.day) + clock, place);
  if (parts.day !== "") {
    const day = readDay(parts.day, today);
    return day && at(day);
  }
  const here = at(today);
  const latest = here > now ? at({ ...today, day: today.day - 1 }) : here;
  return after !== undefined && latest <= after ? here : latest;
}

/** @param {RegExpExecArray | null} found */
const flip = (found) => (found === null ? [] : [found[0], found[2], found[1]]);

/** Minutes east of UTC. @param {string} text */
function ownOffset(text) {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(text) ?? [];
  return sign === undefined ? 0 : (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

/** The part that is a day and the part that is a time of day. @param {string} text */
function splitTime(text) {
  const [, day = "", time = ""] = /^(\d{4}-\d\d-\d\d)t(.+)$/.exec(text) ?? [];
  if (day !== "") return { day, time };
  const clock = /(?:^|(?<=[\d\w,]) )(?:at )?(\d{1,2}(?::\d\d){1,2}(?:[.,]\d{1,9})?(?: ?[ap]\.?m\.?)?|\d{1,2} ?[ap]\.?m\.?|noon|midnight)$/.exec(text);
  if (clock) return { day: text.slice(0, clock.index).replace(/,$/, ""), time: clock[1] ?? "" };
  const first = /^(\S+(?: ?[ap]m)?) (.+)$/.exec(text);
  if (first && readClock(first[1] ?? "") !== null) return { day: first[2] ?? "", time: first[1] ?? "" };
  return { day: text, time: "" };
}

/** Milliseconds since midnight of `14:00`, `4:06:07.5 pm`, `noon`. @param {string} text */
function readClock(text) {
  if (text === "noon") return 12 * HOUR;
  if (text === "midnight") return 0;
  const [, hours, minutes, seconds = "0", fraction = "0", half] =
    /^(\d{1,2})(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)? ?(?:([ap])\.?m\.?)?$/.exec(text) ?? [];
  if (hours === undefined || (minutes === undefined && half === undefined)) return null;
  const hour = half === undefined ? Number(hours) : (Number(hours) % 12) + (half === "p" ? 12 : 0);
  const wrong = half === undefined ? hour > 23 : Number(hours) < 1 || Number(hours) > 12;
  if (wrong || Number(minutes ?? 0) > 59 || Number(seconds) > 59) return null;
  return hour * HOUR + Number(minutes ?? 0) * MINUTE + Number(seconds) * SECOND + Math.floor(Number(`0.${fraction}`) * SECOND);
}

/**
 * `today`, `yesterday`, a weekday (the last one), `2026-11-20`, `nov 20`, `20 november 2026`.
 * @param {string} text
 * @param {Day} today
 * @returns {Day | null}
 */
function readDay(text, today) {
  if (text === "today") return today;
  if (text === "yesterday") return { ...today, day: today.day - 1 };
  const weekday = WEEKDAYS.findIndex((name) => text === name || text === name.slice(0, 3));
  if (weekday >= 0) {
    const here = new Date(Date.UTC(today.year, today.month, today.day)).getUTCDay();
    return { ...today, day: today.day - ((here - weekday + 6) % 7) - 1 };
  }
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? [];
  if (year !== undefined) return realDay(Number(year), Number(month) - 1, Number(day));
  return namedDay(text, today);
}

/** @param {string} text @param {Day} today */
function namedDay(text, today) {
  const [, before, name = "", behind, year] = /^(?:(\d{1,2})\.? )?([a-z]{3,9})\.?(?: (\d{1,2}))?,?(?: (\d{4}))?$/.exec(text) ?? [];
  const month = MONTH_NAMES.findIndex((known) => known.toLowerCase() === name.slice(0, 3));
  if (month < 0 || (before === undefined) === (behind === undefined)) return null;
  const day = Number(before ?? behind);
  if (year !== undefined) return realDay(Number(year), month, day);
  // Without a year it is the latest that is not to come.
  const isToCome = month > today.month || (month === today.month && day > today.day);
  return realDay(today.year - (isToCome ? 1 : 0), month, day);
}

/** Null for a day the calendar doesn't have. @param {number} year @param {number} month @param {number} day */
function realDay(year, month, day) {
  const at = new Date(Date.UTC(year, month, day));
  return at.getUTCMonth() === month && at.getUTCDate() === day ? { year, month, day } : null;
}

/** The day it is somewhere. @param {number} ms @param {Zone} zone @returns {Day} */
function dayAt(ms, zone) {
  const wall = new Date(ms + offsetAt(ms, zone));
  return { year: wall.getUTCFullYear(), month: wall.getUTCMonth(), day: wall.getUTCDate() };
}

/**
 * When clocks somewhere show a time. Of an hour that comes twice it is the first; of one that is left out, what clocks
 * that were not changed would show.
 * @param {number} wall the time as if it were UTC
 * @param {Zone} zone
 */
function wallAt(wall, zone) {
  const [before = 0, behind = 0] = [wall - DAY, wall + DAY].map((near) => wall - offsetAt(near, zone));
  return [before, behind].find((at) => at + offsetAt(at, zone) === wall) ?? before;
}
