// What the counts of a time range say: whether something is wrong, since when, and against the time before.

import { count, counted } from "./amount.js";
import { shown } from "./h.js";
import { clockTime, MINUTE, roughly, SECOND } from "./time.js";

/** @typedef {Record<string, number>} Counts events by level */
/** @typedef {{ from: string, to: string, total: number, events: Counts, error_rate: number, per_minute: number }} Period */
/**
 * @typedef {object} Issue
 * @property {number} project_id
 * @property {string} project slug
 * @property {string} fingerprint
 * @property {string} title
 * @property {string} source
 * @property {string} level
 * @property {number} count
 * @property {string} first_seen
 * @property {string} last_seen
 */
/**
 * @typedef {Period & {
 *   previous: Period & { complete: boolean },
 *   day_before?: Period & { complete: boolean },
 *   trend: { from: string, to: string, counts: Counts }[],
 *   top_issues: Issue[],
 *   storage: { blocks: number, events: number, raw_bytes: number, stored_bytes: number, age_ms?: number, complete?: boolean },
 * }} Stats
 */
/**
 * @typedef {object} Verdict
 * @property {"calm" | "steady" | "fewer" | "more"} state
 * @property {number} errors
 * @property {number} since where the latest run of errors began, in ms; NaN when there is none
 * @property {number} last the end of the last bucket with an error, in ms; NaN when there is none
 */

/** Fewer errors than this are no trend. */
const FEW = 5;
/** How many times the rate before counts as a change. */
const CHANGE = 2;
/** Empty buckets that a run of errors may have within. */
const GAP = 2;

/** @param {Counts} counts */
export function errorsIn(counts) {
  return (counts.error ?? 0) + (counts.fatal ?? 0);
}

/** Errors a minute; what is to come is no time. @param {Period} period */
export const errorRate = (period) => period.error_rate * period.per_minute;

/**
 * @param {Stats} stats
 * @returns {Verdict}
 */
export function verdict(stats) {
  const { previous } = stats;
  const errors = errorsIn(stats.events);
  /** @type {Verdict["state"]} */
  let state = errors === 0 ? "calm" : "steady";
  // With what is left of a period nothing is compared.
  if (previous.complete) {
    if (errors >= FEW && errorRate(stats) > errorRate(previous) * CHANGE) state = "more";
    if (errors > 0 && errorsIn(previous.events) >= FEW && errorRate(stats) * CHANGE < errorRate(previous)) state = "fewer";
  }
  return { state, errors, ...lastRun(stats.trend) };
}

/** @param {Stats["trend"]} trend */
function lastRun(trend) {
  let since = NaN;
  let last = NaN;
  let gap = 0;
  for (const slot of trend.toReversed()) {
    if (errorsIn(slot.counts) > 0) {
      gap = 0;
      since = Date.parse(slot.from);
      last ||= Date.parse(slot.to);
    } else if (++gap > GAP && last) break;
  }
  return { since, last };
}

/** A time without errors shorter than this is no pause: buckets end a little before now. */
const PAUSE_MS = 30 * SECOND;

/**
 * The verdict in words. Times are edges of buckets, and told as such.
 * @param {Stats} stats
 * @param {Verdict} found
 * @param {number} began when the first error of the latest run happened, in ms; NaN where that is not known
 * @param {number} now
 */
export function verdictText(stats, found, began, now) {
  if (found.errors === 0) return "No errors in this time.";
  const compared = { calm: "", steady: "", more: ", more than in the period before", fewer: ", fewer than in the period before" }[found.state];
  const fatal = stats.events.fatal ?? 0;
  const parts = [`${counted(found.errors, "error")}${fatal > 0 ? ` (${count(fatal)} fatal)` : ""}${compared}.`];
  if (found.since) {
    const before = found.since - began > barMillis(stats) ? `, happened from ${clockTime(began, now).replace(/\.\d+$/, "")} on` : "";
    const pause = now - found.last >= PAUSE_MS ? `; none for about ${roughly(Math.max(MINUTE, now - found.last))}` : "";
    parts.push(`Received since about ${clockTime(found.since, now).replace(/:\d\d\.\d+$/, "")}${before}${pause}.`);
  }
  const worst = stats.top_issues.find(({ level }) => level === "error" || level === "fatal");
  if (worst) parts.push(`Top issue in ${[worst.project, worst.source].filter((name) => name !== "").map(shown).join(" / ")} (${count(worst.count)} of ${count(found.errors)}).`);
  return parts.join(" ");
}

/** How long a bar of the trend is. @param {Stats} stats */
export function barMillis({ trend: [slot] }) {
  return slot ? Date.parse(slot.to) - Date.parse(slot.from) : 0;
}
