// The rows of the log list. A row's link is the event's own address; a plain click opens it beside the list.

import { hitWords } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { clockTime, fullTime, offsetLabel } from "../lib/time.js";
import { hasModifier } from "../router.js";

/** @typedef {import("../api.js").LogEvent} LogEvent */

/** Characters of a message that a row shows; the rest is in the detail. */
const ROW_TEXT = 400;
/** Marks of search hits in a row. */
const ROW_HITS = 20;

/** @param {(event: LogEvent) => void} onOpen */
export function eventList(onOpen) {
  /** @type {LogEvent[]} */
  let events = [];
  /** @type {HTMLAnchorElement[]} */
  let anchors = [];
  /** @type {Range[]} */
  let hits = [];
  const body = h("div", { role: "rowgroup", class: "rows" });
  const element = h(
    "div",
    { role: "table", class: "table", "aria-label": "Events, newest first", "aria-colcount": "4" },
    h("div", { role: "rowgroup", class: "rows-head" },
      h("div", { role: "row", class: "row head" },
        h("span", { role: "columnheader" }, `Time ${offsetLabel(new Date().getTimezoneOffset())}`),
        h("span", { role: "columnheader" }, "Level"),
        h("span", { role: "columnheader" }, "Source"),
        h("span", { role: "columnheader" }, "Message"))),
    body,
  );

  body.addEventListener("click", (click) => {
    const row = click.target instanceof Element ? click.target.closest(".row") : null;
    const index = row ? [...body.children].indexOf(row) : -1;
    const picked = events[index];
    if (!picked || click.button !== 0 || hasModifier(click)) return;
    click.preventDefault();
    // Someone who marks text wants the text.
    if (getSelection()?.isCollapsed === false && !(click.target instanceof HTMLAnchorElement)) return;
    onOpen(picked);
  });

  /** @param {number} index */
  function focus(index) {
    const anchor = anchors[Math.max(0, Math.min(index, anchors.length - 1))];
    anchor?.focus();
    anchor?.closest(".row")?.scrollIntoView({ block: "nearest" });
  }

  return {
    element,
    events: () => events,
    clear() {
      events = [];
      anchors = [];
      hits = [];
      delete element.dataset.days;
      fill(body);
      markHits(hits);
    },
    /**
     * @param {LogEvent[]} more
     * @param {{ now: number, manyProjects: boolean, q: string }} view
     */
    append(more, view) {
      const words = hitWords(view.q);
      const rows = more.map((event) => rowOf(event, view));
      // The column makes room for the day once a time shows one.
      if (rows.some(({ row }) => row.querySelector("time")?.textContent?.includes(" "))) element.dataset.days = "";
      body.append(...rows.map(({ row }) => row));
      events = events.concat(more);
      anchors = anchors.concat(rows.map(({ anchor }) => anchor));
      hits = hits.concat(rows.flatMap(({ anchor }) => findHits(anchor, words)));
      markHits(hits);
    },
    /** Marks the open event; null for none. */
    select(/** @type {string | null} */ id) {
      for (const [index, anchor] of anchors.entries()) {
        if (events[index]?.id === id) anchor.setAttribute("aria-current", "true");
        else anchor.removeAttribute("aria-current");
      }
    },
    indexOf: (/** @type {string | null} */ id) => events.findIndex((event) => event.id === id),
    /** The row that has the focus, or -1. */
    focused: () => anchors.findIndex((anchor) => anchor === document.activeElement),
    focus,
  };
}

/**
 * @param {LogEvent} event
 * @param {{ now: number, manyProjects: boolean }} view
 */
function rowOf(event, view) {
  const at = Date.parse(event.ts);
  const text = shown(event.message.slice(0, ROW_TEXT)).trim() || "(no text)";
  const source = view.manyProjects && event.source !== event.project ? `${event.project} / ${event.source}` : event.source;
  const anchor = h("a", { href: `/ui/logs/${encodeURIComponent(event.id)}` }, text);
  const row = h(
    "div",
    { role: "row", class: "row", "data-level": event.level },
    h("span", { role: "cell", class: "time" }, h("time", { datetime: event.ts, title: fullTime(at) }, clockTime(at, view.now))),
    h("span", { role: "cell", class: "level-cell" }, levelMark(event.level)),
    h("span", { role: "cell", class: "source", title: shown(source) }, shown(source)),
    h("span", { role: "cell", class: "message" }, anchor),
  );
  return { row, anchor };
}

/**
 * The level's word in its colour; on phones its first letter stands for it.
 * @param {string} level
 */
export function levelMark(level) {
  const letter = level.slice(0, 1).toUpperCase();
  return h("span", { class: "level", "data-level": level, "data-letter": letter }, h("span", { class: "word" }, level));
}

/**
 * @param {HTMLElement} anchor with one text node
 * @param {string[]} words
 */
function findHits(anchor, words) {
  /** @type {Range[]} */
  const found = [];
  const node = anchor.firstChild;
  const text = node?.nodeValue?.toLowerCase() ?? "";
  // Lower case can change the length of a text; then positions would be wrong.
  if (!node || text.length !== node.nodeValue?.length) return found;
  for (const word of words) {
    for (let at = text.indexOf(word); at >= 0 && found.length < ROW_HITS; at = text.indexOf(word, at + word.length)) {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + word.length);
      found.push(range);
    }
  }
  return found;
}

/** @param {Range[]} hits */
function markHits(hits) {
  if (!("highlights" in CSS)) return;
  CSS.highlights.set("hit", new Highlight(...hits));
}
