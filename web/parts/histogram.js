// The events over time: a bar a bucket, its worst level at the baseline. Dragging, or arrow keys and Enter,
// narrows the range. It is hatched where not everything was stored, or nobody was awake to take it.

import { read } from "../api.js";
import { LEVELS } from "../lib/filters.js";
import { fill, h, svg } from "../lib/h.js";
import { clockTime, fullTime, HOUR } from "../lib/time.js";

/** @typedef {import("../api.js").Histogram} Histogram */
/** @typedef {{ from: string, to: string, counts: Record<string, number> }} Bucket */

/** Units of height; the picture is stretched to its box. */
const HEIGHT = 100;
/** The least height of a level that has events, so that one error among thousands is seen. */
const LEAST = 4;
/** Part of a bar's width that separates it from the next. */
const BAR_GAP = 0.15;
/** From the baseline up. */
const STACK = /** @type {readonly string[]} */ ([...LEVELS].reverse());

/**
 * A stretch of time in which something is missing; where that is not counted, the service slept or had no database.
 * @typedef {{ from: number, to: number, missing: Record<string, number> }} Gap
 */

export class HistogramView {
  /** @type {Bucket[]} */
  #buckets = [];
  /** First and last bucket that are marked. @type {[number, number]} */
  #marked = [0, 0];
  #dragging = false;
  /** @type {Gap[]} */
  #gaps = [];
  /** @type {(from: string, to: string) => void} */
  #onRange;
  #resting = "";
  #caption = h("figcaption", { class: "muted" });
  #bars = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" });
  #mark = svg("rect", { class: "mark", y: "0", height: String(HEIGHT) });
  #hatch = h("div", { class: "hatches", "aria-hidden": "true" });
  #legend = h("p", { class: "hatch-legend", id: "histogram-gaps", hidden: true });
  #axis = h("p", { class: "axis muted", "aria-hidden": "true" });
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
  element = h("figure", { class: "histogram", hidden: true }, this.#caption, this.#chart, this.#axis, this.#legend);

  /** @param {(from: string, to: string) => void} onRange */
  constructor(onRange) {
    this.#onRange = onRange;
  }

  /**
   * @param {Histogram | undefined} histogram
   * @param {boolean} complete false when the counts are too low
   */
  show(histogram, complete) {
    this.#buckets = histogram?.buckets ?? [];
    this.hatch([]);
    const totals = sumCounts(this.#buckets);
    this.element.hidden = this.#buckets.length === 0 || totalOf(totals) === 0;
    if (this.element.hidden) return;
    this.#resting = `${complete ? "" : "At least "}${countText(totals)}`;
    this.#marked = [this.#buckets.length - 1, this.#buckets.length - 1];
    this.#bars.setAttribute("viewBox", `0 0 ${this.#buckets.length} ${HEIGHT}`);
    const paths = barPaths(this.#buckets).map(({ level, path }) => svg("path", { d: path, "data-level": level }));
    this.#bars.replaceChildren(...paths, this.#mark);
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
    const within = this.#gaps.some((gap) => gap.to > from && gap.from < to) ? "; something may be missing" : "";
    const text = spanText(marked) + within;
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

/**
 * A path for each level that occurs, the worst at the bottom. One path a level keeps the picture at a few nodes.
 * @param {Bucket[]} buckets
 * @returns {{ level: string, path: string }[]}
 */
export function barPaths(buckets) {
  const most = Math.max(1, ...buckets.map(({ counts }) => totalOf(counts)));
  /** @type {Map<string, string>} */
  const paths = new Map();
  for (const [index, { counts }] of buckets.entries()) {
    const present = STACK.filter((level) => (counts[level] ?? 0) > 0);
    const room = HEIGHT - LEAST * present.length;
    let bottom = HEIGHT;
    for (const level of present) {
      const height = LEAST + ((counts[level] ?? 0) / most) * room;
      bottom -= height;
      const bar = `M${index + BAR_GAP / 2} ${round(bottom)}h${1 - BAR_GAP}v${round(height)}h${BAR_GAP - 1}z`;
      paths.set(level, (paths.get(level) ?? "") + bar);
    }
  }
  return STACK.filter((level) => paths.has(level)).map((level) => ({ level, path: paths.get(level) ?? "" }));
}

/** @param {number} n */
const round = (n) => Math.round(n * 100) / 100;

/** @param {Record<string, number>} counts */
const totalOf = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

/** @param {Bucket[]} buckets */
function sumCounts(buckets) {
  /** @type {Record<string, number>} */
  const sums = {};
  for (const { counts } of buckets) {
    for (const [level, n] of Object.entries(counts)) sums[level] = (sums[level] ?? 0) + n;
  }
  return sums;
}

/**
 * `43 events: 3 error, 40 info`, the worst level first.
 * @param {Record<string, number>} counts
 */
export function countText(counts) {
  const total = totalOf(counts);
  const parts = STACK.filter((level) => (counts[level] ?? 0) > 0).map((level) => `${(counts[level] ?? 0).toLocaleString("en")} ${level}`);
  const head = `${total.toLocaleString("en")} event${total === 1 ? "" : "s"}`;
  return parts.length === 0 ? head : `${head}: ${parts.join(", ")}`;
}

/** @param {Bucket[]} buckets side by side, at least one */
function spanText(buckets) {
  const now = Date.now();
  const from = shortTime(buckets[0]?.from ?? "", now);
  return `${from} to ${shortTime(buckets.at(-1)?.to ?? "", now)}, ${countText(sumCounts(buckets))}`;
}

/**
 * A bucket's edge: without what all edges have, such as milliseconds.
 * @param {string} time
 * @param {number} now
 */
function shortTime(time, now) {
  const at = Date.parse(time);
  return Number.isNaN(at) ? fullTime(at) : clockTime(at, now).replace(/(?::00)?\.\d{3}$/, "");
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
  const time = (/** @type {number | undefined} */ at) => shortTime(new Date(at ?? 0).toISOString(), now);
  const times = gaps.length === 1 ? "" : `${gaps.length} times from `;
  return gaps.length === 0 ? "" : `${name}${times}${time(gaps[0]?.from)} to ${time(gaps.at(-1)?.to)}${end}`;
}
