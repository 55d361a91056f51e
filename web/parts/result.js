// What the log list says of its search beside the rows.

import { counted } from "../lib/amount.js";
import { h, shown } from "../lib/h.js";
import { isDatabaseAway, noticeLine, warningText } from "./state.js";

/** @typedef {import("../api.js").LogPage} LogPage */

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
