// Times for people and for the API. Everything here takes the present as an argument, so it can be tested. The zone is the
// one the page shows times in, unless another is given.

import { count } from "./amount.js";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The ranges offered, in the order shown. */
export const RANGES = /** @type {const} */ ([
  { name: "15m", label: "Last 15 minutes" },
  { name: "1h", label: "Last hour" },
  { name: "24h", label: "Last 24 hours" },
  { name: "3d", label: "Last 3 days" },
]);

/** The longest retention. */
export const LONGEST = 90 * DAY;

/**
 * The length of a range such as `45m`, `12h` or `7d`, or null.
 * @param {string} name
 */
export function rangeMillis(name) {
  const [, amount, unit = ""] = /^([1-9]\d{0,5})([mhd])$/.exec(name) ?? [];
  const ms = Number(amount) * ({ m: MINUTE, h: HOUR }[unit] ?? DAY);
  return ms <= LONGEST ? ms : null;
}

export const MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** @typedef {string | number} Zone an IANA name, or minutes east of UTC; the empty name is the browser's own zone */

/** The zone times are shown in. @type {string} */
let zoneShown = "";

/** Shows times in a zone from now on; empty for the browser's own. @param {string} zone an IANA name that `zoneName` knows */
export function showTimesIn(zone) {
  zoneShown = zone;
}

/** The zone times are shown in; empty for the browser's own. */
export function shownZone() {
  return zoneShown;
}

/** The browser's own zone by its name; UTC where it doesn't know. */
export function ownZone() {
  return zoneName(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "") ?? "UTC";
}

/**
 * A zone's name as it is written, or null where the browser knows no such zone.
 * @param {string} text in any case
 */
export function zoneName(text) {
  if (!/^[a-z]/i.test(text)) return null;
  try {
    return clockOf(text).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

/** The last one: to make one takes longer than to use it. @type {{ zone: string, clock: Intl.DateTimeFormat } | null} */
let lastClock = null;

/** @param {string} zone */
function clockOf(zone) {
  if (lastClock?.zone !== zone) {
    const number = "numeric";
    lastClock = { zone, clock: new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: number, month: number, day: number, hour: number, minute: number, second: number,
    }) };
  }
  return lastClock.clock;
}

/**
 * How far clocks somewhere are ahead of UTC, in ms.
 * @param {number} ms
 * @param {Zone} zone
 */
export function offsetAt(ms, zone) {
  if (typeof zone === "number") return zone * MINUTE;
  if (zone === "") return -new Date(ms).getTimezoneOffset() * MINUTE;
  if (zone === "UTC") return 0;
  /** @type {Record<string, string>} */
  const parts = Object.fromEntries(clockOf(zone).formatToParts(ms).map(({ type, value }) => [type, value]));
  const part = (/** @type {string} */ name) => Number(parts[name]);
  const wall = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return wall - Math.floor(ms / SECOND) * SECOND;
}

/**
 * What clocks show then, as `2026-11-20T23:57:01.123`; null for what is no time.
 * @param {number} ms
 * @param {Zone} zone
 */
export function wallTime(ms, zone) {
  return Math.abs(ms) <= LAST_TIME ? new Date(ms + offsetAt(ms, zone)).toISOString().slice(0, -1) : null;
}

/** A day before the last that a `Date` can hold. */
const LAST_TIME = 8.64e15 - DAY;

/**
 * The time of day with milliseconds; with the day in front when it is not the day of `now`.
 * @param {number} ms
 * @param {number} now
 * @param {Zone} [zone]
 */
export function clockTime(ms, now, zone = zoneShown) {
  const [day = "", time] = wallTime(ms, zone)?.split("T") ?? [];
  if (time === undefined) return "unknown time";
  return day === wallTime(now, zone)?.split("T")[0] ? time : `${MONTH_NAMES[Number(day.slice(-5, -3)) - 1]} ${day.slice(-2)} ${time}`;
}

