// The log list. Every filter and the open event are in the address; this page only follows it.

import { listProjects, read, searchLogs } from "../api.js";
import { apiQuery, BAR_FIELDS, eventAddress, logsAddress, readFilters, sameFilters, withTerm } from "../lib/filters.js";
import { counted } from "../lib/amount.js";
import { fill, h } from "../lib/h.js";
import { showTimesIn } from "../lib/time.js";
import { offerOf } from "../parts/complete.js";
import { Drawer } from "../parts/drawer.js";
import { FilterBar } from "../parts/filter.js";
import { hatchGaps, HistogramView } from "../parts/histogram.js";
import { EventList, STEPS } from "../parts/list.js";
import { besides, beyond, firstPage, foundText, noticesOf, wayOn } from "../parts/result.js";
import { Sheet } from "../parts/sheet.js";
import { button, errorPanel, isSignedOut, loadingPanel, patiently, problemText } from "../parts/state.js";
import { Tools } from "../parts/tools.js";
import { go } from "../router.js";

/** @typedef {import("../lib/filters.js").Filters} Filters */
/** @typedef {import("../api.js").LogPage} LogPage */

/** Below this width the detail covers the list. Also in css/layout.css. */
const isNarrow = () => matchMedia("(width <= 900px)").matches;

/** @type {import("../router.js").Open} */
export function open(url) {
  const page = new LogsPage(url);
  return {
    element: page.element, title: "Logs",
    update: (next) => page.follow(next),
    key: (event) => page.press(event), close: () => page.close(),
  };
}

class LogsPage {
  /** @type {Filters} */ #filters;
  /** The id of the open event. @type {string | null} */
  #selected = null;
  #search = new AbortController();
  #life = new AbortController();
  /** The query of the running list, with its two ends fixed. @type {Record<string, string>} */
  #query = {};
  /** Where the list goes on; null at its end. @type {string | null} */
  #cursor = null;
  /** Whether all was read, how many match, and what the first page took to find while it is the only one. @type {{ complete: boolean, total?: number, first?: import("../api.js").Scanned }} */
  #found = { complete: true };
  #live = /** @type {import("../parts/live.js").LiveTail | null} */ (null);
  #bar;
  #histogram = new HistogramView(
    (from, to) => this.#ask({ ...this.#filters, range: "", from, to, live: false }),
    (by) => go(logsAddress({ ...this.#filters, by: by === BAR_FIELDS[0] ? "" : by }, this.#selected)),
  );
  #list = new EventList((event) => this.#openEvent(event.id));
  #status = h("p", { class: "status", role: "status" });
  #tools = new Tools();
  #tail = h("div");
  #side = new Sheet(() => this.#closeSide());
  #notices = h("div", { class: "notices" });
  #state = h("div", { class: "state" });
  #more = h("div", { class: "more" });
  #drawer = new Drawer({
    known: (id) => this.#list.events.find((event) => event.id === id),
    onTerm: (term, exclude) => this.#narrow(term, exclude),
    onClose: () => this.#closeEvent(),
  });
  #pane = h("section", { class: "list", "aria-label": "Result", tabindex: "-1" }, this.#notices, this.#list.element, this.#state, this.#more);

