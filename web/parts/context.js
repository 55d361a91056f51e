// The events around one, on its own page: what happened before and after in the same source, in the same request,
// or in the whole project.

import { fetchContext } from "../api.js";
import { eventAddress } from "../lib/filters.js";
import { fill, h } from "../lib/h.js";
import { rowOf } from "./row.js";
import { button, isSignedOut, noticeLine, problemText, warningText } from "./state.js";

/** @typedef {import("../api.js").LogEvent} LogEvent */
/** @typedef {import("../api.js").Scope} Scope */

/** How many events may be asked for at a time, on each side; the first unless the address says another. */
const AROUND = [20, 50, 100];
/** Events shown on each side; the list of logs is for more. */
const MOST_AROUND = 200;

/** @type {[Scope, string][]} */
const SCOPES = [["source", "Same source"], ["request", "Same request"], ["project", "Whole project"]];

/**
 * The scope an address asks for, or the one that fits every event.
 * @param {URLSearchParams} params
 * @param {LogEvent} event
 * @returns {Scope}
 */
function scopeOf(params, event) {
  const wanted = params.get("scope");
  if (wanted === "project") return wanted;
  return wanted === "request" && event.request_id ? wanted : "source";
}

/**
 * @param {LogEvent} event
 * @param {URLSearchParams} params of the address: which events around it, and how many
 * @param {AbortSignal} signal
 * @param {() => void} onShown the events are there, and with them the height of it
 */
export function contextView(event, params, signal, onShown) {
  const body = h("div", { class: "context-rows", "aria-busy": "true" });
  const scope = scopeOf(params, event);
  const step = AROUND.find((n) => String(n) === params.get("around")) ?? AROUND[0] ?? 0;
  const choice = (/** @type {Scope} */ of, /** @type {number} */ n, /** @type {string} */ label) =>
    h("a", { class: "button", href: `${eventAddress(event.id, of)}${n === AROUND[0] ? "" : `&around=${n}`}`, "aria-current": of === scope && n === step ? "true" : null }, label);
  const element = h(
    "section",
    { class: "event-part", id: "context", "aria-labelledby": "context-title" },
    h("h2", { class: "part-title", id: "context-title", tabindex: "-1" }, "Context: before and after"),
    h("nav", { class: "actions", "aria-label": "Scope" }, SCOPES.map(([of, label]) => (of !== "request" || event.request_id ? choice(of, step, label) : null))),
    h("nav", { class: "actions", "aria-label": "Events on each side" }, "On each side:", AROUND.map((n) => choice(scope, n, String(n)))),
    body,
  );
  const first = async () => {
    fill(body, h("p", { class: "muted", role: "status" }, "Loading the events around it…"));
    try {
      const around = await fetchContext(event.id, { scope, before: step, after: step }, signal);
      fill(body, (around.warnings ?? []).map((warning) => noticeLine(warningText(warning))), surroundings(around, event, scope, step, signal));
      onShown();
    } catch (error) {
      if (signal.aborted || isSignedOut(error)) return;
      fill(body, h("p", { role: "alert" }, problemText(error)), h("div", { class: "actions" }, button("Try again", () => void first())));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  void first();
  return element;
}

/**
 * @param {import("../api.js").Context} around
 * @param {LogEvent} event
 * @param {Scope} scope
 * @param {number} step events asked for at a time, on each side
 * @param {AbortSignal} signal
 */
function surroundings(around, event, scope, step, signal) {
  const view = { now: Date.now(), manyProjects: false };
  const rows = (/** @type {LogEvent[]} */ events) => events.map((one) => rowOf(one, view).row);
  const own = rowOf(event, view);
  own.anchor.setAttribute("aria-current", "true");
  const body = h("div", { role: "rowgroup" }, rows(around.before), own.row, rows(around.after));
  const days = [...body.querySelectorAll("time")].some((time) => time.textContent?.includes(" "));
  const table = h(
    "div",
    { role: "table", class: "table", "aria-label": "Events before and after, oldest first", "data-days": days },
    body,
  );
  const more = (/** @type {boolean} */ earlier, /** @type {boolean} */ exists) => {
    const events = earlier ? around.before : around.after;
    return moreOf({ earlier, exists, events, scope, step, signal, add: (found) => (earlier ? body.prepend(...rows(found)) : body.append(...rows(found))) });
  };
  const later = more(false, around.after_cursor !== null);
  const alone = scope !== "project" && around.before.length + around.after.length === 0 && around.before_cursor === null && around.after_cursor === null;
  if (alone) later.append(" ", h("a", { href: eventAddress(event.id, "project") }, "See the whole project"));
  return [more(true, around.before_cursor !== null), table, later];
}

/**
 * The end of one side: a way to go on, or that there is nothing more.
 * @param {object} side
 * @param {boolean} side.earlier
 * @param {boolean} side.exists whether there is more
 * @param {LogEvent[]} side.events shown on this side, oldest first
 * @param {Scope} side.scope
 * @param {number} side.step
 * @param {AbortSignal} side.signal
 * @param {(found: LogEvent[]) => void} side.add
 */
function moreOf({ earlier, exists, events, scope, step, signal, add }) {
  const line = h("p", { class: "context-end muted" });
  let shown = events;
  const say = (/** @type {boolean} */ goesOn) => {
    const word = earlier ? "earlier" : "later";
    if (!goesOn) fill(line, `Nothing ${word} in this scope.`);
    else if (shown.length >= MOST_AROUND) fill(line, `${MOST_AROUND} ${word} events are shown; the list of logs has the rest.`);
    else fill(line, button(`Show ${word} events`, () => void load()));
  };
  const load = async () => {
    const edge = earlier ? shown[0] : shown.at(-1);
    if (!edge) return say(false);
    fill(line, "Loading…");
    try {
      const reply = await fetchContext(edge.id, { scope, before: earlier ? step : 0, after: earlier ? 0 : step }, signal);
      const found = earlier ? reply.before : reply.after;
      shown = earlier ? found.concat(shown) : shown.concat(found);
      add(found);
      say((earlier ? reply.before_cursor : reply.after_cursor) !== null);
    } catch (error) {
      if (!signal.aborted) fill(line, h("span", { role: "alert" }, problemText(error)), " ", button("Try again", () => void load()));
    }
  };
  say(exists);
  return line;
}
