// The live tail: new events above the list as they arrive, four times a second. It waits while someone reads, and
// ends while nobody looks: a forgotten tab must not keep a free instance awake.

import { checkTail, openTail, parseExact, Problem } from "../api.js";
import { fill, h } from "../lib/h.js";
import { apiQuery } from "../lib/filters.js";
import { button, isSignedOut, patiently, problemText } from "./state.js";

/** @typedef {import("../api.js").LogEvent} LogEvent */
/** @typedef {import("../lib/filters.js").Filters} Filters */

const BATCH_MS = 250;
/** More events a beat are a flood: the list is drawn once in so many beats then. */
const FLOOD = 400;
const SLOW_BEATS = 4;
/** Rows the list keeps, and events that wait while it is paused. */
export const RING = 5000;
/** How often the counts in the status line may change: a screen reader says each of them. */
const SAY_MS = 5000;

/**
 * What waits to be shown: bounded, without what was seen.
 * @param {number} limit
 */
export function waitingRoom(limit) {
  /** Oldest first. @type {LogEvent[]} */
  let waiting = [];
  /** @type {Set<string>} */
  let seen = new Set();
  let dropped = 0;
  return {
    /** @param {LogEvent} event */
    add(event) {
      if (seen.has(event.id)) return;
      seen.add(event.id);
      // Sets keep the order of arrival: the oldest ids are forgotten in one go.
      if (seen.size > 2 * limit) seen = new Set([...seen].slice(-limit));
      waiting.push(event);
      if (waiting.length < 2 * limit) return;
      dropped += waiting.length - limit;
      waiting = waiting.slice(-limit);
    },
    /** @param {Iterable<string>} ids shown already */
    know(ids) {
      for (const id of ids) seen.add(id);
    },
    size: () => Math.min(waiting.length, limit),
    /** Newest first, and how many found no room. */
    take() {
      const over = Math.max(0, waiting.length - limit);
      const taken = { events: waiting.slice(over).reverse(), dropped: dropped + over };
      waiting = [];
      dropped = 0;
      return taken;
    },
  };
}

