// The log list. Every filter and the open event are in the address; this page only follows it.

import { fetchLog, listProjects, Problem, searchLogs } from "../api.js";
import { apiQuery, isNarrowed, logsAddress, readFilters, sameFilters, withTerm } from "../lib/filters.js";
import { fill, h } from "../lib/h.js";
import { DAY, fullTime, HOUR, RANGES, SECOND } from "../lib/time.js";
import { filterBar } from "../parts/filter.js";
import { eventList } from "../parts/list.js";
import { button, errorPanel, isDatabaseAway, loadingPanel, noticeLine, panel, patiently, problemText, wakingPanel, warningText } from "../parts/state.js";
import { go } from "../router.js";

/** @typedef {import("../lib/filters.js").Filters} Filters */
/** @typedef {import("../api.js").LogEvent} LogEvent */
/** @typedef {import("../api.js").LogPage} LogPage */

/** Rows one list holds; older events are a link away. */
const MAX_ROWS = 2000;
/** How far back the newest event is looked for. */
const LATEST_WITHIN_MS = 90 * DAY;
/** Below this width the detail covers the list. Also in css/layout.css. */
const NARROW = "(width <= 900px)";

/** @type {import("../router.js").Open} */
export function open(url) {
  let filters = readFilters(url.searchParams);
  /** @type {string | null} */
  let selected = null;
  let search = new AbortController();
  let detail = new AbortController();
  const life = new AbortController();
  /** @type {import("../api.js").Project[] | null} */
  let projects = null;
  /** The query of the running list, with its two ends fixed. @type {Record<string, string>} */
  let query = {};
  /** @type {string | null} */
  let cursor = null;

  const bar = filterBar(filters, (next) => {
    const address = logsAddress(next, null);
    // Asking the same again is a new run: a relative range has moved on.
    if (address === location.pathname + location.search) void run();
    else go(address);
  });
  const status = h("p", { class: "status", role: "status" });
  const notices = h("div", { class: "notices" });
  const state = h("div", { class: "state" });
  const more = h("div", { class: "more" });
  const list = eventList((event) => openEvent(event.id));
  const pane = h("section", { class: "list", "aria-label": "Result" }, notices, list.element, state, more);
  const drawer = h("aside", { class: "drawer", "aria-label": "Event", hidden: true });
  const element = h("div", { class: "logs" }, h("h1", { class: "unseen" }, "Logs"), bar.element, status, h("div", { class: "split" }, pane, drawer));

  async function run() {
    search.abort();
    search = new AbortController();
    const { signal } = search;
    query = apiQuery(filters, Date.now());
    cursor = null;
    const loading = loadingPanel("Searching…");
    const first = list.events().length === 0;
    if (first) fill(state, loading.element);
    pane.setAttribute("aria-busy", "true");
    fill(more);
    try {
      const page = await patiently(() => searchLogs(query, signal), signal, (problem, seconds, now) => {
        reset();
        fill(state, wakingPanel(problem, seconds, now));
      });
      reset();
      if (page.logs.length === 0 && page.next_cursor === null) await explainEmpty(page, signal);
      else showPage(page);
    } catch (error) {
      if (signal.aborted) return;
      reset();
      if (isSignedOut(error)) return;
      fill(state, errorPanel(error, run));
    } finally {
      loading.stop();
      if (!signal.aborted) pane.removeAttribute("aria-busy");
    }
  }

  function reset() {
    list.clear();
    fill(state);
    fill(notices);
    fill(more);
    fill(status);
  }

  /** @param {LogPage} page */
  function showPage(page) {
    list.append(page.logs, { now: Date.now(), manyProjects: filters.project === "", q: filters.q });
    list.element.hidden = false;
    list.select(selected);
    cursor = page.next_cursor;
    showNotices(page);
    showStatus(page);
    showMore();
  }

  /** @param {LogPage} page */
  function showNotices(page) {
    const { scanned, warnings = [] } = page;
    const lines = warnings.map(warningText);
    if (scanned && !scanned.complete && !warnings.some(isDatabaseAway)) {
      lines.push(`The search stopped after reading ${count(scanned.events, "event")}. Older matches may be missing: search on below, or narrow the time range.`);
    }
    fill(notices, lines.map((line) => noticeLine(line)));
  }

  /** @param {LogPage} page */
  function showStatus({ scanned }) {
    const total = list.events().length;
    const found = `${count(total, "event")}${cursor === null ? "" : " so far"}, newest first.`;
    const read = scanned ? ` Read ${count(scanned.events, "event")} in ${count(scanned.blocks, "block")}, ${scanned.ms} ms.` : "";
    fill(status, found, h("span", { class: "muted" }, read));
  }

  function showMore() {
    const events = list.events();
    const last = events.at(-1);
    if (cursor === null) {
      fill(more, events.length > 0 ? h("p", { class: "muted end" }, "No older event in this range matches.") : null);
    } else if (events.length >= MAX_ROWS && last) {
      const to = new Date(Date.parse(last.ts) + 1).toISOString();
      const address = logsAddress({ ...filters, range: "", from: query.from ?? "", to });
      fill(more, h("a", { class: "button", href: address }, `Continue before ${fullTime(Date.parse(last.ts))}`));
    } else {
      fill(more, button(events.length > 0 ? "Load older events" : "Search on", loadMore));
    }
  }

  async function loadMore() {
    if (cursor === null) return;
    const { signal } = search;
    const at = list.events().length;
    fill(more, h("p", { class: "muted", role: "status" }, "Loading older events…"));
    try {
      showPage(await searchLogs({ ...query, cursor }, signal));
      if (document.activeElement === document.body) list.focus(at);
    } catch (error) {
      if (signal.aborted || isSignedOut(error)) return;
      fill(more, h("p", { role: "alert" }, problemText(error)), button("Try again", loadMore));
    }
  }

  /**
   * Says which of three things an empty result is: filters too narrow, nothing in this range, nothing at all.
   * @param {LogPage} page
   * @param {AbortSignal} signal
   */
  async function explainEmpty(page, signal) {
    list.element.hidden = true;
    showNotices(page);
    fill(status, "0 events.");
    const wide = { ...filters, q: "", levels: [] };
    const one = { ...apiQuery(wide, Date.now()), limit: "1" };
    if (isNarrowed(filters)) {
      const { logs } = await searchLogs(one, signal);
      if (logs.length > 0) return fill(state, noMatch(wide));
    }
    /** @type {Record<string, string>} */
    const ever = { limit: "1", order: "desc", from: new Date(Date.now() - LATEST_WITHIN_MS).toISOString() };
    if (filters.project !== "") ever.project_id = filters.project;
    const newest = (await searchLogs(ever, signal)).logs[0];
    const known = projects ?? (await listProjects(signal));
    fill(state, newest ? nothingInRange(newest) : noDataYet(known.length > 0));
  }

  /** @param {Filters} wide */
  function noMatch(wide) {
    const longest = RANGES[RANGES.length - 1]?.name ?? "";
    const actions = [h("a", { class: "button primary", href: logsAddress(wide) }, "Clear query and levels")];
    if (filters.range !== longest) {
      const address = logsAddress({ ...filters, range: longest, from: "", to: "" });
      actions.push(h("a", { class: "button", href: address }, "Search the last 3 days"));
    }
    return panel({ title: "No event matches", text: "There are events in this time range, but none matches the query and the levels.", actions });
  }

  /** @param {LogEvent} newest */
  function nothingInRange(newest) {
    const at = Date.parse(newest.ts);
    const address = logsAddress({
      ...filters, q: "", levels: [], range: "",
      from: new Date(at - HOUR).toISOString(),
      to: new Date(at + SECOND).toISOString(),
    });
    return panel({
      title: "Nothing in this time range",
      text: `The latest event is of ${fullTime(at)}.`,
      actions: [h("a", { class: "button primary", href: address }, "Jump to the latest")],
    });
  }

  /** @param {boolean} haveProjects */
  function noDataYet(haveProjects) {
    const setup = h("a", { class: "button primary", href: "/ui/projects" }, haveProjects ? "Projects" : "Create a project");
    return panel({
      title: haveProjects ? "No event has arrived yet" : "No project yet",
      text: haveProjects
        ? "Send a signed batch with a project's key, then look again."
        : "Events are sent with the key of a project. Creating one gives you the key and a command to try it.",
      actions: haveProjects ? [setup, button("Look again", run)] : [setup],
    });
  }

  /** @param {string} id */
  function openEvent(id) {
    const open = selected !== null;
    const state = open ? history.state : { drawer: true };
    go(logsAddress(filters, id), { replace: open, state });
  }

  function closeEvent() {
    if (selected === null) return;
    // The step that opened it is taken back, so that the way back stays short.
    if (history.state?.drawer) history.back();
    else go(logsAddress(filters, null), { replace: true });
  }

  /** @param {string | null} id */
  async function select(id) {
    if (id === selected) return;
    const before = selected;
    selected = id;
    list.select(id);
    detail.abort();
    detail = new AbortController();
    const { signal } = detail;
    if (id === null) return closeDrawer(before);
    drawer.hidden = false;
    pane.inert = matchMedia(NARROW).matches;
    if (before === null) fill(drawer, drawerHead(id));
    try {
      const known = list.events().find((event) => event.id === id);
      const [event, { eventView }] = await Promise.all([known ?? fetchLog(id, signal), import("../parts/event.js")]);
      if (signal.aborted) return;
      const links = h("a", { class: "button", href: `/ui/logs/${encodeURIComponent(id)}` }, "Permalink");
      fill(drawer, eventView(event, { onTerm: narrow, heading: drawerHead(id), links }));
    } catch (error) {
      if (signal.aborted || isSignedOut(error)) return;
      const gone = error instanceof Problem && error.status === 404;
      const text = gone ? "This event is no longer kept." : problemText(error);
      fill(drawer, drawerHead(id), h("p", { class: "notice", role: "alert" }, text));
    }
    drawer.scrollTop = 0;
    // Moving along the list keeps the focus in the list; opening goes into the detail.
    if (before === null || list.focused() < 0) drawer.querySelector("h2")?.focus();
  }

  /** @param {string | null} before the event that was open */
  function closeDrawer(before) {
    const inside = drawer.contains(document.activeElement);
    drawer.hidden = true;
    fill(drawer);
    pane.inert = false;
    const index = list.indexOf(before);
    if (inside && index >= 0) list.focus(index);
  }

  /** @param {string} id */
  function drawerHead(id) {
    return [
      h("h2", { tabindex: "-1", title: id }, "Event"),
      h("button", { type: "button", class: "quiet", onclick: closeEvent }, "Close"),
    ];
  }

  /** @type {(term: string, exclude: boolean) => void} */
  function narrow(term, exclude) {
    go(logsAddress({ ...filters, q: withTerm(filters.q, term, exclude) }, pane.inert ? null : selected));
  }

  /** @param {number} step */
  function move(step) {
    const focused = list.focused();
    const from = selected === null ? focused : list.indexOf(selected);
    const next = from < 0 && step < 0 ? -1 : from + step;
    const event = list.events()[next];
    if (!event) return;
    if (selected !== null) openEvent(event.id);
    list.focus(next);
  }

  /** @type {(event: KeyboardEvent) => boolean} */
  function key(event) {
    if (event.key === "/") bar.focusQuery();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "Escape" && selected !== null) closeEvent();
    else return false;
    return true;
  }

  async function loadProjects() {
    try {
      projects = await patiently(() => listProjects(life.signal), life.signal, () => {});
      bar.setProjects(projects);
    } catch {
      // The list says what is wrong; without names the project filter keeps what the address has.
    }
  }

  void loadProjects();
  void run();
  void select(url.searchParams.get("sel"));

  return {
    element,
    title: "Logs",
    key,
    update(next) {
      const wanted = readFilters(next.searchParams);
      const same = sameFilters(wanted, filters);
      filters = wanted;
      bar.show(wanted);
      if (!same) void run();
      void select(next.searchParams.get("sel"));
    },
    close() {
      for (const controller of [search, detail, life]) controller.abort();
    },
  };
}

/** @param {unknown} error */
function isSignedOut(error) {
  return error instanceof Problem && error.kind === "signed_out";
}

/**
 * @param {number} n
 * @param {string} noun
 */
function count(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}
