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

export class EventList {
  /** Newest first. @type {readonly LogEvent[]} */
  events = [];
  /** @type {HTMLAnchorElement[]} */
  #anchors = [];
  /** @type {Range[]} */
  #hits = [];
  /** @type {(event: LogEvent) => void} */
  #onOpen;
  #body = h("div", { role: "rowgroup", class: "rows", onclick: (/** @type {MouseEvent} */ event) => this.#clicked(event) });
  element = h(
    "div",
    { role: "table", class: "table", "aria-label": "Events, newest first", hidden: true },
    h("div", { role: "rowgroup", class: "rows-head" },
      h("div", { role: "row", class: "row head" },
        h("span", { role: "columnheader" }, `Time ${offsetLabel(new Date().getTimezoneOffset())}`),
        h("span", { role: "columnheader" }, "Level"),
        h("span", { role: "columnheader" }, "Source"),
        h("span", { role: "columnheader" }, "Message"))),
    this.#body,
  );

  /** @param {(event: LogEvent) => void} onOpen */
  constructor(onOpen) {
    this.#onOpen = onOpen;
  }

  clear() {
    this.events = [];
    this.#anchors = [];
    this.#hits = [];
    delete this.element.dataset.days;
    fill(this.#body);
    markHits(this.#hits);
  }

  /**
   * @param {LogEvent[]} more
   * @param {{ now: number, manyProjects: boolean, q: string }} view
   */
  append(more, view) {
    const words = hitWords(view.q);
    const rows = more.map((event) => rowOf(event, view));
    // The column makes room for the day once a time shows one.
    if (rows.some(({ row }) => row.querySelector("time")?.textContent?.includes(" "))) this.element.dataset.days = "";
    this.#body.append(...rows.map(({ row }) => row));
    this.events = this.events.concat(more);
    this.#anchors = this.#anchors.concat(rows.map(({ anchor }) => anchor));
    this.#hits = this.#hits.concat(rows.flatMap(({ anchor }) => findHits(anchor, words)));
    markHits(this.#hits);
  }

  /** Marks the open event. @param {string | null} id null for none */
  select(id) {
    for (const [index, anchor] of this.#anchors.entries()) {
      if (this.events[index]?.id === id) anchor.setAttribute("aria-current", "true");
      else anchor.removeAttribute("aria-current");
    }
  }

  /** @param {string | null} id */
  indexOf(id) {
    return this.events.findIndex((event) => event.id === id);
  }

  /** The row that has the focus, or -1. */
  focused() {
    return this.#anchors.findIndex((anchor) => anchor === document.activeElement);
  }

  /** @param {number} index */
  focus(index) {
    const anchor = this.#anchors[index];
    anchor?.focus();
    anchor?.closest(".row")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {MouseEvent} click */
  #clicked(click) {
    const target = click.target instanceof Element ? click.target : null;
    const row = target?.closest(".row") ?? null;
    const picked = row ? this.events[[...this.#body.children].indexOf(row)] : undefined;
    if (!picked || click.button !== 0 || hasModifier(click)) return;
    click.preventDefault();
    // Someone who marks text wants the text.
    if (getSelection()?.isCollapsed === false && !(target instanceof HTMLAnchorElement)) return;
    this.#onOpen(picked);
  }
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
