// The issues: what groups of errors there are, and deciding about many at once.

import { Problem, read } from "../api.js";
import { count, counted } from "../lib/amount.js";
import { issueAddress, logsAddress } from "../lib/filters.js";
import { fill, h, icon, shown } from "../lib/h.js";
import { choice, loads, projectChoice, when } from "../parts/board.js";
import { badges, decisionBar, issueLogs, issuesAddress, issuesQuery, ISSUE_LEVELS, ISSUE_OF, ISSUE_STATES, readIssueFilters, SORTS, spark, stateText } from "../parts/issue.js";
import { levelMark } from "../parts/row.js";
import { button, errorPanel, panel, problemText } from "../parts/state.js";
import { go } from "../router.js";
import { unknownProject } from "./setup.js";

/** @typedef {import("../parts/issue.js").Issue} Issue */
/** @typedef {import("../parts/issue.js").IssueFilters} Filters */
/** @typedef {{ events_24h: number, max_issues: number, max_new_issues_a_minute: number }} Beyond */
/** @typedef {{ issues: Issue[], next_cursor: string | null, other?: Beyond }} Page */
/** @typedef {{ issue: Issue, element: HTMLElement, box: HTMLInputElement, link: HTMLElement }} Row */

/** @type {import("../router.js").Open} */
export function open(url) {
  const life = new AbortController();
  let filters = readIssueFilters(url.searchParams);
  /** The rows in their order. @type {Row[]} */
  let rows = [];
  const place = h("section", { class: "section-body", "aria-label": "Result", tabindex: "-1" });
  const list = h("ul", { class: "issues", "aria-label": "Issues" });
  const more = h("div", { class: "actions" });
  const travel = (/** @type {Partial<Filters>} */ change) => {
    const address = issuesAddress({ ...filters, ...change });
    // Asking the same again is a new look.
    if (address === location.pathname + location.search) void refresh();
    else go(address);
  };
  const query = h("input", { type: "search", "aria-label": "Search in titles", placeholder: "Search in titles", maxlength: "200", autocomplete: "off", spellcheck: "false" });
  const status = choice("State", ISSUE_STATES, filters.status, (chosen) => travel({ status: chosen }));
  const level = choice("Level", ISSUE_LEVELS, filters.level, (chosen) => travel({ level: chosen }));
  const sort = choice("Sort", SORTS, filters.sort, (chosen) => travel({ sort: chosen }));
  const project = projectChoice(life.signal, () => filters.project, (chosen) => travel({ project: chosen }));
  const form = h("form", { class: "filters-line", role: "search", onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    travel({ q: query.value.trim() });
  } },
  h("div", { class: "query" }, icon("search"), query), project, status, level, sort, h("button", { type: "submit", class: "primary" }, "Search"));

  const all = h("input", { type: "checkbox", "aria-label": "Select all shown", onchange: () => {
    for (const { box } of rows) box.checked = all.checked;
    marked();
  } });
  const amount = h("span", { class: "muted" });
  const chosen = () => {
    const boxed = rows.filter(({ box }) => box.checked);
    return (boxed.length > 0 ? boxed : rows.filter(isFocused)).map(({ issue }) => issue);
  };
  const bar = decisionBar(chosen, (decided, decision) => {
    if (decision === null) void again();
    else settle(decided, decision);
  });
  const tools = h("div", { class: "actions issue-tools" }, h("label", { class: "check" }, all), amount, bar.buttons);

  const refresh = loads(life.signal, place, {
    load: async () => {
      const page = /** @type {Page} */ (await read(issuesQuery(filters), life.signal));
      if (page.issues.length > 0) return { page, any: true };
      const others = /** @type {Page} */ (await read(`${issuesQuery({ ...filters, status: "all", level: "", q: "" })}&limit=1`, life.signal));
      return { page, any: others.issues.length > 0 };
    },
    view({ page, any }) {
      rows = [];
      fill(list);
      const beyond = beyondLine(page, filters);
      if (page.issues.length === 0) return [beyond, emptyPanel(filters, any)];
      append(page);
      return [beyond, tools, list, more];
    },
    fail: (error, again) => (error instanceof Problem && error.status === 404 ? unknownProject(issuesAddress({ ...filters, project: "" }), "Issues of all projects") : errorPanel(error, again)),
  });

  /** Looks again; the row that had the focus keeps it. */
  async function again() {
    const focused = rows.find(isFocused)?.issue.id;
    await refresh();
    rows.find(({ issue }) => issue.id === focused)?.link.focus();
  }

  /** @param {Page} page */
  function append({ issues, next_cursor: cursor }) {
    const now = Date.now();
    const added = issues.map((issue) => rowOf(issue, now, marked));
    rows.push(...added);
    list.append(...added.map(({ element }) => element));
    fill(more, cursor === null ? null : button("Load more", () => void loadMore(cursor)));
    marked();
  }

  /** @param {string} cursor */
  async function loadMore(cursor) {
    const asked = filters;
    fill(more, h("p", { class: "muted", role: "status" }, "Loading more…"));
    try {
      const page = /** @type {Page} */ (await read(issuesQuery(asked, cursor), life.signal));
      if (asked !== filters) return;
      const at = rows.length;
      append(page);
      if (document.activeElement === document.body) rows[at]?.link.focus();
    } catch (error) {
      if (!life.signal.aborted) fill(more, h("p", { role: "alert" }, problemText(error)), button("Try again", () => void loadMore(cursor)));
    }
  }

  function marked() {
    const boxed = rows.filter(({ box }) => box.checked).length;
    bar.enable(rows.filter(({ box }) => box.checked).map(({ issue }) => issue));
    all.checked = boxed > 0 && boxed === rows.length;
    all.indeterminate = boxed > 0 && boxed < rows.length;
    fill(amount, boxed > 0 ? `${count(boxed)} selected` : `${counted(rows.length, "issue")}${more.childElementCount > 0 ? " so far" : ""}`);
  }

  /**
   * Takes what no longer belongs in the list out of it, without moving the rest; another look brings it back.
   * @param {Issue[]} decided
   * @param {import("../parts/issue.js").Decision} decision
   */
  function settle(decided, decision) {
    if (filters.status === "all") return void again();
    const state = { resolve: "resolved", reopen: "open", mute: "muted" }[decision.action];
    const gone = new Set(state === filters.status ? [] : decided);
    const focused = rows.findIndex(isFocused);
    for (const { issue, element, box } of rows) {
      if (gone.has(issue)) element.remove();
      box.checked = false;
    }
    const before = rows;
    rows = rows.filter(({ issue }) => !gone.has(issue));
    if (rows.length === 0) return void refresh();
    if (focused >= 0) (before.slice(focused).find(({ issue }) => !gone.has(issue)) ?? rows.at(-1))?.link.focus();
    marked();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const at = rows.findIndex(isFocused);
    if (event.key === "/") query.focus();
    else if (event.key === "j" || event.key === "k") rows[Math.max(0, Math.min(rows.length - 1, at + (event.key === "j" ? 1 : -1)))]?.link.focus();
    else if (event.key === "s" && at >= 0) rows[at]?.box.click();
    else return rows.length > 0 && bar.press(event);
    return true;
  }

  function show() {
    query.value = filters.q;
    status.value = filters.status;
    sort.value = filters.sort;
    level.value = filters.level;
    project.value = filters.project;
    void refresh();
  }

  show();
  return {
    element: h("div", { class: "page" }, h("h1", null, "Issues"), h("div", { class: "filters" }, form), bar.said, place),
    title: "Issues",
    update(next) {
      filters = readIssueFilters(next.searchParams);
      fill(bar.said);
      show();
    },
    key,
    close: () => life.abort(),
  };
}

