// The filter bar of the log list: query, project, time, levels. It holds no truth of its own: it shows the
// filters it is given and hands back new ones.

import { remember } from "../lib/complete.js";
import { BAR_FIELDS, DEFAULT_RANGE, LEVELS } from "../lib/filters.js";
import { counted } from "../lib/amount.js";
import { fill, h, icon, shown } from "../lib/h.js";
import { momentText, readMoment } from "../lib/moment.js";
import { ownZone, RANGES, rangeMillis, SECOND } from "../lib/time.js";
import { Completion } from "./complete.js";

/** @typedef {import("../lib/filters.js").Filters} Filters */
/** @typedef {import("../api.js").Project} Project */

const CUSTOM = "custom";
export const TIME_EXAMPLES = "4:06 pm, 3 hours ago, yesterday 14:00 or 2026-11-20 16:06";

export class FilterBar {
  /** @type {Filters} */
  #filters;
  /** The ends of the range as the address has them, or would: their boxes show less. */
  #ends = { from: "", to: "" };
  /** @type {Project[]} */
  #projects = [];
  /** @type {(filters: Filters) => void} */
  #onSearch;

  #query = h("input", {
    type: "search", name: "q", id: "q", "aria-label": "Search", placeholder: "Words or field:value",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "search",
    role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": "q-choices",
  });
  #project = h("select", { "aria-label": "Project", onchange: () => this.#search() });
  #range = h("select", { "aria-label": "Time range", onchange: () => this.#rangeChosen() });
  #zone = h("select", { class: "zone", "aria-label": "Time zone", onchange: () => this.#search(), onfocus: () => this.#offerZones() });
  #from = timeInput("From");
  #to = timeInput("To");
  #span = h("div", { class: "span" }, this.#from.element, this.#to.element);
  /** On narrow screens they show what is folded away, and say what is set in it. */
  #folds = /** @type {const} */ (["Filters", "View"]).map((name) => {
    const fold = h("button", { type: "button", class: "fold", "data-fold": name, "aria-expanded": "false", onclick: () => unfold(fold, fold.ariaExpanded !== "true") });
    return fold;
  });
  #levels = LEVELS.map((name) => h("input", { type: "checkbox", name: "level", value: name, onchange: () => this.#search() }));

  /**
   * @param {Filters} filters
   * @param {(filters: Filters) => void} onSearch
   * @param {import("./complete.js").Offer} offer what the query may be completed by
   */
  constructor(filters, onSearch, offer) {
    const completion = new Completion(this.#query, offer);
    this.#filters = filters;
    this.#onSearch = onSearch;
    const chips = this.#levels.map((box) => h("label", { class: "chip", "data-level": box.value }, box, h("span", null, box.value)));
    this.element = h(
      "form",
      { class: "filters", role: "search", "aria-label": "Events", onsubmit: (/** @type {Event} */ event) => this.#submitted(event) },
      h("div", { class: "filters-line" },
        h("div", { class: "query" }, icon("search"), this.#query, completion.element),
        h("div", { class: "folds" }, this.#folds),
        this.#project, this.#range, this.#zone, this.#span,
        h("button", { type: "submit", class: "primary" }, "Search")),
      h("fieldset", { class: "levels" }, h("legend", { class: "unseen" }, "Levels; none chosen means all"), chips),
    );
    this.show(filters);
  }

  /** @param {Filters} filters */
  show(filters) {
    this.#filters = filters;
    this.#query.value = filters.q;
    // What the address names stays chosen, offered or not.
    const ranges = new Set([...RANGES.map(({ name }) => name), filters.range || DEFAULT_RANGE]);
    fill(this.#range, [...ranges].map((name) => h("option", { value: name }, rangeLabel(name))), h("option", { value: CUSTOM }, "Custom"));
    this.#range.value = filters.range || CUSTOM;
    this.#span.hidden = filters.range !== "";
    this.#showEnds(filters.from, filters.to);
    for (const box of this.#levels) box.checked = filters.levels.includes(box.value);
    this.#span.title = `Such as ${TIME_EXAMPLES}; times without a zone are of ${this.#in() || ownZone()}`;
    // Who chooses a zone may choose another.
    this.#showZones(document.activeElement === this.#zone ? allZones() : []);
    this.#showProjects();
    this.#showFolds();
  }

  /** What the folds say, so that nothing is set unseen. */
  #showFolds() {
    const { range, levels, project, tz = "", live, fold, order, side = "", by = "", cols = [] } = this.#filters;
    const time = range === "" ? spanSaid(this.#from.input.value, this.#to.input.value) : rangeLabel(range);
    const set = [
      [time, levels.join(", "), project && this.#project.selectedOptions[0]?.label, tz.replaceAll("_", " ")],
      [live && "live", order === "asc" && "oldest first", fold && "repeats folded", side, by && by !== BAR_FIELDS[0] && `by ${by}`, cols.length > 0 && counted(cols.length, "column")],
    ];
    this.#folds.forEach((fold, index) => {
      const text = [fold.dataset.fold, set[index]?.filter(Boolean).join(", ")].filter(Boolean).join(": ");
      fill(fold, h("span", { title: text }, text));
    });
  }

  /** @param {string} from @param {string} to */
  #showEnds(from, to) {
    this.#ends = { from, to };
    for (const [{ input }, text] of /** @type {const} */ ([[this.#from, from], [this.#to, to]])) {
      input.value = momentText(text, this.#in());
      input.setCustomValidity("");
    }
  }

  /** The zone of the times typed and shown. */
  #in() {
    return this.#filters.tz ?? "";
  }

  /** @param {string[]} more beside those that are a step away */
  #showZones(more) {
    const names = new Set(["UTC", this.#in(), ...more].filter((name) => name !== ""));
    fill(this.#zone, h("option", { value: "" }, `Local (${ownZone().replaceAll("_", " ")})`), [...names].map((name) => h("option", { value: name }, name.replaceAll("_", " "))));
    this.#zone.value = this.#in();
  }

  /** Four hundred names are there only for who looks for one. */
  #offerZones() {
    if (this.#zone.options.length < 4) this.#showZones(allZones());
  }

  /** @param {Project[]} projects */
  setProjects(projects) {
    this.#projects = projects;
    this.#showProjects();
    this.#showFolds();
  }

  focusQuery() {
    this.#query.focus();
    this.#query.select();
  }

  /** @param {Event} event */
  #submitted(event) {
    event.preventDefault();
    this.#search();
  }

  #search() {
    const filters = this.#read();
    if (filters === null) return;
    remember(filters.q);
    this.#onSearch(filters);
  }

  #rangeChosen() {
    if (this.#range.value !== CUSTOM) return this.#search();
    const now = Date.now();
    const text = (/** @type {number} */ ms) => new Date(Math.floor(ms / SECOND) * SECOND).toISOString();
    this.#showEnds(text(now - (rangeMillis(this.#filters.range) ?? 0)), text(now));
    this.#span.hidden = false;
    this.#from.input.select();
  }

  /** The filters as they stand in the controls, or null when the two times make no range. */
  #read() {
    const custom = this.#range.value === CUSTOM;
    const now = Date.now();
    const from = custom ? readTyped(this.#from.input, this.#ends.from, now, this.#in()) : NO_TIME;
    const to = custom ? readTyped(this.#to.input, this.#ends.to, now, this.#in(), from?.at) : NO_TIME;
    if (from === null || to === null) return null;
    if (to.at <= from.at) {
      complain(this.#to.input, "The end must be after the start.");
      return null;
    }
    const named = custom ? DEFAULT_RANGE : this.#range.value;
    return {
      ...this.#filters,
      q: this.#query.value.trim(),
      project: this.#project.value,
      tz: this.#zone.value,
      levels: this.#levels.filter((box) => box.checked).map((box) => box.value),
      range: from.text === "" && to.text === "" ? named : "",
      from: from.text,
      to: to.text,
      // What has an end, or began long ago, is not followed.
      live: this.#filters.live && from.text === "" && to.text === "",
    };
  }

  #showProjects() {
    const { project } = this.#filters;
    const known = this.#projects.find(({ slug, id }) => slug === project || String(id) === project);
    const options = this.#projects.map(({ slug, name }) => h("option", { value: slug }, shown(name || slug)));
    // What the address names stays chosen, known or not.
    if (!known && project !== "") options.push(h("option", { value: project }, shown(project)));
    fill(this.#project, h("option", { value: "" }, "All projects"), options);
    this.#project.value = known?.slug ?? project;
  }
}

const allZones = () => Intl.supportedValuesOf("timeZone");

/** What a range is called. @param {string} name */
const rangeLabel = (name) => RANGES.find((range) => range.name === name)?.label ?? `Last ${momentText(`-${name}`, "").slice(0, -4)}`;

/** A range in words; an end that is left open is left out. @param {string} from @param {string} to */
function spanSaid(from, to) {
  if (from === "" || to === "") return from !== "" ? `since ${from}` : to !== "" ? `until ${to}` : "any time";
  return `${from} to ${to}`;
}

/** @param {Element} fold @param {boolean} open */
function unfold(fold, open) {
  fold.setAttribute("aria-expanded", String(open));
}

/** An end of the range, with its name beside it. @param {string} name @param {string} [open] what it is while it is empty */
export function timeInput(name, open = "any time") {
  /** @type {HTMLInputElement} */
  const input = h("input", {
    class: "moment", placeholder: open, autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    oninput: () => input.setCustomValidity(""),
  });
  return { input, element: h("label", null, h("span", null, name), input) };
}

/** An end of a range that is left open: nothing lies before or after it. */
const NO_TIME = { at: Number.NaN, text: "" };

/**
 * The time typed, as the address had it when its input was left alone (milliseconds, say); null when it is none, and then
 * the input says so.
 * @param {HTMLInputElement} input
 * @param {string} before
 * @param {number} now
 * @param {string} zone
 * @param {number} [after] where the range begins
 */
export function readTyped(input, before, now, zone, after) {
  if (input.value.trim() === "") return NO_TIME;
  const kept = input.value === momentText(before, zone);
  const read = readMoment(kept ? before : input.value, now, zone, after);
  if (read === null) complain(input, `This is no time. Write ${TIME_EXAMPLES}.`);
  return read && (kept ? { ...read, text: before } : read);
}

/** @param {HTMLInputElement} input @param {string} why */
export function complain(input, why) {
  // What is folded away can't speak.
  const fold = input.form?.querySelector(".fold");
  if (fold) unfold(fold, true);
  input.setCustomValidity(why);
  input.reportValidity();
}
