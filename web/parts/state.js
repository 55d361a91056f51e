// What a page says when it has no rows to show, or not all of them: panels, notices, and waiting for a
// service that wakes up.

import { Problem } from "../api.js";
import { h } from "../lib/h.js";
import { SECOND } from "../lib/time.js";

/**
 * A quiet panel in place of content.
 * @param {object} content
 * @param {string} content.title
 * @param {import("../lib/h.js").Children} [content.text]
 * @param {Node[]} [content.actions]
 * @param {boolean} [content.alert] announced at once
 * @param {boolean} [content.busy]
 * @param {1 | 2} [content.heading] the heading's level, 2 unless told
 */
export function panel({ title, text, actions, alert, busy, heading = 2 }) {
  return h(
    "section",
    { class: "panel", role: alert ? "alert" : busy ? "status" : null, "aria-busy": busy ? "true" : null },
    h(heading === 1 ? "h1" : "h2", null, title),
    text ? h("p", null, text) : null,
    actions ? h("div", { class: "actions" }, actions) : null,
  );
}

/**
 * @param {string} label
 * @param {() => void} onclick
 * @param {boolean} [primary]
 */
export function button(label, onclick, primary) {
  return h("button", { type: "button", class: primary ? "primary" : null, onclick }, label);
}

/** After this long a search says what it is waiting for. */
const STILL_WAITING_MS = 4000;

/** A panel for a first load: says nothing for a moment, then that it works, then what it may be waiting for. */
export function loadingPanel(/** @type {string} */ what) {
  const note = h("p", { class: "late" });
  const timer = setTimeout(() => {
    note.textContent = "Still waiting. A sleeping service needs up to a minute to wake.";
  }, STILL_WAITING_MS);
  const element = h("section", { class: "panel loading", "aria-busy": "true", role: "status" }, h("p", null, what), note);
  return { element, stop: () => clearTimeout(timer) };
}

/**
 * One or two sentences about a failure.
 * @param {unknown} error
 * @param {string} [counted] what a limit was passed with
 */
export function problemText(error, counted = "requests") {
  if (!(error instanceof Problem)) return "Something in this page went wrong. Loading it again may help.";
  const id = error.requestId === "" ? "" : ` (request ${error.requestId})`;
  switch (error.kind) {
    case "waking":
      return "The service does not answer.";
    case "away":
      return `${error.detail || "The service can't reach its database."}${id}`;
    case "signed_out":
      return "You are signed out.";
    case "refused":
      if (error.status === 429) return `Too many ${counted}. Try again in ${Math.max(1, error.retryAfter)} s.`;
      return error.detail || `The request was refused with status ${error.status}${id}.`;
    default:
      return `${error.detail || "The service met a fault of its own."}${id}`;
  }
}

/**
 * A failure with a way to try again.
 * @param {unknown} error
 * @param {() => void} retry
 * @param {string} [title]
 */
export function errorPanel(error, retry, title = error instanceof Problem && error.kind === "refused" ? "This can't be answered" : "Loading failed") {
  return panel({ title, text: problemText(error), actions: [button("Try again", retry, true)], alert: true });
}

/**
 * The state between two tries.
 * @param {Problem} problem
 * @param {number} seconds until the next try
 * @param {() => void} now tries at once
 * @param {number} waited seconds since the first try
 */
function wakingPanel(problem, seconds, now, waited) {
  const away = problem.kind === "away";
  const why = away ? problemText(problem) : "A sleeping service needs up to a minute.";
  return panel({
    title: away ? "The database is away" : "The service is waking up",
    text: [`${why} `, countDown(seconds, waited)],
    actions: [button("Try now", now)],
    busy: true,
  });
}

/**
 * `Trying again in 5 s; waited 12 s.`: goes on by itself while it is in the page.
 * @param {number} seconds
 * @param {number} waited
 */
function countDown(seconds, waited) {
  let gone = 0;
  const text = () => `Trying again in ${Math.max(0, seconds - gone)} s${waited + gone > 0 ? `; waited ${waited + gone} s` : ""}.`;
  // A screen reader says it once, not each second.
  const line = h("span", { "aria-live": "off" }, text());
  const timer = setInterval(() => {
    gone += 1;
    line.textContent = text();
    if (!line.isConnected || gone >= seconds) clearInterval(timer);
  }, SECOND);
  return line;
}

/** Seconds between tries: about a minute and a half in all. */
const WAITS_S = [1, 2, 3, 5, 8, 10, 15, 20, 20];
const LONGEST_WAIT_S = 30;

/**
 * Runs a reading request again while the service wakes or its database is away. Not for requests that
 * change something: those are the person's to repeat.
 * @template T
 * @param {() => Promise<T>} run
 * @param {AbortSignal} signal
 * @param {(panel: HTMLElement) => void} waiting says so
 * @returns {Promise<T>}
 */
export async function patiently(run, signal, waiting) {
  const begin = performance.now();
  for (const least of WAITS_S) {
    try {
      return await run();
    } catch (error) {
      const passes = error instanceof Problem && (error.kind === "waking" || error.kind === "away");
      if (!passes || signal.aborted) throw error;
      const seconds = Math.min(LONGEST_WAIT_S, Math.max(least, error.retryAfter));
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000);
        const now = () => {
          clearTimeout(timer);
          resolve(null);
        };
        signal.addEventListener("abort", now, { once: true });
        waiting(wakingPanel(error, seconds, now, Math.round((performance.now() - begin) / SECOND)));
      });
      signal.throwIfAborted();
    }
  }
  return run();
}

/**
 * A line above the list.
 * @param {...import("../lib/h.js").Children} content
 */
export function noticeLine(...content) {
  return h("p", { class: "notice" }, ...content);
}

/**
 * The code of a warning of the API, which is text or `{code, detail}`.
 * @param {unknown} warning
 */
function warningCode(warning) {
  return typeof warning === "string" ? warning : String(Object(warning).code ?? "");
}

/** @param {unknown} warning */
export function isDatabaseAway(warning) {
  return warningCode(warning) === "database_away";
}

/**
 * What a warning says to a person.
 * @param {unknown} warning
 */
export function warningText(warning) {
  if (isDatabaseAway(warning)) return "The database is away. Only events that wait in the spool are shown.";
  const detail = Object(warning).detail;
  return typeof detail === "string" ? detail : warningCode(warning);
}

/** @param {unknown} error */
export function isSignedOut(error) {
  return error instanceof Problem && error.kind === "signed_out";
}
