// Alerts: the rules, the channels they go to, and what became of each message.

import { listProjects, read } from "../api.js";
import { fill, h, shown } from "../lib/h.js";
import { kindTitle } from "../lib/rules.js";
import { ago, expiresIn, fullTime, offsetsLabel } from "../lib/time.js";
import { choice, pager, section, table } from "../parts/board.js";
import { channels } from "../parts/channels.js";
import { rules } from "../parts/rules.js";
import { button, noticeLine, patiently } from "../parts/state.js";
import { go } from "../router.js";

/** @typedef {import("../parts/channels.js").Channel} Channel */
/**
 * @typedef {object} Message
 * @property {string} id
 * @property {number | null} project_id
 * @property {string} rule
 * @property {string} kind
 * @property {string} title
 * @property {string | null} channel
 * @property {string} state
 * @property {number} attempts
 * @property {string} detail
 * @property {string} created_at
 * @property {string | null} next_attempt_at
 */
/** @typedef {{ history: Message[], next_cursor: string | null }} History */

const STATES = /** @type {const} */ ([["", "Every state"], ["waiting", "Waiting"], ["delivered", "Delivered"], ["dead", "Given up"], ["unsent", "No channel"]]);
const ROWS = 50;

/** @type {import("../router.js").Open} */
export function open(url) {
  const life = new AbortController();
  /** @type {import("../api.js").Project[]} */
  let projects = [];
  /** @type {Channel[] | null} */
  let known = null;
  let asked = readAsked(url);
  let cursor = "";
  const filters = h("div", { class: "actions" });
  const notice = h("div", { role: "status" });

  const messages = section(life.signal, {
    id: "history", title: "History", tools: filters,
    load: async () => {
      // The API takes a project's number here.
      if (asked.project !== "" && projects.length === 0) projects = await listProjects(life.signal);
      const query = new URLSearchParams({ limit: String(ROWS) });
      const project = projects.find(({ slug }) => slug === asked.project)?.id;
      if (asked.project !== "" && project === undefined) return { history: [], next_cursor: null };
      for (const [name, value] of [["state", asked.state], ["project_id", String(project ?? "")], ["cursor", cursor]]) if (name && value) query.set(name, value);
      return /** @type {History} */ (await read(`/admin/alerts/history?${query}`, life.signal));
    },
    view: (page) => historyView(page),
  });
  const ruleList = rules(life.signal, () => projects, () => known);
  const channelList = channels(life.signal, () => projects, (list) => {
    known = list;
    fill(notice, unheard(list));
    // Their names are in both.
    ruleList.redraw();
    messages.redraw();
  });
  const parts = [ruleList, channelList, messages];

  /** @param {{ state?: string, project?: string }} next */
  function ask(next) {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...asked, ...next })) if (value) params.set(name, value);
    go(`/ui/alerts${params.size === 0 ? "" : `?${params}`}`);
  }

  function showFilters() {
    const { state, project } = asked;
    const named = projects.map(({ slug }) => /** @type {[string, string]} */ ([slug, slug]));
    // What the address names stays chosen, known or not.
    if (project !== "" && !projects.some(({ slug }) => slug === project)) named.push([project, shown(project)]);
    fill(filters, choice("State of the messages", STATES, state, (chosen) => ask({ state: chosen })),
      choice("Project of the messages", [["", "All projects"], ...named], project, (chosen) => ask({ project: chosen })));
  }

  /** @param {History} page */
  function historyView({ history, next_cursor: next }) {
    const move = (/** @type {string} */ to) => {
      cursor = to;
      void messages.refresh();
    };
    const none = asked.state === "" && asked.project === "" && cursor === "" ? "Nothing was worth an alert in the last 30 days." : "No message is like that.";
    return [
      history.length === 0 ? h("p", { class: "muted" }, none) : historyTable(history, projects, known ?? []),
      h("p", { class: "hint" }, `As of ${fullTime(Date.now()).slice(11, 19)}.`),
      pager(cursor, next, move),
    ];
  }

  function start() {
    // Where they can't be had, ids stand in for names.
    void patiently(() => listProjects(life.signal), life.signal, () => {}).then((list) => {
      projects = list;
      showFilters();
      parts.forEach((part) => part.redraw());
    }, () => {});
    parts.forEach((part) => void part.refresh());
  }

  showFilters();
  start();
  return {
    element: h("div", { class: "page" },
      h("div", { class: "page-head" }, h("h1", null, "Alerts"), button("Refresh", start)),
      notice,
      parts.map((part) => part.element)),
    title: "Alerts",
    update: (next) => {
      asked = readAsked(next);
      cursor = "";
      showFilters();
      void messages.refresh();
    },
    close: () => life.abort(),
  };
}

