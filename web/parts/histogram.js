// The events over time: a bar a bucket, its worst level at the baseline. Dragging, or arrow keys and Enter,
// narrows the range. It is hatched where not everything was stored, or nobody was awake to take it.

import { read } from "../api.js";
import { count } from "../lib/amount.js";
import { BAR_FIELDS } from "../lib/filters.js";
import { fill, h, shown, svg } from "../lib/h.js";
import { barPaths, countText, HEIGHT, stackOf, sum, sumCounts } from "../lib/series.js";
import { clockTime, fullTime, HOUR, shownZone, wallTime } from "../lib/time.js";

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
  #mark = svg("rect", { class: "mark", y: "0", height: String(HEIGHT) });
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
   * Offers the fields bars can be told apart by.
   * @param {string} by the one they are
   * @param {readonly string[]} columns of the list; paths of the context are offered too
   */
  offer(by, columns) {
    const fields = new Set([...BAR_FIELDS, ...columns.filter((name) => name.startsWith("ctx.")), by]);
    fill(this.#by, [...fields].map((name) => h("option", { value: name }, `by ${shown(name)}`)));
    this.#by.value = by;
  }

  /**
   * @param {Histogram | undefined} histogram
   * @param {boolean} complete false when the counts are too low
   */
  show(histogram, complete) {
    const { buckets, series } = stackOf(histogram);
    const totals = sumCounts(buckets);
    [this.#buckets, this.#series] = [buckets, series];
    this.element.hidden = sum(totals) === 0;
    delete this.element.dataset.waiting;
    this.hatch([]);
    if (this.element.hidden) return;
    const byLevel = (histogram?.by ?? "level") === "level";
    this.#resting = `${complete ? "" : "At least "}${countText(totals, byLevel ? series : [])}`;
    this.#marked = [this.#buckets.length - 1, this.#buckets.length - 1];
    this.#bars.setAttribute("viewBox", `0 0 ${this.#buckets.length} ${HEIGHT}`);
    // The mark is below the bars: they keep their colours.
    this.#bars.replaceChildren(this.#mark, ...barPaths(buckets, series).map(({ tone, path }) => svg("path", { d: path, "data-tone": tone })));
    // Levels are named by the caption, other values beside their colours.
    fill(this.#names, byLevel ? [] : series.map(({ name, tone }, at) => totals[at] ? h("li", { "data-tone": tone }, h("span", { class: "value" }, name), h("span", { class: "number" }, count(totals[at] ?? 0))) : null));
    this.#names.hidden = byLevel;
    this.#chart.setAttribute("aria-valuemax", String(this.#buckets.length - 1));
    const now = Date.now();
    const middle = this.#buckets[Math.floor(this.#buckets.length / 2)];
    const ends = [this.#buckets[0]?.from, middle?.from, this.#buckets.at(-1)?.to];
    fill(this.#axis, ends.map((time) => h("span", null, shortTime(time ?? "", now))));
    this.#rest();
  }

  /** The two ends of what is shown, in milliseconds; null while nothing is. @returns {[number, number] | null} */
  span() {
    return this.element.hidden ? null : [Date.parse(this.#buckets[0]?.from ?? ""), Date.parse(this.#buckets.at(-1)?.to ?? "")];
  }

  /**
   * Hatches stretches of time in which something is missing, and says what.
   * @param {Gap[]} gaps in the order of time
   */
  hatch(gaps) {
    const [from, to] = this.span() ?? [0, 0];
    this.#gaps = gaps.filter((gap) => gap.to > from && gap.from < to);
    this.#hatch.replaceChildren(...this.#gaps.map((gap) => {
      const mark = h("div");
      const part = (/** @type {number} */ at) => (100 * (Math.min(to, Math.max(from, at)) - from)) / (to - from);
      mark.style.insetInlineStart = `${part(gap.from)}%`;
      mark.style.inlineSize = `${part(gap.to) - part(gap.from)}%`;
      return mark;
    }));
    this.#legend.hidden = this.#gaps.length === 0;
    fill(this.#legend, this.#legend.hidden ? [] : [h("span", { class: "hatch", "aria-hidden": "true" }), gapText(this.#gaps, Date.now()), " ", h("a", { href: "/ui/overflow" }, "Ledger")]);
  }

  #rest() {
    this.#dragging = false;
    this.#mark.setAttribute("width", "0");
    fill(this.#caption, this.#resting);
    this.#chart.setAttribute("aria-valuetext", this.#resting);
  }

  /** @param {number} anchor @param {number} head the end that moves */
  #point(anchor, head) {
    this.#marked = [anchor, head];
    const [first, last] = [Math.min(anchor, head), Math.max(anchor, head)];
    this.#mark.setAttribute("x", String(first));
    this.#mark.setAttribute("width", String(last - first + 1));
    const marked = this.#buckets.slice(first, last + 1);
    const [from, to] = [Date.parse(marked[0]?.from ?? ""), Date.parse(marked.at(-1)?.to ?? "")];
    const within = this.#gaps.some((gap) => gap.to > from && gap.from < to) ? "Something may be missing; " : "";
    const text = within + spanText(marked, this.#series);
    fill(this.#caption, text);
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

/** @param {Bucket[]} buckets side by side, at least one @param {Series[]} series */
function spanText(buckets, series) {
  const now = Date.now();
  const from = shortTime(buckets[0]?.from ?? "", now);
  return `${from} to ${shortTime(buckets.at(-1)?.to ?? "", now)}, ${countText(sumCounts(buckets), series)}`;
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
  const [from = "", to = ""] = span.map((at) => new Date(at).toISOString());
  try {
    const query = new URLSearchParams({ from, to, ...(project ? { project_id: project } : {}) });
    const { hours, unseen } = /** @type {{ hours: Parameters<typeof gapsOf>[0], unseen: { from: string, to: string }[] }} */ (await read(`/stats/ledger?${query}`, signal));
    const naps = unseen.map((nap) => ({ from: Date.parse(nap.from), to: Date.parse(nap.to), missing: {} }));
    if (!signal.aborted) view.hatch([...gapsOf(hours), ...naps]);
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
 * `Not everything was stored, 06:00 to 08:00: 120 limited, 3 rejected. Asleep or without its database, 03:00 to 05:10.`
 * @param {Gap[]} gaps at least one; of each of the two kinds in the order of time
 * @param {number} now
 */
export function gapText(gaps, now) {
  /** @type {Record<string, number>} */
  const sums = {};
  for (const { missing } of gaps) addTo(sums, missing);
  const what = Object.entries(sums).map(([name, n]) => `${n.toLocaleString("en")} ${name}`).join(", ");
  const isNap = (/** @type {Gap} */ { missing }) => Object.keys(missing).length === 0;
  return [
    [gaps.filter((gap) => !isNap(gap)), "Not everything was stored", `: ${what}`],
    [gaps.filter(isNap), "Asleep or without its database", ""],
  ].map(([some, name, end]) => spansText(/** @type {Gap[]} */ (some), `${name}, `, `${end}.`, now)).filter(Boolean).join(" ");
}

/** @param {Gap[]} gaps @param {string} name @param {string} end @param {number} now */
function spansText(gaps, name, end, now) {
  // An hour that is not over says nothing of what is to come.
  const time = (/** @type {number} */ at) => (at < now ? shortTime(new Date(at).toISOString(), now) : "now");
  const times = gaps.length === 1 ? "" : `${gaps.length} times from `;
  return gaps.length === 0 ? "" : `${name}${times}${time(gaps[0]?.from ?? 0)} to ${time(gaps.at(-1)?.to ?? 0)}${end}`;
}
