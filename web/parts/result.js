// What the log list says of its search beside the rows.

import { Problem, searchLogs } from "../api.js";
import { counted } from "../lib/amount.js";
import { logsAddress } from "../lib/filters.js";
import { h, shown } from "../lib/h.js";
import { fullTime, offsetLabel, ownZone } from "../lib/time.js";
import { isDatabaseAway, noticeLine, warningText } from "./state.js";

/** @typedef {import("../api.js").LogPage} LogPage */

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
export function noticesOf({ scanned, warnings = [] }, wrongTz) {
  const lines = warnings.map(warningText);
  if (scanned && !scanned.complete && !warnings.some(isDatabaseAway)) {
    lines.push(`The search stopped after reading ${counted(scanned.events, "event")}. Older matches may be missing: search on below, or narrow the time range.`);
  }
  return [lines.map((line) => noticeLine(line)), zoneNotice(wrongTz)].flat();
}

/** @param {string | null | undefined} wrong a zone of the address that is none; nothing where there is none */
export function zoneNotice(wrong) {
  return wrong ? noticeLine(`The address asks for the time zone “${shown(wrong.slice(0, 80))}”, which this browser does not know. Times are local.`) : null;
}

/**
 * How many rows there are, and what it took to find them.
 * @param {number} events
 * @param {number} rows fewer where repeats are folded
 * @param {boolean} more whether there are older ones
 * @param {import("../api.js").Scanned | undefined} scanned
 */
export function foundText(events, rows, more, scanned) {
  const folded = rows < events ? ` in ${counted(rows, "row")}` : "";
  const read = scanned ? ` Read ${counted(scanned.events, "event")} in ${counted(scanned.blocks, "block")}, ${scanned.ms} ms.` : "";
  return [`${counted(events, "event")}${more ? " so far" : ""}${folded}, newest first.`, h("span", { class: "muted" }, read)];
}

/**
 * Leads on where a list is full.
 * @param {import("../lib/filters.js").Filters} filters
 * @param {string} from where the range begins
 * @param {number} at the time of its last event, in ms
 */
export function olderLink(filters, from, at) {
  const address = logsAddress({ ...filters, range: "", from, to: new Date(at + 1).toISOString() });
  return h("a", { class: "button", href: address }, `Continue before ${fullTime(at)}`);
}

/**
 * What is counted with the first page of a list.
 * @param {import("../lib/filters.js").Filters} filters
 * @param {boolean} narrow with fewer bars
 * @returns {Record<string, string>}
 */
export function besides({ side, tz }, narrow) {
  const beside = side === "fields" ? ",facets" : side === "patterns" ? ",patterns" : "";
  return { include: `histogram${beside}`, buckets: narrow ? "40" : "120", tz: tz || ownZone() };
}