/** @param {URL} url */
function readAsked({ searchParams: params }) {
  const state = params.get("state") ?? "";
  return { state: STATES.some(([name]) => name === state) ? state : "", project: params.get("project") ?? "" };
}

/** Whether alerts reach nobody. @param {Channel[]} channels */
function unheard(channels) {
  if (channels.some(({ enabled, problem }) => enabled && !problem)) return null;
  return noticeLine(h("b", null, channels.length === 0 ? "No channel yet: alerts reach nobody. " : "No channel works: alerts reach nobody. "),
    "They are kept in the history. ", h("a", { href: "#channels-title", onclick: toChannels }, channels.length === 0 ? "Make a channel" : "Go to the channels"), ".");
}

/** @param {Event} event */
function toChannels(event) {
  event.preventDefault();
  const title = document.getElementById("channels-title");
  title?.scrollIntoView();
  title?.focus({ preventScroll: true });
}

/**
 * @param {Message[]} list
 * @param {import("../api.js").Project[]} projects
 * @param {Channel[]} known
 */
function historyTable(list, projects, known) {
  const now = Date.now();
  const [newest, oldest] = [list[0], list.at(-1)].map((one) => Date.parse(one?.created_at ?? ""));
  const heads = /** @type {[string, string][]} */ ([["What", "text"], [`Time, ${offsetsLabel(newest ?? NaN, oldest ?? NaN)}`, "broad"], ["State", ""], ["Attempts", "count"], ["Project", ""], ["Channel", "brief"]]);
  const rows = list.map((one) => {
    const at = Date.parse(one.created_at);
    const next = one.next_attempt_at ? `Next try ${expiresIn(Date.parse(one.next_attempt_at), now)}.` : "";
    const detail = /^delivered\b/.test(one.detail) ? "" : one.detail;
    const channel = known.find(({ id }) => String(id) === one.channel)?.name ?? (one.channel === null ? "none" : `channel ${one.channel}`);
    const slug = projects.find(({ id }) => id === one.project_id)?.slug;
    return [
      [h("span", { class: "value" }, `${kindTitle(one.kind)}: ${shown(one.title)}`),
        // That it was delivered is said beside it.
        detail || next ? h("p", { class: "muted value" }, shown(`${detail} ${next}`.trim())) : null],
      [h("time", { datetime: one.created_at }, fullTime(at).slice(0, 16)), h("span", { class: "muted" }, ` (${ago(at, now)})`)],
      h("span", { class: "sent", "data-state": one.state }, STATES.find(([name]) => name === one.state)?.[1] ?? one.state),
      String(one.attempts),
      slug ? h("a", { href: behind(one.kind, slug) }, shown(slug)) : one.project_id ? String(one.project_id) : "all",
      shown(channel),
    ];
  });
  return table("Messages, newest first", heads, rows, true);

}

/** Kinds that are about an issue. */
const OF_ISSUES = ["new_issue", "regression", "spike"];

/** What a message of a project is about: a message names no issue, so it is the project's. @param {string} kind @param {string} slug */
function behind(kind, slug) {
  return `/ui/${OF_ISSUES.includes(kind) ? "issues" : "logs"}?${new URLSearchParams({ project: slug })}`;
}
