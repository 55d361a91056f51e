// The rows of the log list. A row's link is the event's own address; a plain click opens it beside the list.

import { hitWords } from "../lib/filters.js";
import { endOfRun, foldedRows, isRepeat } from "../lib/fold.js";
import { h } from "../lib/h.js";
import { clockTime, offsetsLabel } from "../lib/time.js";
import { hasModifier } from "../router.js";
import { findHits, markHits } from "./hits.js";
import { orderText } from "./result.js";
import { renew, rowOf } from "./row.js";

/** @typedef {import("../api.js").LogEvent} LogEvent */
/** @typedef {import("./row.js").Row} Row */
/** @typedef {{ now: number, manyProjects: boolean, q: string, cols?: string[], goesOn: boolean, asc?: boolean }} View `goesOn` where there are events beyond the last, `asc` with the oldest first */

/** Rows kept in the document beyond those in sight, on each side. */
const AHEAD = 6;
/** Rows in the document; seven nodes each, with a line break or a number of repeats, keep the list below 500. */
const MOST_ROWS = 70;
/** Heights of a row. Also in css/tokens.css and css/parts.css. */
const ROW_PX = 24;
const PHONE_ROW_PX = 48;
const PHONE = "(width <= 900px)";
/** A list scrolled by less is at its top. */
const NEAR_TOP_PX = 8;

/** What a key looks for, and which way. */
export const STEPS = {
  e: { step: 1, what: "error", levels: ["error", "fatal"] },
  E: { step: -1, what: "error", levels: ["error", "fatal"] },
  w: { step: 1, what: "warning", levels: ["warn"] },
  W: { step: -1, what: "warning", levels: ["warn"] },
};

