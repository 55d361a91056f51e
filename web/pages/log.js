// The permalink of one event.

import { fetchLog } from "../api.js";
import { DEFAULT_RANGE, logsAddress, zoneOf } from "../lib/filters.js";
import { fill, h } from "../lib/h.js";
import { MINUTE, showTimesIn, shownZone } from "../lib/time.js";
import { contextView } from "../parts/context.js";
import { absentText } from "../parts/empty.js";
import { eventView } from "../parts/event.js";
import { zoneNotice } from "../parts/result.js";
import { errorPanel, isSignedOut, loadingPanel, panel, patiently } from "../parts/state.js";
import { go } from "../router.js";

/** How much time around the event its link to the list shows, on each side. */
const AROUND_MS = 5 * MINUTE;
const NOTHING = { q: "", project: "", levels: [], range: DEFAULT_RANGE, from: "", to: "" };

/** @type {import("../router.js").Open} */
export function open(url, [id = ""]) {
  const life = new AbortController();
  const element = h("div", { class: "page" });
  let asked = url.searchParams;
  const zone = zoneOf(asked);
  showTimesIn(zone ?? "");
  /** @type {import("../api.js").LogEvent | null} */
  let event = null;
  let around = new AbortController();

  /** @param {boolean} toIt whether someone asked for what is around */
  function showAround(toIt) {
    if (event === null) return;
    around.abort();
    around = new AbortController();
    element.querySelector("#context")?.remove();
    const signal = AbortSignal.any([life.signal, around.signal]);
    // Before its rows are there, it is too short to come to the top.
    const reach = () => toIt && context.scrollIntoView({ block: "start" });
    const context = contextView(event, asked, signal, reach);
    element.append(context);
    if (!toIt) return;
    reach();
    context.querySelector("h2")?.focus({ preventScroll: true });
  }

  async function load() {
    const loading = loadingPanel("Loading the event…");
    fill(element, heading(), loading.element);
    try {
      event = await patiently(() => fetchLog(id, life.signal), life.signal, (panel) => fill(element, heading(), panel));
      fill(element, zone === null ? zoneNotice(asked.get("tz")) : null, view(event));
      showAround(asked.has("scope"));
    } catch (error) {
      if (life.signal.aborted || isSignedOut(error)) return;
      const absent = await absentText(error, id, life.signal);
      if (life.signal.aborted) return;
      fill(element, heading(), absent === null ? errorPanel(error, load) : goneView(absent));
    } finally {
      loading.stop();
    }
  }

  void load();
  const update = (/** @type {URL} */ next) => {
    asked = next.searchParams;
    showAround(true);
  };
  const key = (/** @type {KeyboardEvent} */ pressed) => {
    if (pressed.key !== "c" || event === null) return false;
    showAround(true);
    return true;
  };
  const close = () => {
    life.abort();
    showTimesIn("");
  };
  return { element, title: "Event", update, key, close };
}

const title = () => h("h1", null, "Event");

/** Where it is above an event, so that it stays where it is when one is shown. */
const heading = () => h("header", { class: "event-head" }, title());

/** @param {import("../api.js").LogEvent} event */
function view(event) {
  const at = Date.parse(event.ts);
  const around = {
    ...NOTHING,
    project: event.project,
    range: "",
    from: new Date(at - AROUND_MS).toISOString(),
    to: new Date(at + AROUND_MS).toISOString(),
    tz: shownZone(),
  };
  const links = h("a", { class: "button", href: logsAddress(around, event.id) }, "Logs around this time");
  const onTerm = (/** @type {string} */ term, /** @type {boolean} */ exclude) =>
    go(logsAddress({ ...around, q: exclude ? `-${term}` : term }));
  return eventView(event, { onTerm, heading: title(), links, page: true });
}

/** @param {string} text */
function goneView(text) {
  return panel({ title: "This event is not here", text, actions: [h("a", { class: "button primary", href: "/ui/logs" }, "Go to the logs")] });
}
