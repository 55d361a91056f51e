// One row of a table of events.

import { columnText, eventAddress } from "../lib/filters.js";
import { h, shown } from "../lib/h.js";
import { clockTime, fullTime } from "../lib/time.js";

/** @typedef {import("../api.js").LogEvent} LogEvent */
/** @typedef {{ row: HTMLElement, anchor: HTMLAnchorElement, repeats?: HTMLElement }} Row */

/** Characters of a message that a row shows; the rest is in the detail. */
const ROW_TEXT = 400;

/**
 * A row of a table of events.
 * @param {LogEvent} event
 * @param {{ now: number, manyProjects: boolean, cols?: string[] }} view
 * @param {number} [breaks] line breaks of its text that are marked
 * @returns {Row}
 */
export function rowOf(event, view, breaks = 1) {
  const at = Date.parse(event.ts);
  const text = shown(event.message.slice(0, ROW_TEXT)).trim() || "(no text)";
  const source = view.manyProjects && event.source !== event.project ? `${event.project} / ${event.source}` : event.source;
  const anchor = h("a", { href: eventAddress(event.id) }, oneLine(text, breaks));
  const columns = columnText(event, view.cols ?? []);
  const row = h(
    "div",
    { role: "row", class: "row", "data-level": event.level },
    h("time", { role: "cell", class: "time", datetime: event.ts, title: fullTime(at) }, clockTime(at, view.now)),
    levelMark(event.level, "cell"),
    h("span", { role: "cell", class: "source", title: shown(source) }, shown(source)),
    h("span", { role: "cell", class: "message" }, columns && `${shown(columns)} `, anchor),
  );
  return { row, anchor };
}

/**
 * Makes a row that of another event, which says the same; its elements stay.
 * @param {Row} made
 * @param {Row} other
 */
export function renew(made, other) {
  made.anchor.href = other.anchor.href;
  made.anchor.replaceChildren(...other.anchor.childNodes);
  // The time, and the columns before the message.
  made.row.firstChild?.replaceWith(other.row.firstChild ?? "");
  made.anchor.parentNode?.firstChild?.replaceWith(other.anchor.parentNode?.firstChild ?? "");
}

/**
 * The level's word in its colour; on phones its first letter is in sight.
 * @param {string} level
 * @param {string} [role]
 */
export function levelMark(level, role) {
  return h("span", { role, class: "level", "data-level": level }, level);
}

/** Line breaks that are marked where a text is shown in one line. */
const BREAKS = 20;

/**
 * A text in one line, where its line breaks can be seen. The marks are for the eye: neither read aloud nor copied.
 * @param {string} text
 * @param {number} [most] line breaks that are marked
 * @returns {(Node | string)[]}
 */
export function oneLine(text, most = BREAKS) {
  const lines = text.split("\n");
  const parts = [...lines.slice(0, most), ...(lines.length > most ? [lines.slice(most).join("\n")] : [])];
  // The break itself stays, as the space that it is in one line.
  return parts.flatMap((line, at) => (at === parts.length - 1 ? [line] : [`${line}\n`, h("span", { class: "break", "aria-hidden": "true" })]));
}
