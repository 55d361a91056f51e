// Repeats in the list of logs: neighbours that say the same. A folded list shows the newest of them with their number;
// nothing is dropped, and what stands apart stays apart.

/** @typedef {import("../api.js").LogEvent} LogEvent */
/** @typedef {{ at: number, times: number }} FoldedRow the event's place, and how many the row stands for; 0 for one below the row of its repeats */

/**
 * Whether two events say the same: from one place, of one level, with one fingerprint.
 * @param {LogEvent | undefined} a
 * @param {LogEvent | undefined} b
 */
export function isRepeat(a, b) {
  return a !== undefined && b !== undefined && a.project_id === b.project_id && a.source === b.source && a.level === b.level
    && (a.fingerprint || b.fingerprint ? a.fingerprint === b.fingerprint : a.message === b.message);
}

/**
 * The place behind the last repeat of an event.
 * @param {readonly LogEvent[]} events
 * @param {number} at
 */
export function endOfRun(events, at) {
  let end = at + 1;
  while (isRepeat(events[at], events[end])) end += 1;
  return end;
}

/**
 * The rows of a folded list.
 * @param {readonly LogEvent[]} events
 * @param {ReadonlySet<string>} open ids of which each opens the repeats it is among
 * @returns {FoldedRow[]}
 */
export function foldedRows(events, open) {
  /** @type {FoldedRow[]} */
  const rows = [];
  for (let at = 0, end = 0; at < events.length; at = end) {
    end = endOfRun(events, at);
    rows.push({ at, times: end - at });
    if (end - at > 1 && open.size > 0 && events.slice(at, end).some(({ id }) => open.has(id))) {
      for (let one = at + 1; one < end; one += 1) rows.push({ at: one, times: 0 });
    }
  }
  return rows;
}
