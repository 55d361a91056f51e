// What the log list says of its search beside the rows.

import { Problem, searchLogs } from "../api.js";
import { count, counted } from "../lib/amount.js";
import { BAR_FIELDS, isCounted, logsAddress } from "../lib/filters.js";
import { h, shown } from "../lib/h.js";
import { fullTime, offsetLabel, ownZone } from "../lib/time.js";
import { button, isDatabaseAway, noticeLine, warningText } from "./state.js";

/** @typedef {import("../api.js").LogPage} LogPage */
/** @typedef {import("../api.js").Scanned} Scanned */
/** @typedef {import("../lib/filters.js").Filters} Filters */

/** Fields counted at once. The service says the same. */
const MOST_FIELDS = 10;
/** Rows one list holds; the others are a link away. */
const MAX_ROWS = 2000;
export const NOT_ALL_READ = "Not all of this range was read.";

/**
 * The first page of a search. A browser may know a zone that the service doesn't: then the bars are of its offset now.
 * @param {Record<string, string>} query
 * @param {AbortSignal} signal
 * @returns {Promise<LogPage>}
 */
export async function firstPage(query, signal) {
  try {
    return await searchLogs(query, signal);
  } catch (error) {
    const isZone = error instanceof Problem && error.status === 400 && error.detail.startsWith("tz ");
    if (!isZone) throw error;
    const tz = offsetLabel(Date.now());
    const page = await searchLogs({ ...query, tz }, signal);
    return { ...page, warnings: [...(page.warnings ?? []), `The service does not know the time zone “${query.tz}”. The bars are of ${tz}.`] };
  }
}

/**
 * What one should know of a result before trusting it.
 * @param {LogPage} page
 * @param {string | undefined} wrongTz a zone of the address that is none
 */
export function noticesOf({ next_cursor: cursor, scanned, warnings = [] }, wrongTz) {
  const lines = warnings.map(warningText);
  if (scanned?.complete === false && !warnings.some(isDatabaseAway)) {
    const on = cursor === null ? "Search again" : "The button below the list reads on";
    lines.push(`${NOT_ALL_READ} The search stopped after ${counted(scanned.events, "event")}, so matches may be missing. ${on}, or narrow the time range.`);
  }
  return [lines.map((line) => noticeLine(line)), zoneNotice(wrongTz)].flat();
}

/** @param {string | null | undefined} wrong a zone of the address that is none; nothing where there is none */
export function zoneNotice(wrong) {
  return wrong ? noticeLine(`The address asks for the time zone “${shown(wrong.slice(0, 80))}”, which this browser does not know. Times are local.`) : null;
}

/**
 * How many rows there are, in which order, and what it took to find them.
 * @param {{ events: readonly unknown[], length: number }} list has fewer rows where repeats are folded
 * @param {boolean} more whether there are or may be others
 * @param {Pick<Filters, "order">} filters
 * @param {number | undefined} total of those that match, where it is known
 * @param {Scanned | undefined} scanned for the first page: the next ones read the same events again
 */
export function foundText({ events: { length: events }, length: rows }, more, { order: asked }, total, scanned) {
  const folded = rows < events ? ` in ${counted(rows, "row")}` : "";
  const order = events > 1 ? `, ${orderText(asked === "asc")}` : "";
  const read = scanned ? ` Read ${counted(scanned.events, "event")} in ${counted(scanned.blocks, "block")}, ${scanned.ms} ms.` : "";
  const shownOf = total !== undefined && total > events ? `${count(events)} of ${count(total)} shown` : `${count(events)} shown so far`;
  return [`${more ? shownOf : counted(events, "event")}${folded}${order}.`, h("span", { class: "muted read" }, read)];
}

/** @param {boolean} asc */
export const orderText = (asc) => (asc ? "oldest first" : "newest first");

/** What the events beyond the last are. @param {Pick<Filters, "order">} filters */
export const beyond = ({ order }) => (order ? "newer" : "older");

/**
 * What stands below a list: the way on from here, or that there is none.
 * @param {object} list
 * @param {Filters} list.filters
 * @param {Record<string, string>} list.query with its two ends
 * @param {readonly import("../api.js").LogEvent[]} list.events
 * @param {string | null} list.cursor
 * @param {boolean} list.all whether there are no others
 * @param {() => void} load
 * @param {() => void} again
 */
export function wayOn({ filters, query, events, cursor, all }, load, again) {
  const last = events.at(-1);
  const text = (/** @type {string} */ said) => h("p", { class: "muted" }, said);
  if (all) return [text(`No ${beyond(filters)} event in this range matches.`)];
  if (cursor === null) return [text(NOT_ALL_READ), button("Search again", again)];
  // Of one time alone the next list would be the same.
  if (last && events.length >= MAX_ROWS && events[0]?.ts !== last.ts) return [onLink(filters, query, Date.parse(last.ts))];
  return [button(last ? `Load ${beyond(filters)} events` : "Search on", load)];
}

/**
 * Leads on where a list is full.
 * @param {Filters} filters
 * @param {Record<string, string>} query
 * @param {number} at the time of the last event, in ms
 */
function onLink(filters, query, at) {
  const asc = query.order === "asc";
  const ends = asc ? { from: new Date(at).toISOString(), to: query.to ?? "" } : { from: query.from ?? "", to: new Date(at + 1).toISOString() };
  return h("a", { class: "button", href: logsAddress({ ...filters, range: "", ...ends }) }, `Continue ${asc ? "after" : "before"} ${fullTime(at)}`);
}

/**
 * What is counted with the first page of a list.
 * @param {Filters} filters
 * @param {boolean} narrow with fewer bars
 * @returns {Record<string, string>}
 */
export function besides({ side, tz, by, cols = [] }, narrow) {
  const beside = side === "fields" ? ",facets" : side === "patterns" ? ",patterns" : "";
  // What has a column is counted, too.
  const fields = [...new Set([...BAR_FIELDS.slice(0, 5), ...cols.filter(isCounted)])].slice(0, MOST_FIELDS).join();
  return { include: `histogram${beside}`, fields, top: side === "patterns" ? "100" : "10", buckets: narrow ? "40" : "120", tz: tz || ownZone(), ...(by ? { by } : {}) };
}