export class EventList {
  /** In the order shown. @type {readonly LogEvent[]} */
  events = [];
  /** The rows of a folded list; null while each event has one. @type {import("../lib/fold.js").FoldedRow[] | null} */
  #folded = null;
  /** Events whose repeats are shown one by one. @type {Set<string>} */
  #open = new Set();
  /** The rows in the document, by the ids of their events. @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {View} */
  #view = { now: 0, manyProjects: false, q: "", goesOn: false };
  /** @type {string[]} */
  #words = [];
  /** @type {string | null} */
  #selected = null;
  /** The row that had the focus last. @type {string | null} */
  #focused = null;
  #frame = 0;
  #life = new AbortController();
  #sizes = new ResizeObserver(() => this.#soon());
  /** @type {(event: LogEvent) => void} */
  #onOpen;
  #body = h("div", {
    role: "rowgroup", class: "rows",
    onclick: (/** @type {MouseEvent} */ event) => this.#clicked(event),
    onfocusin: (/** @type {Event} */ event) => this.#noteFocus(event),
  });
  #time = h("span", { role: "columnheader" });
  element = h(
    "div",
    { role: "table", class: "table", "aria-label": "Events, newest first", hidden: true },
    h("div", { role: "rowgroup", class: "rows-head" },
      h("div", { role: "row", class: "row head", "aria-rowindex": "1" },
        this.#time,
        h("span", { role: "columnheader" }, "Level"),
        h("span", { role: "columnheader" }, "Source"),
        h("span", { role: "columnheader" }, "Message"))),
    this.#body,
  );

  /** @param {(event: LogEvent) => void} onOpen */
  constructor(onOpen) {
    this.#onOpen = onOpen;
    const { signal } = this.#life;
    // Whatever scrolls: the pane beside the detail, the page on a phone.
    document.addEventListener("scroll", () => this.#soon(), { signal, capture: true, passive: true });
    addEventListener("resize", () => this.#soon(), { signal });
  }

  close() {
    this.#life.abort();
    this.#sizes.disconnect();
    cancelAnimationFrame(this.#frame);
    markHits([]);
  }

  clear() {
    this.#have([]);
    this.#rows.clear();
    this.#open.clear();
    this.#focused = null;
    delete this.element.dataset.days;
    this.#render();
  }

  /**
   * @param {LogEvent[]} more the next ones
   * @param {View} view
   */
  append(more, view) {
    this.#take(view);
    this.#have(this.events.concat(more));
    this.#makeRoomForDays(more);
    if (this.element.parentElement) this.#sizes.observe(this.element.parentElement);
    this.#render();
  }

  /**
   * @param {LogEvent[]} newer newest first
   * @param {View} view
   * @param {number} limit rows kept; the oldest make room
   */
  prepend(newer, view, limit) {
    this.#take(view);
    this.#have(newer.concat(this.events).slice(0, limit));
    this.#makeRoomForDays(newer);
    this.#render();
  }

  /** Marks the open event. @param {string | null} id null for none */
  select(id) {
    this.#selected = id;
    const shown = this.row(this.indexOf(id))?.id;
    for (const [of, { anchor }] of this.#rows) markCurrent(anchor, of === shown);
  }

  /** Rows there are, in the document or not. */
  get length() {
    return this.#folded?.length ?? this.events.length;
  }

  /** The event of a row; of repeats the first. @param {number} index */
  row(index) {
    return this.events[this.#folded ? this.#folded[index]?.at ?? -1 : index];
  }

  /** The row of an event, or that of its repeats; -1 when there is none. @param {string | null} id */
  indexOf(id) {
    const at = id === null ? -1 : this.events.findIndex((event) => event.id === id);
    return at >= 0 && this.#folded ? this.#folded.findLastIndex((row) => row.at <= at) : at;
  }

  /**
   * The next row of one of some levels; null when there is none.
   * @param {number} from
   * @param {number} step
   * @param {string[]} levels
   */
  next(from, step, levels) {
    for (let at = from + step; this.row(at); at += step) if (levels.includes(this.row(at)?.level ?? "")) return at;
    return null;
  }

  /** Shows neighbours that say the same as one row, or each event. @param {boolean} on */
  fold(on) {
    if (on === (this.#folded !== null)) return;
    this.#folded = on ? [] : null;
    this.#rows.clear();
    this.#keepPlace(this.#focused);
  }

  /** Shows these fields and paths before each message. @param {string[]} cols */
  columns(cols) {
    if (cols.join() === this.#view.cols?.join()) return;
    this.#view.cols = cols;
    this.#rows.clear();
    this.#keepPlace(this.#focused);
  }

  /** Shows the repeats of a row one by one, or no longer. @param {number} index */
  toggle(index) {
    const event = this.row(index);
    if (!event || !this.#folded) return;
    let at = this.events.indexOf(event);
    while (isRepeat(this.events[at - 1], event)) at -= 1;
    const run = this.events.slice(at, endOfRun(this.events, at));
    const wasOpen = run.some(({ id }) => this.#open.has(id));
    for (const { id } of run) this.#open.delete(id);
    if (!wasOpen) this.#open.add(event.id);
    this.#keepPlace(event.id);
  }

  /** Shows the times of all rows in the zone that is now theirs. */
  redraw() {
    delete this.element.dataset.days;
    this.#makeRoomForDays([...this.events]);
    this.#rows.clear();
    this.#keepPlace(this.#focused);
  }

  /** Makes the rows anew; the focus stays at its event. @param {string | null} id */
  #keepPlace(id) {
    const had = this.#body.contains(document.activeElement);
    this.#have(this.events);
    this.#render();
    if (had && !this.#body.contains(document.activeElement)) this.focus(this.indexOf(id));
  }

  /** @param {readonly LogEvent[]} events */
  #have(events) {
    this.events = events;
    const [first, last] = [events[0], events.at(-1)].map((event) => Date.parse(event?.ts ?? ""));
    this.#time.textContent = first && last ? `Time ${offsetsLabel(first, last)}` : "Time";
    if (this.#folded) this.#folded = foldedRows(events, this.#open);
  }

  /** The row that has the focus, or had it before it was scrolled away; else -1. */
  focused() {
    const away = document.activeElement === document.body && this.#focused !== null && !this.#rows.has(this.#focused);
    return away || this.#body.contains(document.activeElement) ? this.indexOf(this.#focused) : -1;
  }

  /** @param {number} index */
  focus(index) {
    const event = this.row(index);
    if (!event) return;
    if (!this.#rows.has(event.id)) {
      scrollInto(this.#body, index * rowHeight());
      this.#render();
    }
    const found = this.#rows.get(event.id);
    found?.anchor.focus({ preventScroll: true });
    found?.row.scrollIntoView({ block: "nearest" });
  }

  /** Whether the first row is in sight. */
  atTop() {
    const pane = this.element.parentElement;
    return pane !== null && this.element.getBoundingClientRect().top >= Math.max(0, pane.getBoundingClientRect().top) - NEAR_TOP_PX;
  }

  toTop() {
    scrollInto(this.element, -innerHeight);
  }

  /** Whether text of a row is marked. */
  hasSelection() {
    const selection = getSelection();
    return selection !== null && !selection.isCollapsed && this.#body.contains(selection.anchorNode);
  }

  /** @param {View} view */
  #take(view) {
    this.#view = view;
    this.#words = hitWords(view.q);
    this.element.toggleAttribute("data-projects", view.manyProjects);
    this.element.setAttribute("aria-label", `Events, ${orderText(view.asc === true)}`);
  }

  /** The column makes room for the day once a time shows one. @param {LogEvent[]} events */
  #makeRoomForDays(events) {
    if (events.some(({ ts }) => clockTime(Date.parse(ts), this.#view.now).includes(" "))) this.element.dataset.days = "";
  }

  #soon() {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render();
    });
  }

  /** Keeps the rows in sight in the document, and room for the others. */
  #render() {
    const [first, end] = this.#window();
    const height = rowHeight();
    const selected = this.indexOf(this.#selected);
    this.#body.style.paddingBlock = `${first * height}px ${(this.length - end) * height}px`;
    /** @type {Map<string, Row>} */
    const rows = new Map();
    for (let index = first; index < end; index += 1) {
      const event = this.row(index);
      if (!event) break;
      const run = this.#folded?.[index] ?? { at: index, times: 1 };
      const made = this.#rowFor(event, run);
      made.row.setAttribute("aria-rowindex", String(index + 2));
      this.#markRepeats(made, index, run);
      markCurrent(made.anchor, index === selected);
      rows.set(event.id, made);
    }
    for (const { row } of this.#rows.values()) row.remove();
    // Rows that stay are not touched: moving one would take its focus.
    let place = this.#body.firstChild;
    for (const { row } of rows.values()) {
      if (row === place) place = row.nextSibling;
      else this.#body.insertBefore(row, place);
    }
    while (place?.nextSibling) place.nextSibling.remove();
    place?.remove();
    this.#rows = rows;
    this.element.setAttribute("aria-rowcount", String(this.length + 1));
    markHits([...rows.values()].flatMap(({ anchor }) => findHits(anchor, this.#words)));
  }

  /**
   * The row of an event. One that stands for repeats stays the same when more arrive: it keeps the focus, and a press
   * that has begun.
   * @param {LogEvent} event
   * @param {import("../lib/fold.js").FoldedRow} run
   */
  #rowFor(event, { at, times }) {
    for (const { id } of this.events.slice(at, at + (times || 1))) {
      const made = this.#rows.get(id);
      if (!made || "repeat" in made.row.dataset === times > 0) continue;
      this.#rows.delete(id);
      if (id !== event.id) renew(made, this.#made(event));
      if (this.#focused === id) this.#focused = event.id;
      return made;
    }
    return this.#made(event);
  }

  /** A row of a folded list has a number of repeats instead of its line break. @param {LogEvent} event */
  #made(event) {
    return rowOf(event, this.#view, this.#folded ? 0 : 1);
  }

  /** The number of repeats a row stands for. @param {Row} made @param {number} index @param {import("../lib/fold.js").FoldedRow} run */
  #markRepeats(made, index, { at, times }) {
    made.row.toggleAttribute("data-repeat", times === 0);
    if (times < 2) {
      made.repeats?.remove();
      return;
    }
    made.repeats ??= h("button", { type: "button", class: "repeats" });
    // What is not loaded may go on in the same way.
    const goesOn = this.#view.goesOn && at + times === this.events.length;
    const text = `× ${times.toLocaleString("en")}${goesOn ? "+" : ""}`;
    const last = this.events[at + times - 1];
    made.repeats.textContent = text;
    made.repeats.title = `${text} in a row, ${this.#view.asc ? "on" : "back"} to ${clockTime(Date.parse(last?.ts ?? ""), this.#view.now)}${goesOn ? " or further" : ""}`;
    made.repeats.setAttribute("aria-label", made.repeats.title);
    made.repeats.setAttribute("aria-expanded", String(this.#folded?.[index + 1]?.times === 0));
    if (made.repeats.nextSibling !== made.anchor) made.anchor.before(made.repeats);
  }

  /** The first row to have in the document and the end of them. @returns {[number, number]} */
  #window() {
    const pane = this.element.parentElement?.getBoundingClientRect();
    if (!pane || this.length === 0) return [0, 0];
    const top = this.#body.getBoundingClientRect().top;
    const height = rowHeight();
    const seenFrom = Math.max(0, pane.top) - top;
    const seenTo = Math.min(innerHeight, pane.bottom) - top;
    const [from, to] = [Math.floor(seenFrom / height), Math.ceil(seenTo / height)];
    // The list is never so high that more are in sight: css/layout.css.
    const ahead = Math.min(AHEAD, (MOST_ROWS - to + from) >> 1);
    const first = Math.min(Math.max(0, from - ahead), this.length - 1);
    return [first, Math.min(this.length, Math.max(first, to) + ahead, first + MOST_ROWS)];
  }

  /** @param {Event} event */
  #noteFocus(event) {
    for (const [id, { anchor, repeats }] of this.#rows) if (event.target === anchor || event.target === repeats) this.#focused = id;
  }

  /** @param {MouseEvent} click */
  #clicked(click) {
    const target = click.target instanceof Element ? click.target : null;
    const row = target?.closest(".row") ?? null;
    const id = [...this.#rows].find(([, made]) => made.row === row)?.[0] ?? null;
    const picked = this.row(this.indexOf(id));
    if (picked && target?.closest("button")) return this.toggle(this.indexOf(id));
    if (!picked || click.button !== 0 || hasModifier(click)) return;
    click.preventDefault();
    // Someone who marks text wants the text.
    if (getSelection()?.isCollapsed === false && !(target instanceof HTMLAnchorElement)) return;
    this.#onOpen(picked);
  }
}

function rowHeight() {
  return matchMedia(PHONE).matches ? PHONE_ROW_PX : ROW_PX;
}

/**
 * @param {HTMLAnchorElement} anchor
 * @param {boolean} current
 */
function markCurrent(anchor, current) {
  if (current) anchor.setAttribute("aria-current", "true");
  else anchor.removeAttribute("aria-current");
}

/**
 * Scrolls so that what is `offset` below the top of an element is in the middle of what scrolls it.
 * @param {HTMLElement} element
 * @param {number} offset
 */
function scrollInto(element, offset) {
  let box = element.parentElement;
  while (box && !/auto|scroll/.test(getComputedStyle(box).overflowY)) box = box.parentElement;
  if (!box) return;
  box.scrollTop += element.getBoundingClientRect().top - box.getBoundingClientRect().top + offset - box.clientHeight / 2;
}
