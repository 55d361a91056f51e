// What the bars of a histogram are stacked of: the levels, or the commonest values of a field and the rest of them.

import { counted, levelCount } from "./amount.js";
import { LEVELS } from "./filters.js";
import { shown } from "./h.js";
import { MINUTE } from "./time.js";

/** @typedef {{ name: string, tone: string }} Series `tone` names its colour */
/** @typedef {{ from: string, to: string, counts: number[] }} Bucket one count a series */

/** Units of height; the picture is stretched to its box. */
export const HEIGHT = 100;
/** The least height of what has events, so that one error among thousands is seen. */
const LEAST = 6;
/** Part of a bar's width that separates it from the next. */
const BAR_GAP = 0.15;
/** Values with a colour of their own. Also in css/tokens.css. */
const MOST = 5;
/** Characters of a value. */
const MOST_NAME = 40;
/** From the baseline up. */
const STACK = /** @type {readonly string[]} */ ([...LEVELS].reverse());

/**
 * The series from the baseline up, the worst level or the commonest value first, and what each bucket has of them.
 * @param {import("../api.js").Histogram | undefined} histogram
 * @returns {{ series: Series[], buckets: Bucket[] }}
 */
export function stackOf(histogram) {
  const { by = "level", values = [], buckets = [], from: first = "", to: last = "", approximate } = histogram ?? {};
  const names = by === "level" ? STACK : values;
  const own = by === "level" ? STACK.length : MOST;
  const series = by === "level"
    ? STACK.map((name) => ({ name, tone: name }))
    : [...values.slice(0, MOST).map((value, at) => ({ name: nameOf(value, values), tone: String(at + 1) })),
      { name: `other values${approximate ? ", too many to count each" : ""}`, tone: "other" }, { name: `without ${by}`, tone: "none" }];
  return {
    series,
    buckets: buckets.map(({ from, to, counts, other = 0, none = 0 }) => {
      const each = names.map((name) => (Object.hasOwn(counts, name) ? counts[name] ?? 0 : 0));
      const rest = by === "level" ? [] : [other + sum(each.slice(own)), none];
      // The first and the last reach beyond what was asked for, which the page has to the minute. Years of five digits sort first.
      const [least, most] = [minute(first, Math.floor), minute(last, Math.ceil)];
      return { from: from < least ? least : from, to: to > most && most >= last ? most : to, counts: [...each.slice(0, own), ...rest] };
    }),
  };
}

/** @param {string} time @param {(n: number) => number} round */
const minute = (time, round) => new Date(round(Date.parse(time) / MINUTE) * MINUTE).toISOString();

/**
 * A value in so few characters that none of the others reads the same.
 * @param {string} value
 * @param {readonly string[]} values
 */
function nameOf(value, values) {
  if (value.length <= MOST_NAME) return shown(value) || "(empty)";
  const start = value.slice(0, MOST_NAME);
  // Addresses and paths differ at their ends.
  const isAlone = values.every((other) => other === value || !other.startsWith(start));
  return shown(isAlone ? `${start}…` : `${value.slice(0, 10)}…${value.slice(11 - MOST_NAME)}`);
}

/** @param {readonly number[]} counts */
export const sum = (counts) => counts.reduce((all, n) => all + n, 0);

/** What some buckets have together, by series. @param {readonly Bucket[]} buckets */
export function sumCounts(buckets) {
  /** @type {number[]} */
  const sums = [];
  for (const { counts } of buckets) counts.forEach((n, at) => (sums[at] = (sums[at] ?? 0) + n));
  return sums;
}

/**
 * A path for each series that occurs. One path a series keeps the picture at a few nodes.
 * @param {readonly Bucket[]} buckets
 * @param {readonly Series[]} series
 * @returns {{ tone: string, path: string }[]}
 */
export function barPaths(buckets, series) {
  const most = Math.max(1, ...buckets.map(({ counts }) => sum(counts)));
  const paths = series.map(({ tone }) => ({ tone, path: "" }));
  for (const [index, { counts }] of buckets.entries()) {
    const room = HEIGHT - LEAST * counts.filter((n) => n > 0).length;
    let bottom = HEIGHT;
    for (const [at, n] of counts.entries()) {
      const of = paths[at];
      if (!of || n === 0) continue;
      const height = LEAST + (n / most) * room;
      bottom -= height;
      of.path += `M${index + BAR_GAP / 2} ${round(bottom)}h${1 - BAR_GAP}v${round(height)}h${BAR_GAP - 1}z`;
    }
  }
  return paths.filter(({ path }) => path !== "");
}

/** @param {number} n */
const round = (n) => Math.round(n * 100) / 100;

/**
 * The most that one bucket has, and where. @param {readonly Bucket[]} buckets
 * @returns {{ most: number, of: Bucket | undefined }}
 */
export function peakOf(buckets) {
  /** @type {{ most: number, of: Bucket | undefined }} */
  let peak = { most: 0, of: undefined };
  for (const of of buckets) {
    const most = sum(of.counts);
    if (most > peak.most) peak = { most, of };
  }
  return peak;
}

/**
 * `43 events: 3 errors, 40 info`, in the order of the series.
 * @param {readonly number[]} counts
 * @param {readonly Series[]} series
 */
export function countText(counts, series) {
  const parts = series.flatMap(({ name, tone }, at) => {
    const n = counts[at] ?? 0;
    return n === 0 ? [] : [tone === name ? levelCount(n, name) : `${n.toLocaleString("en")} ${name}`];
  });
  return [counted(sum(counts), "event"), ...(parts.length > 0 ? [parts.join(", ")] : [])].join(": ");
}
