// Times for people and for the API. Everything here takes the present as an argument, so it can be tested.

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The ranges offered, in the order shown. */
export const RANGES = /** @type {const} */ ([
  { name: "15m", ms: 15 * MINUTE, label: "Last 15 minutes" },
  { name: "1h", ms: HOUR, label: "Last hour" },
  { name: "24h", ms: DAY, label: "Last 24 hours" },
  { name: "3d", ms: 3 * DAY, label: "Last 3 days" },
]);

/**
 * The length of a named range, or null.
 * @param {string} name
 */
export function rangeMillis(name) {
  return RANGES.find((range) => range.name === name)?.ms ?? null;
}

/** @param {number} n @param {number} [width] */
const pad = (n, width = 2) => String(n).padStart(width, "0");

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Local time of day with milliseconds; with the day in front when it is not the day of `now`.
 * @param {number} ms
 * @param {number} now
 */
export function clockTime(ms, now) {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return "unknown time";
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
  if (at.toDateString() === new Date(now).toDateString()) return time;
  return `${MONTHS[at.getMonth()]} ${pad(at.getDate())} ${time}`;
}

/**
 * Local date and time with the zone's offset: `2026-11-20 23:57:01.123 +01:00`.
 * @param {number} ms
 */
export function fullTime(ms) {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return "unknown time";
  const date = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
  return `${date} ${time} ${offsetLabel(at.getTimezoneOffset())}`;
}

/**
 * `UTC` or `+05:30`, from what `Date.getTimezoneOffset` gives.
 * @param {number} minutesBehind
 */
export function offsetLabel(minutesBehind) {
  if (minutesBehind === 0) return "UTC";
  const minutes = Math.abs(minutesBehind);
  return `${minutesBehind < 0 ? "+" : "-"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

/**
 * A length of time in its largest fitting unit, rounded down: `5 h`, `40 min`, `3 d`.
 * @param {number} ms
 */
export function roughly(ms) {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < 2 * HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
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
