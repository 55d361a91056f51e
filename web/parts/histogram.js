// The events over time: a bar a bucket, its worst level at the baseline. Dragging, or arrow keys and Enter,
// narrows the range. It is hatched where not everything was stored, or nobody was awake to take it.

import { read } from "../api.js";
import { count } from "../lib/amount.js";
import { addressWith, BAR_FIELDS, isCounted } from "../lib/filters.js";
import { fill, h, shown, svg } from "../lib/h.js";
import { barPaths, countText, HEIGHT, peakOf, stackOf, sum, sumCounts } from "../lib/series.js";
import { clockTime, fullTime, HOUR, LONGEST, offsetLabel, roughly, shownZone, wallTime } from "../lib/time.js";

/** @typedef {import("../api.js").Histogram} Histogram */
/** @typedef {import("../lib/series.js").Bucket} Bucket */
/** @typedef {import("../lib/series.js").Series} Series */

/**
 * A stretch of time in which something is missing; where that is not counted, the service slept or had no database.
 * @typedef {{ from: number, to: number, missing: Record<string, number> }} Gap
 */

export class HistogramView {
  /** @type {Bucket[]} */
  #buckets = [];
  /** @type {Series[]} */
  #series = [];
  /** First and last bucket that are marked. @type {[number, number]} */
  #marked = [0, 0];
  /** Of the first and the last bucket, which may reach beyond what was asked for. @type {number[]} */
  #ends = [];
  #dragging = false;
  /** @type {Gap[]} */
  #gaps = [];
  /** @type {(from: string, to: string) => void} */
  #onRange;
  /** @type {(by: string) => void} */
  #onBy;
  #resting = "";
  #caption = h("figcaption", { class: "muted" });
  #by = h("select", { "aria-label": "Bars by", onchange: () => this.#onBy(this.#by.value) });
  #bars = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" });
  #mark = cover("mark");
  /** They cover what is not marked, before it and behind it. */
  #dims = [cover("dim"), cover("dim")];
  #hatch = h("div", { class: "hatches", "aria-hidden": "true" });
  #legend = h("p", { class: "hatch-legend", id: "histogram-gaps", hidden: true });
  #axis = h("p", { class: "axis muted", "aria-hidden": "true" });
  #names = h("ul", { class: "series", "aria-label": "Colours" });
  #chart = h("div", {
    class: "chart", role: "slider", tabindex: "0", "aria-describedby": "histogram-gaps", "aria-label": "Events over time: arrow keys move, with Shift they extend, Enter narrows the range",
    "aria-valuemin": "0", "aria-valuenow": "0",
    onpointerdown: (/** @type {PointerEvent} */ event) => this.#press(event),
    onpointermove: (/** @type {PointerEvent} */ event) => this.#hover(event),
    onpointerup: (/** @type {PointerEvent} */ event) => this.#release(event),
    onpointercancel: () => this.#rest(),
    onpointerleave: () => this.#dragging || this.#rest(),
    onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    onblur: () => this.#rest(),
  }, this.#hatch, this.#bars);
  /** It keeps its room while the first search runs. */
  element = h("figure", { class: "histogram", "data-waiting": true }, h("div", { class: "histogram-head" }, this.#caption, this.#by), this.#chart, this.#axis, this.#names, this.#legend);

  /**
   * @param {(from: string, to: string) => void} onRange
   * @param {(by: string) => void} onBy
   */
  constructor(onRange, onBy) {
    this.#onRange = onRange;
    this.#onBy = onBy;
  }

  /**
   * Offers the fields bars can be told apart by, and has room for the bars to come.
   * @param {string} by the one they are
   * @param {readonly string[]} columns of the list; paths of the context are offered too
   */
  offer(by, columns) {
    const fields = new Set([...BAR_FIELDS, ...columns.filter(isCounted), by]);
    fill(this.#by, [...fields].map((name) => h("option", { value: name }, `by ${shown(name)}`)));
    this.#by.value = by;
    this.element.hidden = false;
  }

  /**
   * Without any event there is nothing to see; what is below moves up.
   * @param {Histogram | undefined} histogram
   * @param {{ complete: boolean, asc: boolean, live?: boolean }} how `complete` is false when the counts are too low; `asc` read from
   *   the oldest on; `live` where the list goes on without them
   */
  show(histogram, { complete, asc, live = false }) {
    const { buckets, series } = stackOf(histogram);
    const totals = sumCounts(buckets);
    [this.#buckets, this.#series] = [buckets, series];
    this.#ends = [histogram?.buckets[0]?.from, histogram?.buckets.at(-1)?.to].map((time) => Date.parse(time ?? ""));
    this.element.hidden = this.element.toggleAttribute("data-waiting", sum(totals) === 0);
    this.hatch([]);
    // Levels are named by the caption, other values beside their colours.
    const byLevel = (histogram?.by ?? "level") === "level";
    fill(this.#names, byLevel ? [] : series.map(({ name, tone }, at) => totals[at] ? h("li", { "data-tone": tone }, h("span", { class: "value" }, name), h("span", { class: "number" }, count(totals[at] ?? 0))) : null));
    this.#names.hidden = byLevel;
    if (this.element.hidden) return;
    const now = Date.now();
    const unread = complete ? null : unreadOf(buckets, asc);
    this.#resting = restingText(countText(totals, byLevel ? series : []), peakOf(buckets), unread ? `${asc ? "read up to" : "read back to"} ${shortTime(unread.edge, now)}` : live ? `as of ${clockTime(now, now).slice(0, 8)}` : null);
    this.#marked = [this.#buckets.length - 1, this.#buckets.length - 1];
    this.#bars.setAttribute("viewBox", `0 0 ${this.#buckets.length} ${HEIGHT}`);
    // The mark is below the bars: they keep their colours.
    const shade = cover("unread");
    setSpan(shade, unread?.first ?? 0, unread?.end ?? 0);
    // What goes on still grows: its bar is no fall.
    const growing = cover("growing");
    const last = buckets.at(-1);
    setSpan(growing, buckets.length - 1, Date.parse(last?.to ?? "") > now ? buckets.length : 0);
    this.#bars.replaceChildren(this.#mark, shade, ...barPaths(buckets, series).map(({ tone, path }) => svg("path", { d: path, "data-tone": tone })), growing, ...this.#dims);
    this.#chart.setAttribute("aria-valuemax", String(this.#buckets.length - 1));
    const [first = "", end = ""] = [buckets[0]?.from, last?.to];
    const ends = [first, `${new Date((Date.parse(first) + Date.parse(end)) / 2)}`, end];
    fill(this.#axis, ends.map((time, at) => h("span", null, `${shortTime(time, now)}${at === 2 ? ` ${offsetLabel(Date.parse(time))}` : ""}`)));
    this.#rest();
  }

  /** The two ends of what is shown, in milliseconds; null while nothing is. */
  span() {
    return this.element.hidden ? null : this.#ends;
  }

  /**
   * Hatches stretches of time in which something is missing, and says what.
   * @param {Gap[]} gaps in the order of time
   * @param {string} [ledger] the address of the page that says more
   */
  hatch(gaps, ledger) {
    const [from = 0, to = 0] = this.#ends;
    this.#gaps = gaps.filter((gap) => gap.to > from && gap.from < to);
    this.#hatch.replaceChildren(...this.#gaps.map((gap) => {
      const mark = h("div");
      const part = (/** @type {number} */ at) => (100 * (Math.min(to, Math.max(from, at)) - from)) / (to - from);
      mark.style.insetInlineStart = `${part(gap.from)}%`;
      mark.style.inlineSize = `${part(gap.to) - part(gap.from)}%`;
      return mark;
    }));
    this.#legend.hidden = this.#gaps.length === 0;
    fill(this.#legend, this.#legend.hidden ? [] : [h("span", { class: "hatch", "aria-hidden": "true" }), ...unbroken(gapText(this.#gaps, Date.now())), "\u00a0", h("a", { href: ledger }, "Ledger")]);
  }

  #rest() {
    this.#dragging = false;
    for (const part of [this.#mark, ...this.#dims]) setSpan(part, 0, 0);
    fill(this.#caption, unbroken(this.#resting));
    this.#chart.setAttribute("aria-valuetext", this.#resting);
  }

  /** @param {number} anchor @param {number} head the end that moves */
  #point(anchor, head) {
    this.#marked = [anchor, head];
    const [first, last] = [Math.min(anchor, head), Math.max(anchor, head)];
    const [before, behind] = this.#dims;
    setSpan(this.#mark, first, last + 1);
    if (before && behind) {
      setSpan(before, 0, first);
      setSpan(behind, last + 1, this.#buckets.length);
    }
    const marked = this.#buckets.slice(first, last + 1);
    const [from, to] = [Date.parse(marked[0]?.from ?? ""), Date.parse(marked.at(-1)?.to ?? "")];
    const within = this.#gaps.some((gap) => gap.to > from && gap.from < to) ? "; something may be missing" : "";
    const text = spanText(marked, this.#series) + within;
    fill(this.#caption, unbroken(text));
    this.#chart.setAttribute("aria-valuenow", String(head));
    this.#chart.setAttribute("aria-valuetext", text);
  }

  #narrow() {
    const [a, b] = this.#marked;
    const first = this.#buckets[Math.min(a, b)];
    const last = this.#buckets[Math.max(a, b)];
    this.#rest();
    if (first && last) this.#onRange(first.from, last.to);
  }

  /** @param {PointerEvent} event */
  #bucketAt(event) {
    const box = this.#chart.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / Math.max(1, box.width)) * this.#buckets.length);
    return Math.min(this.#buckets.length - 1, Math.max(0, at));
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    this.#dragging = true;
    this.#chart.setPointerCapture(event.pointerId);
    const at = this.#bucketAt(event);
    this.#point(at, at);
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const at = this.#bucketAt(event);
    this.#point(this.#dragging ? this.#marked[0] : at, at);
  }

  /** @param {PointerEvent} event */
  #release(event) {
    if (!this.#dragging) return;
    this.#point(this.#marked[0], this.#bucketAt(event));
    this.#narrow();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const [anchor, head] = this.#marked;
    const last = this.#buckets.length - 1;
    const goal = { ArrowLeft: head - 1, ArrowDown: head - 1, ArrowRight: head + 1, ArrowUp: head + 1, Home: 0, End: last }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (goal !== undefined) {
      const next = Math.min(last, Math.max(0, goal));
      this.#point(event.shiftKey ? anchor : next, next);
    } else if (event.key === "Enter") {
      this.#narrow();
    } else if (event.key === "Escape" && this.#mark.getAttribute("width") !== "0") {
      this.#rest();
    } else {
      return;
    }
    event.preventDefault();
  }
}

/** A part of the picture from top to bottom, of no width yet. @param {string} name */
function cover(name) {
  return svg("rect", { class: name, y: "0", width: "0", height: String(HEIGHT) });
}

/** @param {SVGElement} part @param {number} first @param {number} end none where it is not behind `first` */
function setSpan(part, first, end) {
  part.setAttribute("x", String(first));
  part.setAttribute("width", String(Math.max(0, end - first)));
}

/**
 * The buckets that were not read by a search that stopped early: it read from one end on, to the last event it found.
 * @param {readonly Bucket[]} buckets with at least one event
 * @param {boolean} asc
 */
export function unreadOf(buckets, asc) {
  const isRead = (/** @type {Bucket} */ { counts }) => sum(counts) > 0;
  const at = asc ? buckets.findLastIndex(isRead) : buckets.findIndex(isRead);
  const edge = (asc ? buckets[at]?.to : buckets[at]?.from) ?? "";
  return asc ? { first: at + 1, end: buckets.length, edge } : { first: 0, end: at, edge };
}

/**
 * `At least 43 events: 3 errors, 40 info; peak 12 in 30 s; read back to 14:04`
 * @param {string} counts
 * @param {ReturnType<typeof peakOf>} peak
 * @param {string | null} read how far, or as of when; null of all
 */
function restingText(counts, { most, of }, read) {
  const peak = of ? `peak ${count(most)} in ${roughly(Date.parse(of.to) - Date.parse(of.from))}` : "";
  return [`${read === null ? "" : "At least "}${counts}`, peak, read].filter(Boolean).join("; ");
}

/** A line that breaks, or is cut, between what belongs together only: not within a date, or between a number and its noun. @param {string} text */
function unbroken(text) {
  return text.split(/(?<=[,:;.]) | (?=to )/).flatMap((part, at) => [at > 0 ? " " : "", h("span", { class: "whole" }, part)]);
}

/** @param {Bucket[]} buckets side by side, at least one @param {Series[]} series */
function spanText(buckets, series) {
  const now = Date.now();
  const from = shortTime(buckets[0]?.from ?? "", now);
  const to = buckets.at(-1)?.to ?? "";
  return `${from} to ${Date.parse(to) > now ? "now" : shortTime(to, now)}, ${countText(sumCounts(buckets), series)}`;
}

/**
 * A bucket's edge: without what all edges have, such as milliseconds; with the year where it is another.
 * @param {string} time
 * @param {number} now
 */
export function shortTime(time, now) {
  const at = Date.parse(time);
  if (Number.isNaN(at)) return fullTime(at);
  const [year = "", today] = [at, now].map((ms) => wallTime(ms, shownZone())?.split("-")[0]);
  const text = clockTime(at, now).replace(/(?::00)?\.\d{3}$/, "");
  return year === today || text.includes(year) ? text : `${year} ${text}`;
}

/**
 * Hatches a histogram where events were limited, refused or rejected, and where the service was not there.
 * @param {HistogramView} view
 * @param {string | undefined} project
 * @param {AbortSignal} signal
 */
export async function hatchGaps(view, project, signal) {
  const span = view.span();
  if (span === null) return;
  // The ledger goes no further back, nor does the page that the legend leads to.
  const [first = 0, last = 0] = span;
  const [from = "", to = ""] = [Math.max(first, last - LONGEST), last].map((at) => new Date(at).toISOString());
  try {
    const { hours, unseen } = /** @type {{ hours: Parameters<typeof gapsOf>[0], unseen: { from: string, to: string }[] }} */ (await read(addressWith("/stats/ledger", { from, to, project_id: project }), signal));
    const naps = unseen.map((nap) => ({ from: Date.parse(nap.from), to: Date.parse(nap.to), missing: {} }));
    if (!signal.aborted) view.hatch([...gapsOf(hours), ...naps], addressWith("/ui/overflow", { from, to, project }));
  } catch {
    // The bars are right without it; the overflow page says what is wrong.
  }
}

/**
 * The hours in which events were not stored, side by side ones together.
 * @param {({ hour: string } & Record<string, unknown>)[]} hours of the ledger, in the order of time
 * @returns {Gap[]}
 */
export function gapsOf(hours) {
  /** @type {Gap[]} */
  const gaps = [];
  for (const account of hours) {
    const missing = Object.fromEntries(["limited", "refused", "rejected"].map((kind) => [kind, Number(account[kind]) || 0]).filter(([, n]) => n));
    const from = Date.parse(account.hour);
    const last = gaps.at(-1);
    if (Object.keys(missing).length === 0) continue;
    if (last?.to === from) {
      last.to += HOUR;
      addTo(last.missing, missing);
    } else {
      gaps.push({ from, to: from + HOUR, missing });
    }
  }
  return gaps;
}

/** @param {Record<string, number>} sums @param {Record<string, number>} more */
function addTo(sums, more) {
  for (const [name, n] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + n;
}

/**
 * `Not everything was stored: 120 limited, 3 rejected within 06:00 to 08:00. Asleep or without its database, 03:00 to 05:10.`
 * @param {Gap[]} gaps at least one; of each of the two kinds in the order of time
 * @param {number} now
 */
export function gapText(gaps, now) {
  /** @type {Record<string, number>} */
  const sums = {};
  for (const { missing } of gaps) addTo(sums, missing);
  const what = Object.entries(sums).map(([name, n]) => `${n.toLocaleString("en")} ${name}`).join(", ");
  const isNap = (/** @type {Gap} */ { missing }) => Object.keys(missing).length === 0;
  const [losses, naps] = [gaps.filter((gap) => !isNap(gap)), gaps.filter(isNap)];
  return [
    losses.length > 0 ? `Not everything was stored: ${what} ${withinText(losses, now)}.` : "",
    naps.length > 0 ? `Asleep or without its database, ${timesText(naps)}${endsText(naps, now)}.` : "",
  ].filter(Boolean).join(" ");
}

/** The ledger knows the hour only: one event marks all of it. @param {Gap[]} gaps at least one @param {number} now */
function withinText(gaps, now) {
  const [first] = gaps;
  const isHour = gaps.length === 1 && first !== undefined && first.to - first.from === HOUR;
  const hour = isHour ? (first.to > now ? "this hour, " : "the hour ") : "";
  return `within ${hour}${timesText(gaps)}${endsText(gaps, now)}`;
}

/** @param {Gap[]} gaps */
const timesText = (gaps) => (gaps.length === 1 ? "" : `${gaps.length} times from `);

/** @param {Gap[]} gaps at least one @param {number} now */
function endsText(gaps, now) {
  // An hour that is not over says nothing of what is to come.
  const time = (/** @type {number} */ at) => (at < now ? shortTime(new Date(at).toISOString(), now) : "now");
  return `${time(gaps[0]?.from ?? 0)} to ${time(gaps.at(-1)?.to ?? 0)}`;
}