/** @param {Row} row */
function isFocused({ element }) {
  return element.contains(document.activeElement);
}

/**
 * @param {Issue} issue
 * @param {number} now
 * @param {() => void} onMark
 * @returns {Row}
 */
function rowOf(issue, now, onMark) {
  const title = shown(issue.title) || "(no message)";
  const box = h("input", { type: "checkbox", "aria-label": `Select ${title}`, onchange: onMark });
  const link = h("a", { class: "title", href: issueAddress(issue), title }, title);
  const time = (/** @type {string} */ name, /** @type {string} */ at) => h("span", { class: `${name} muted` }, h("span", { class: "which" }, `${name} `), "seen ", when(at, now));
  const element = h("li", { class: "issue", "data-level": issue.level },
    h("label", { class: "check" }, box),
    link,
    h("span", { class: "meta" }, levelMark(issue.level), badges(issue),
      issue.status === "open" ? null : h("span", { class: "badge muted", title: stateText(issue, now) }, ISSUE_STATES.find(([state]) => state === issue.status)?.[1]),
      h("span", { class: "where muted" }, shown(issue.project), " / ", h("span", { class: "source" }, shown(issue.source)))),
    h("span", { class: "day" }, spark(issue.trend, issue.level)),
    h("a", { class: "count", href: issueLogs(issue), "aria-label": `${counted(issue.count, "event")} of this issue`, title: "Their logs" }, count(issue.count), h("span", { class: "unit" }, issue.count === 1 ? " event" : " events")),
    time("first", issue.first_seen),
    time("last", issue.last_seen));
  return { issue, element, box, link };
}

/** What made no issue because there were too many. @param {Page} page @param {Filters} filters */
function beyondLine({ other }, { project }) {
  if (!other?.events_24h) return null;
  return h("p", { class: "notice" },
    `${counted(other.events_24h, "event")} of the last 24 hours made no issue: a project keeps ${count(other.max_issues)} issues and makes ${count(other.max_new_issues_a_minute)} a minute. They are in `,
    h("a", { href: logsAddress({ q: "", project, levels: ISSUE_OF, range: "24h", from: "", to: "" }) }, "the logs"), ".");
}

/** @param {Filters} filters @param {boolean} any whether there is any issue, whatever its state and title */
function emptyPanel(filters, any) {
  const link = (/** @type {string} */ href, /** @type {string} */ text) => h("a", { class: "button primary", href }, text);
  if (!any) {
    return panel({
      title: "No issue yet",
      text: "Errors that are alike become one issue. None has come within the retention.",
      actions: [link("/ui/logs", "Go to the logs")],
    });
  }
  const narrow = filters.q !== "" || filters.level !== "";
  const state = ISSUE_STATES.find(([value]) => value === filters.status)?.[1].toLowerCase() ?? "";
  return panel({
    title: narrow ? "No issue matches" : `No ${filters.status === "all" ? "" : `${state} `}issues`,
    text: narrow ? "None of the issues in this state has the text in its title and the level." : "There are issues in another state.",
    actions: [link(issuesAddress({ ...filters, q: "", level: "", status: narrow ? filters.status : "all" }), narrow ? "Clear the search" : "Show all issues")],
  });
}
