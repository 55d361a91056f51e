// Numbers for people.

/** @param {number} n */
export function count(n) {
  return n.toLocaleString("en", { maximumFractionDigits: 0 });
}

/**
 * A number with its noun: `1 event`, `2,000 events`.
 * @param {number} n
 * @param {string} noun
 */
export function counted(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** What events of a level are called, one and more of them; the others are called as their level. @type {Record<string, [string, string]>} */
const LEVEL_NOUNS = { warn: ["warning", "warnings"], error: ["error", "errors"] };

/**
 * A number with a level: `1 error`, `12 warnings`, `40 info`.
 * @param {number} n
 * @param {string} level
 */
export function levelCount(n, level) {
  return `${count(n)} ${LEVEL_NOUNS[level]?.[n === 1 ? 0 : 1] ?? level}`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/**
 * Bytes in the largest unit of which there is at least one: `812 B`, `1.4 MiB`.
 * @param {number} n
 */
export function bytes(n) {
  let unit = 0;
  let rest = n;
  while (rest >= 1024 && unit < BYTE_UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? count(Math.floor(rest)) : rest.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/**
 * A rate with the digits that say something: `0`, `0.02`, `3.4`, `120`.
 * @param {number} n
 */
export function rate(n) {
  if (n === 0) return "0";
  if (n < 0.01) return "under 0.01";
  return n < 1 ? n.toFixed(2) : n < 10 ? n.toFixed(1) : count(Math.round(n));
}