/**
 * Date and time with the zone's offset: `2026-11-20 23:57:01.123 +01:00`.
 * @param {number} ms
 * @param {Zone} [zone]
 */
export function fullTime(ms, zone = zoneShown) {
  const wall = wallTime(ms, zone);
  return wall === null ? "unknown time" : `${wall.replace("T", " ")} ${offsetLabel(ms, zone)}`;
}

/**
 * `UTC` or `+05:30`: how far clocks are ahead then.
 * @param {number} ms
 * @param {Zone} [zone]
 */
export function offsetLabel(ms, zone = zoneShown) {
  const ahead = Math.trunc(offsetAt(ms, zone) / MINUTE);
  return ahead === 0 ? "UTC" : `${ahead > 0 ? "+" : "-"}${new Date(Math.abs(ahead) * MINUTE).toISOString().slice(11, 16)}`;
}

/**
 * The offsets at both ends of a list, newest first; one where clocks were not changed between them.
 * @param {number} newest
 * @param {number} oldest
 */
export function offsetsLabel(newest, oldest) {
  return [...new Set([offsetLabel(newest), offsetLabel(oldest)])].join(" / ");
}

/** When what is shown was true. @param {number} now */
export function asOf(now) {
  return `As of ${clockTime(now, now).slice(0, 8)} ${offsetLabel(now)}`;
}

/** Units, and how many of one are told in the next. */
const UNITS = /** @type {const} */ ([["s", SECOND, 60], ["min", MINUTE, 120], ["h", HOUR, 48]]);

/**
 * A length of time in its largest fitting unit, to the nearest: `5 h`, `40 min`, `3 d`.
 * @param {number} ms
 */
export function roughly(ms) {
  for (const [unit, size, most] of UNITS) {
    const n = Math.max(0, Math.round(ms / size));
    if (n < most) return `${n} ${unit}`;
  }
  return `${count(Math.round(ms / DAY))} d`;
}

/**
 * `12 s ago`, or `in 12 s` for a clock that runs ahead.
 * @param {number} ms
 * @param {number} now
 */
export function ago(ms, now) {
  return ms > now + SECOND ? `in ${roughly(ms - now)}` : `${roughly(now - ms)} ago`;
}

/**
 * When an event leaves: `in 5 h`, or `now` when it is due.
 * @param {number} ms
 * @param {number} now
 */
export function expiresIn(ms, now) {
  return ms <= now ? "now" : `in ${roughly(ms - now)}`;
}

const BASE32 = "0123456789abcdefghijklmnopqrstuv";
const YEAR_2020 = Date.UTC(2020);

/**
 * When an event was received, read from its id (`<26 base32 characters>-<n>`, a UUIDv7 in front: its first 48
 * bits are the time in milliseconds). Null when that is no id.
 * @param {string} id
 * @param {number} now
 */
export function idTime(id, now) {
  if (!/^[0-9a-v]{26}-\d{1,9}$/.test(id)) return null;
  let bits = 0;
  for (const char of id.slice(0, 10)) bits = bits * 32 + BASE32.indexOf(char);
  const at = Math.floor(bits / 4);
  return at < YEAR_2020 || at > now + DAY ? null : at;
}

/**
 * What is known of why there is no event with an id.
 * @param {number | null} received by its id
 * @param {number} now
 * @param {readonly number[]} days that the projects one may read keep events; the id doesn't say which it is of
 */
export function whyAbsent(received, now, days) {
  if (received === null) return "No event has this id. The address may be cut short.";
  const told = `By its id it was received ${ago(received, now)}.`;
  const other = "was deleted by a purge, was never stored, or is of a project you may not read";
  const [least, most] = [Math.min(...days), Math.max(...days)];
  if (days.length > 0 && now - received > most * DAY) return `${told} It has expired: no project keeps events for more than ${most === 1 ? "a day" : `${most} days`}.`;
  if (days.length > 0 && now - received < least * DAY) return `${told} It ${other}.`;
  return `${told} It has expired, ${other}.`;
}