export class LiveTail {
  #room = waitingRoom(RING);
  /** @type {EventSource | null} */
  #source = null;
  #life = new AbortController();
  /** Ends the tries to open the stream. */
  #tries = new AbortController();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** The newest event that arrived. @type {string | null} */
  #last;
  #counts = { shown: 0, skipped: 0, late: 0 };
  /** Beats since the list was drawn. */
  #beats = 0;
  #slow = false;
  /** Begins what the line says. */
  #state = "";
  #said = "";
  #saidAt = 0;
  #status = h("span", { role: "status" });
  #catchUp = h("button", { type: "button", class: "primary", hidden: true, onclick: () => this.#resume() });
  #retry = h("span");
  element = h("div", { class: "live" }, h("span", { class: "live-mark", "aria-hidden": "true" }), this.#status, this.#catchUp, this.#retry);
  /** @type {Filters} */
  #filters;
  /** @type {LiveOptions} */
  #options;

  /**
   * @typedef {object} LiveOptions
   * @property {string[]} shown ids in the list, newest first
   * @property {() => boolean} reading whether the list should stay as it is
   * @property {(events: LogEvent[]) => void} show newest first
   * @property {() => void} toTop
   */
  /**
   * @param {Filters} filters
   * @param {LiveOptions} options
   */
  constructor(filters, options) {
    this.#filters = filters;
    this.#options = options;
    this.#room.know(options.shown);
    // The highest id is what was received last; the first row is what happened last.
    this.#last = options.shown.reduce((/** @type {string | null} */ most, id) => (most === null || id > most ? id : most), null);
    document.addEventListener("visibilitychange", () => this.#seen(), { signal: this.#life.signal });
    this.#timer = setInterval(() => this.#beat(), BATCH_MS);
    this.#seen();
  }

  close() {
    this.#life.abort();
    this.#stop();
    clearInterval(this.#timer);
  }

  #stop() {
    this.#tries.abort();
    this.#source?.close();
    this.#source = null;
    fill(this.#retry);
  }

  #seen() {
    if (document.visibilityState === "hidden") {
      this.#stop();
      this.#say("Closed while this tab is hidden.");
    } else if (this.#source === null) {
      void this.#open();
    }
  }

  /** Opens the stream, and tries again as other requests do. */
  async #open() {
    this.#stop();
    this.#tries = new AbortController();
    const { signal } = this.#tries;
    this.#say("Connecting…");
    try {
      await patiently(() => this.#connect(signal), signal, (panel) => {
        this.#say("");
        fill(this.#retry, panel);
      });
    } catch (error) {
      // A session that has ended leads to signing in by itself.
      if (signal.aborted || isSignedOut(error)) return;
      this.#stop();
      this.#say(error instanceof Problem && error.status === 404 ? "The project was removed." : problemText(error));
      fill(this.#retry, button("Try again", () => void this.#open()));
    }
  }

  /**
   * Resolves once the stream is open. One that ends is opened again by the browser, until that is refused.
   * @param {AbortSignal} signal
   * @returns {Promise<void>}
   */
  #connect(signal) {
    const { q, level, project_id } = apiQuery(this.#filters, Date.now());
    /** @type {Record<string, string>} */
    const query = {};
    for (const [name, value] of Object.entries({ q, level, project_id, cursor: this.#last })) if (value) query[name] = value;
    const source = openTail(query);
    this.#source = source;
    source.addEventListener("log", (message) => {
      const event = /** @type {LogEvent} */ (parseExact(message.data));
      this.#last = event.id;
      this.#room.add(event);
    });
    source.addEventListener("skipped", (message) => (this.#counts.skipped += countOf(message)));
    source.addEventListener("late", (message) => (this.#counts.late += countOf(message)));
    return new Promise((resolve, reject) => {
      let opened = false;
      source.addEventListener("open", () => {
        opened = true;
        fill(this.#retry);
        this.#say("Live.");
        resolve();
      });
      source.addEventListener("error", () => {
        if (source !== this.#source) return;
        if (source.readyState !== EventSource.CLOSED) this.#say("Connection lost, trying again.");
        else if (opened) void this.#open();
        // Where it would be opened by now, it is tried again.
        else checkTail(source, signal).then(() => reject(new Problem("waking", {})), reject);
      });
    });
  }

  #resume() {
    this.#options.toTop();
    this.#flush();
  }

  #beat() {
    const waiting = this.#room.size();
    const paused = waiting > 0 && this.#options.reading();
    this.#beats += 1;
    const flood = isFlood(waiting, this.#beats);
    if (paused || waiting === 0) {
      this.#slow = false;
    } else if (!flood || this.#beats >= SLOW_BEATS) {
      this.#slow = flood;
      this.#flush();
    }
    this.#catchUp.hidden = !paused;
    this.element.toggleAttribute("data-paused", paused);
    if (paused) {
      const text = `Resume, ${waiting.toLocaleString("en")}${waiting >= RING ? "+" : ""} new`;
      if (this.#catchUp.textContent !== text) this.#catchUp.textContent = text;
    }
    this.#write(false);
  }

  #flush() {
    const { events, dropped } = this.#room.take();
    this.#beats = 0;
    this.#counts.skipped += dropped;
    this.#counts.shown += events.length;
    if (events.length > 0) this.#options.show(events);
    this.#catchUp.hidden = true;
    this.element.removeAttribute("data-paused");
  }

  /** @param {string} state */
  #say(state) {
    this.#state = state;
    this.#slow = false;
    this.#write(true);
  }

  /** @param {boolean} now */
  #write(now) {
    const text = liveText(this.#state, { ...this.#counts, slow: this.#slow }, !this.#catchUp.hidden);
    // That the list waits, or goes on, is said at once.
    const turned = now || text.includes("Paused") !== this.#said.includes("Paused");
    if (text === this.#said || (!turned && performance.now() - this.#saidAt < SAY_MS)) return;
    this.#said = text;
    this.#saidAt = performance.now();
    this.element.dataset.open = String(this.#source?.readyState === EventSource.OPEN);
    this.#status.textContent = text;
  }
}

/**
 * Whether more arrives than can be followed.
 * @param {number} waiting events
 * @param {number} beats in which they came
 */
export function isFlood(waiting, beats) {
  return waiting > FLOOD * beats;
}

/** @param {MessageEvent} message */
function countOf(message) {
  const count = Number(Object(parseExact(message.data)).count);
  return Number.isFinite(count) ? count : 0;
}

/**
 * What the status line says.
 * @param {string} state
 * @param {{ shown: number, skipped: number, late: number, slow: boolean }} counts
 * @param {boolean} paused
 */
export function liveText(state, { shown, skipped, late, slow }, paused) {
  const parts = [paused && state === "Live." ? "Paused while you read." : state];
  if (slow) parts.push("So much arrives that the list is drawn once a second.");
  if (shown > 0) parts.push(`${shown.toLocaleString("en")} new so far.`);
  if (skipped > 0) parts.push(`${skipped.toLocaleString("en")} skipped: too much came at once.`);
  if (late > 0) parts.push(`${late.toLocaleString("en")} came late from an outage; a search shows them.`);
  return parts.join(" ");
}
