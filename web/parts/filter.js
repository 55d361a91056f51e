// The filter bar of the log list: query, project, time, levels. It holds no truth of its own: it shows the
// filters it is given and hands back new ones.

import { DEFAULT_RANGE, LEVELS } from "../lib/filters.js";
import { fill, h, icon } from "../lib/h.js";
import { fromInput, RANGES, rangeMillis, toInput } from "../lib/time.js";

/** @typedef {import("../lib/filters.js").Filters} Filters */

const CUSTOM = "custom";

/**
 * @param {Filters} initial
 * @param {(filters: Filters) => void} onSearch
 */
export function filterBar(initial, onSearch) {
  let filters = initial;
  /** @type {import("../api.js").Project[]} */
  let projects = [];

  const query = h("input", {
    type: "search", name: "q", id: "q", "aria-label": "Search", placeholder: "Search, e.g. timeout or user_id:42",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "search",
  });
  const project = h("select", { "aria-label": "Project", onchange: search });
  const range = h(
    "select",
    { "aria-label": "Time range", onchange: rangeChosen },
    RANGES.map(({ name, label }) => h("option", { value: name }, label)),
    h("option", { value: CUSTOM }, "From … to …"),
  );
  const from = h("input", { type: "datetime-local", step: "1", "aria-label": "From" });
  const to = h("input", { type: "datetime-local", step: "1", "aria-label": "To", oninput: () => to.setCustomValidity("") });
  const span = h("div", { class: "span" }, from, h("span", { "aria-hidden": "true" }, "to"), to);
  const levels = LEVELS.map((name) => h("input", { type: "checkbox", name: "level", value: name, onchange: search }));

  const element = h(
    "form",
    { class: "filters", role: "search", "aria-label": "Events", onsubmit: submitted },
    h("div", { class: "filters-line" },
      h("div", { class: "query" }, icon("search"), query),
      project, range, span,
      h("button", { type: "submit", class: "primary" }, "Search")),
    h("fieldset", { class: "levels" },
      h("legend", { class: "unseen" }, "Levels; none chosen means all"),
      levels.map((box) => h("label", { class: "chip", "data-level": box.value }, box, h("span", null, box.value)))),
  );

  function submitted(/** @type {Event} */ event) {
    event.preventDefault();
    search();
  }

  function search() {
    const next = read();
    if (next === null) return;
    onSearch(next);
  }

  function rangeChosen() {
    if (range.value !== CUSTOM) return search();
    const now = Date.now();
    from.value = toInput(now - (rangeMillis(filters.range) ?? 0));
    to.value = toInput(now);
    span.hidden = false;
    from.focus();
  }

  /** The filters as they stand in the controls, or null when the two times make no range. */
  function read() {
    const custom = range.value === CUSTOM;
    const start = custom ? kept(from, filters.from) : "";
    const end = custom ? kept(to, filters.to) : "";
    if (start !== "" && end !== "" && Date.parse(end) <= Date.parse(start)) {
      to.setCustomValidity("The end must be after the start.");
      to.reportValidity();
      return null;
    }
    const named = custom ? DEFAULT_RANGE : range.value;
    return {
      q: query.value.trim(),
      project: project.value,
      levels: levels.filter((box) => box.checked).map((box) => box.value),
      range: start === "" && end === "" ? named : "",
      from: start,
      to: end,
    };
  }

  function showProjects() {
    const options = projects.map(({ slug, name }) => ({ value: slug, label: name || slug }));
    const known = projects.find(({ slug, id }) => slug === filters.project || String(id) === filters.project);
    if (!known && filters.project !== "") options.push({ value: filters.project, label: filters.project });
    fill(
      project,
      h("option", { value: "" }, "All projects"),
      options.map(({ value, label }) => h("option", { value }, label)),
    );
    project.value = known?.slug ?? filters.project;
  }

  /** @param {Filters} next */
  function show(next) {
    filters = next;
    query.value = next.q;
    range.value = next.range === "" ? CUSTOM : next.range;
    span.hidden = next.range !== "";
    from.value = toInput(Date.parse(next.from));
    to.value = toInput(Date.parse(next.to));
    to.setCustomValidity("");
    for (const box of levels) box.checked = next.levels.includes(box.value);
    showProjects();
  }

  show(initial);
  return {
    element,
    show,
    /** @param {import("../api.js").Project[]} list */
    setProjects(list) {
      projects = list;
      showProjects();
    },
    focusQuery() {
      query.focus();
      query.select();
    },
  };
}

/**
 * A time as the address had it when its input was left alone (`-2h`, milliseconds), else what was typed.
 * @param {HTMLInputElement} input
 * @param {string} before
 */
function kept(input, before) {
  return input.value === toInput(Date.parse(before)) ? before : fromInput(input.value) ?? "";
}