  /** @param {URL} url */
  constructor(url) {
    this.#filters = readFilters(url.searchParams);
    showTimesIn(this.#filters.tz ?? "");
    this.#list.fold(this.#filters.fold === true);
    this.#bar = new FilterBar(this.#filters, (next) => this.#ask(next), offerOf(() => this.#list.events, () => this.#query, this.#life.signal));
    this.element = h("div", { class: "logs" },
      h("h1", { class: "unseen" }, "Logs"),
      this.#bar.element,
      this.#histogram.element,
      h("div", { class: "logs-line" }, this.#status, this.#tools.element),
      this.#tail,
      h("div", { class: "split" }, this.#side.element, this.#pane, this.#drawer.element),
    );
    void this.#loadProjects();
    void this.#select(url.searchParams.get("sel"));
    void this.#run();
  }

  /** Shows what the address asks for; a search runs only when its filters changed. @param {URL} url */
  follow(url) {
    const wanted = readFilters(url.searchParams);
    const before = this.#filters;
    const zoned = wanted.tz !== before.tz;
    this.#filters = wanted;
    this.#bar.show(wanted);
    showTimesIn(wanted.tz ?? "");
    if (zoned) this.#list.redraw();
    if (zoned && this.#selected !== null) void this.#drawer.show(this.#selected);
    this.#list.fold(wanted.fold === true);
    this.#list.columns(wanted.cols ?? []);
    // The ways on from here keep what is open.
    void this.#select(url.searchParams.get("sel"));
    if (!sameFilters(wanted, before)) return void this.#run();
    this.#showAgain(wanted.fold !== before.fold);
    if (zoned || wanted.by !== before.by) void this.#runBars();
  }

  /** The same events are shown otherwise. @param {boolean} folded or no longer */
  #showAgain(folded) {
    this.#showTools();
    // While a search runs, the line says so.
    if (folded && this.#list.length > 0 && !this.#pane.ariaBusy) this.#showStatus();
    // A link on from here shows them in the same way.
    if (this.#more.querySelector("a")) this.#showMore();
  }

  close() {
    showTimesIn("");
    this.#list.close();
    this.#live?.close();
    this.#drawer.close();
    for (const controller of [this.#search, this.#life]) controller.abort();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.key === "/") this.#bar.focusQuery();
    else if (event.key === "j") this.#goTo(this.#at() + 1);
    else if (event.key === "k") this.#goTo(this.#at() - 1);
    else if (event.key in STEPS) this.#moveTo(/** @type {keyof typeof STEPS} */ (event.key));
    else if (event.key === "f") this.#toFields();
    else if (event.key === "l") this.#tools.find("Live")?.click();
    else if (event.key === "r") this.#tools.find("Fold repeats")?.click();
    else if (event.key === "x") this.#list.toggle(this.#at());
    else if (event.key === "c") this.#openContext();
    else if (event.key === "Escape" && this.#selected !== null) this.#closeEvent();
    else if (event.key === "Escape" && this.#filters.side && isNarrow()) this.#closeSide();
    else return false;
    return true;
  }

  /** @param {Filters} next */
  #ask(next) {
    // Another zone shows the same events: the open one stays open.
    const address = logsAddress(next, (next.tz ?? "") === (this.#filters.tz ?? "") ? null : this.#selected);
    // Asking the same again is a new run: a relative range has moved on. The address may say it in another order.
    if (address === logsAddress(this.#filters)) void this.#run();
    else go(address);
  }

  async #loadProjects() {
    const { signal } = this.#life;
    // The list says what is wrong; without names the project filter keeps what the address has.
    await patiently(() => listProjects(signal), signal, () => {}).then((all) => this.#bar.setProjects(all), () => {});
  }

  async #run() {
    this.#search.abort();
    this.#search = new AbortController();
    const { signal } = this.#search;
    this.#query = apiQuery(this.#filters, Date.now());
    this.#live?.close();
    fill(this.#tail);
    this.#showTools();
    // The line says that it searches, the panel what that may wait for.
    const loading = loadingPanel("");
    if (this.#list.events.length === 0) fill(this.#state, loading.element);
    fill(this.#status, h("span", { class: "muted loading" }, "Searching…"));
    fill(this.#more);
    this.#pane.ariaBusy = "true";
    try {
      const page = await patiently(() => firstPage({ ...this.#query, ...besides(this.#filters, isNarrow()) }, signal), signal, (panel) => this.#showInstead(panel));
      this.#clear();
      const complete = page.scanned?.complete !== false;
      this.#found = { complete, total: complete ? page.histogram?.total : undefined, first: page.scanned };
      this.#showBars(page.histogram, complete, signal);
      if (page.logs.length === 0 && page.next_cursor === null) await this.#showEmpty(page, signal);
      else this.#showPage(page);
      await this.#showBeside(page, signal);
    } catch (error) {
      if (!signal.aborted && !isSignedOut(error)) this.#showInstead(errorPanel(error, () => void this.#run()), "The search failed.");
    } finally {
      loading.stop();
      if (!signal.aborted) this.#pane.ariaBusy = null;
    }
  }

  /** Counts the same events into other bars. */
  async #runBars() {
    const { signal } = this.#search;
    // A search that still runs asks for bars that are wanted no more.
    if (this.#pane.ariaBusy || this.#histogram.span() === null) return this.#run();
    this.#histogram.element.ariaBusy = "true";
    try {
      const query = new URLSearchParams({ ...this.#query, ...besides(this.#filters, isNarrow()) });
      const bars = /** @type {import("../api.js").Histogram & LogPage} */ (await read(`/logs/histogram?${query}`, signal));
      if (bars.by === (this.#filters.by || "level")) this.#showBars(bars, bars.scanned?.complete !== false, signal);
    } catch {
      if (!signal.aborted) void this.#run();
    } finally {
      this.#histogram.element.ariaBusy = null;
    }
  }

  /** @param {LogPage["histogram"]} bars @param {boolean} complete @param {AbortSignal} signal */
  #showBars(bars, complete, signal) {
    this.#histogram.show(bars, { complete, asc: this.#filters.order === "asc", live: this.#filters.live });
    void hatchGaps(this.#histogram, this.#query.project_id, signal);
  }

  /** The ways on from here; a panel that is closed takes its counts along. */
  #showTools() {
    this.#tools.show(this.#filters, this.#query, this.#selected);
    this.#side.show(this.#filters.side ?? "");
    this.#histogram.offer(this.#filters.by || "level", this.#filters.cols ?? []);
  }

  /** Starts what few searches need, once the list is there. @param {LogPage} page @param {AbortSignal} signal */
  async #showBeside(page, signal) {
    const { side, live } = this.#filters;
    if (side) await this.#side.fill(page, side, (term, exclude) => this.#narrow(term, exclude), signal, isNarrow() && this.#selected === null);
    if (!live || signal.aborted) return;
    const { LiveTail, RING } = await import("../parts/live.js");
    if (signal.aborted) return;
    this.#live = new LiveTail(this.#filters, {
      shown: this.#list.events.map(({ id }) => id),
      reading: () => this.#selected !== null || this.#list.hasSelection() || (this.#list.events.length > 0 && !this.#list.atTop()),
      show: (events) => this.#showNew(events, RING),
      toTop: () => this.#list.toTop(),
    });
    fill(this.#tail, this.#live.element);
  }

  /** @param {import("../api.js").LogEvent[]} events newest first @param {number} limit */
  #showNew(events, limit) {
    fill(this.#state);
    this.#list.element.hidden = false;
    this.#tools.offer("", this.#found.total);
    this.#list.prepend(events, this.#view(this.#cursor !== null || this.#list.events.length >= limit), limit);
    // Older pages would leave a hole behind what made room.
    if (this.#list.events.length < limit) return;
    this.#cursor = null;
    fill(this.#more, h("p", { class: "muted" }, `The newest ${counted(limit, "event")} are kept while live.`));
  }

  /** How rows are shown. @param {boolean} goesOn whether there are events beyond the last */
  #view(goesOn) {
    const { q, project, cols, order } = this.#filters;
    return { now: Date.now(), manyProjects: project === "", q, cols, goesOn, asc: order === "asc" };
  }

  #clear() {
    this.#list.clear();
    for (const part of [this.#state, this.#notices, this.#more, this.#status]) fill(part);
  }

  /** @param {HTMLElement} panel takes the place of the rows, and of counts that would cover it */
  #showInstead(panel, said = "No answer yet.") {
    this.#clear();
    if (isNarrow()) this.#side.show("");
    this.#histogram.show(undefined, { complete: true, asc: false });
    this.#list.element.hidden = true;
    fill(this.#state, panel);
    fill(this.#status, said);
    this.#found = { complete: true };
    this.#tools.offer("There is no result.");
  }

  /** @param {LogPage} page */
  #showPage(page) {
    this.#list.element.hidden = false;
    if (this.#list.length > 0) this.#found = { complete: page.scanned?.complete !== false, total: this.#found.total };
    this.#cursor = page.next_cursor;
    this.#list.append(page.logs, this.#view(this.#goesOn()));
    this.#list.select(this.#selected);
    fill(this.#notices, noticesOf(page, this.#filters.wrongTz));
    this.#showStatus();
    this.#showMore();
    this.#tools.offer("", this.#found.total);
  }

  /** @param {LogPage} page @param {AbortSignal} signal */
  async #showEmpty(page, signal) {
    const again = () => void this.#run();
    const { explainEmpty, notAllRead } = await import("../parts/empty.js");
    const allRead = page.scanned?.complete !== false;
    const panel = allRead ? await explainEmpty(this.#filters, signal, again) : notAllRead(again);
    if (signal.aborted) return;
    this.#showInstead(panel);
    fill(this.#notices, noticesOf(page, this.#filters.wrongTz));
    this.#tools.offer("There are no events.");
    fill(this.#status, "0 events.");
  }

  /** Whether there are, or may be, events beyond the last. */
  #goesOn() {
    return this.#cursor !== null || !this.#found.complete;
  }

  #showStatus() {
    // A number would be old at once while others arrive; the line of the tail counts them.
    const { total, first } = this.#found;
    fill(this.#status, this.#filters.live ? [] : foundText(this.#list, this.#goesOn(), this.#filters, total, first));
  }

  #showMore() {
    const list = { filters: this.#filters, query: this.#query, events: this.#list.events, cursor: this.#cursor, all: !this.#goesOn() };
    fill(this.#more, wayOn(list, () => void this.#loadMore(), () => void this.#run()));
  }

  async #loadMore() {
    const { signal } = this.#search;
    const at = this.#list.length;
    if (this.#cursor === null) return;
    fill(this.#more, h("p", { class: "muted", role: "status" }, `Loading ${beyond(this.#filters)} events…`));
    try {
      this.#showPage(await searchLogs({ ...this.#query, cursor: this.#cursor }, signal));
      // The button that had the focus is gone; its place is the first of the new rows.
      if (document.activeElement === document.body) this.#list.focus(Math.min(at, this.#list.length - 1));
    } catch (error) {
      if (signal.aborted || isSignedOut(error)) return;
      fill(this.#more, h("p", { role: "alert" }, problemText(error)), button("Try again", () => void this.#loadMore()));
    }
  }

  /** @param {string} id */
  #openEvent(id) {
    // From one event to another is no step of its own on the way back.
    const moving = this.#selected !== null;
    go(logsAddress(this.#filters, id), { replace: moving, state: moving ? history.state : { drawer: true } });
  }

  #closeEvent() {
    // The step that opened it is taken back, so that the way back stays short.
    if (history.state?.drawer) history.back();
    else go(logsAddress(this.#filters), { replace: true });
  }

  /** @param {string | null} id */
  async #select(id) {
    if (id === this.#selected) return;
    const before = this.#selected;
    this.#selected = id;
    this.#list.select(id);
    this.#pane.inert = id !== null && isNarrow();
    if (id === null) {
      if (this.#drawer.hide()) this.#list.focus(this.#list.indexOf(before));
      return;
    }
    const shown = await this.#drawer.show(id);
    // Moving along the list keeps the focus in the list; opening goes into the detail, unless someone types by now.
    if (shown && (before === null || this.#list.focused() < 0) && !document.activeElement?.matches("input")) this.#drawer.focus();
  }

  /** @param {string} term @param {boolean} exclude */
  #narrow(term, exclude) {
    const q = withTerm(this.#filters.q, term, exclude);
    // Where the detail or the counts cover the list, closing them shows what the term did.
    go(isNarrow() ? logsAddress({ ...this.#filters, q, side: "" }) : logsAddress({ ...this.#filters, q }, this.#selected));
  }

  #closeSide() {
    go(logsAddress({ ...this.#filters, side: "" }, this.#selected));
    this.#list.focus(0);
  }

  #openContext() {
    const id = this.#selected ?? this.#list.row(this.#list.focused())?.id;
    if (id) go(eventAddress(id, "source"));
  }

  /** Where keys move from: the open event, else the row that has the focus, else before the first. */
  #at() {
    return this.#selected === null ? this.#list.focused() : this.#list.indexOf(this.#selected);
  }

  /** @param {keyof typeof STEPS} key */
  #moveTo(key) {
    const { step, what, levels } = STEPS[key];
    const next = this.#list.next(this.#at(), step, levels);
    if (next !== null) return this.#goTo(next);
    const more = step > 0 && this.#cursor !== null ? `; ${beyond(this.#filters)} ones are not loaded` : "";
    fill(this.#status, `No ${what} ${step > 0 ? "below" : "above"} in this list${more}.`);
  }

  /** @param {number} index */
  #goTo(index) {
    const event = this.#list.row(index);
    if (!event) return;
    if (this.#selected !== null) this.#openEvent(event.id);
    this.#list.focus(index);
  }

  /** Goes to the values one can filter by: those of the open event, else the counts beside the list. */
  #toFields() {
    if (this.#selected !== null && this.#drawer.focusField()) return;
    if (this.#filters.side === "fields") return this.#side.element.focus();
    this.#side.want();
    go(logsAddress({ ...this.#filters, side: "fields" }, this.#selected));
  }
}
