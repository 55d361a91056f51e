// Alerts: the rules, the channels they go to, and what became of each message.

import { listProjects, read } from "../api.js";
import { addressWith } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { kindTitle } from "../lib/rules.js";
import { ago, asOf, expiresIn, fullTime, offsetsLabel } from "../lib/time.js";
import { choice, pager, projectChoice, retold, section, table } from "../parts/board.js";
import { channelName, channels } from "../parts/channels.js";
import { rules } from "../parts/rules.js";
import { button, noticeLine } from "../parts/state.js";
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
  let asked = readAsked(url);
  let cursor = "";
  /** @type {import("../parts/channels.js").Names} */
  const names = {
    projects: [], channels: null, ready: Promise.resolve(), ...retold(),
    chosen: () => (asked.project === "" ? null : names.projects.find(({ slug }) => slug === asked.project)?.id),
  };
  const state = choice("State of the messages", STATES, asked.state, (chosen) => ask({ state: chosen }));
  const project = projectChoice(life.signal, () => asked.project, (chosen) => ask({ project: chosen }), (list) => {
    names.projects = list;
    names.retell();
  });
  const notice = h("div", { role: "status" });

  /**
   * What the API has of the project chosen, which it takes by its number here; nothing of one that is not there.
   * @param {string} path
   * @param {Record<string, string>} [query]
   * @returns {Promise<any>}
   */
  async function readChosen(path, query) {
    if (asked.project !== "" && names.projects.length === 0) names.projects = await listProjects(life.signal);
    const id = names.chosen();
    return id === undefined ? null : read(addressWith(path, { ...query, project_id: String(id ?? "") }), life.signal);
  }

  const messages = section(life.signal, {
    id: "history", title: "History", tools: h("div", { class: "actions" }, state),
    load: async () => /** @type {History} */ ((await readChosen("/admin/alerts/history", { limit: String(ROWS), state: asked.state, cursor })) ?? { history: [], next_cursor: null }),
    view: (page) => historyView(page),
  });
  const ruleList = rules(life.signal, names, async () => (await readChosen("/admin/alerts/rules"))?.rules ?? []);
  const channelList = channels(life.signal, names, (list) => fill(notice, unheard(list)));

  /** @param {{ state?: string, project?: string }} next */
  function ask(next) {
    go(addressWith("/ui/alerts", { ...asked, ...next }));
  }

  /** @param {History} page */
  function historyView({ history, next_cursor: next }) {
    const move = (/** @type {string} */ to) => {
      cursor = to;
      void messages.refresh();
    };
    const none = asked.state === "" && asked.project === "" && cursor === "" ? "Nothing was worth an alert in the last 30 days." : "No message is like that.";
    return [
      history.length === 0 ? h("p", { class: "muted" }, none) : historyTable(history, names),
      h("p", { class: "hint" }, `${asOf(Date.now())}.`),
      pager(cursor, next, move),
    ];
  }

  function start() {
    // Where they can't be had, ids stand in for names.
    names.ready = Promise.all([project.listed, channelList.refresh()]);
    void ruleList.refresh();
    void messages.refresh();
  }

  start();
  return {
    element: h("div", { class: "page" },
      h("div", { class: "page-head" }, h("h1", null, "Alerts"), h("div", { class: "actions" }, project, button("Refresh", start))),
      notice,
      [ruleList, channelList, messages].map((part) => part.element)),
    title: "Alerts",
    update: (next) => {
      const before = asked.project;
      asked = readAsked(next);
      cursor = "";
      state.value = asked.state;
      project.value = asked.project;
      if (asked.project !== before) void ruleList.refresh();
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
  document.getElementById("channels-title")?.focus();
}

/** @param {Message[]} list @param {import("../parts/channels.js").Names} names */
function historyTable(list, names) {
  const now = Date.now();
  const [newest, oldest] = [list[0], list.at(-1)].map((one) => Date.parse(one?.created_at ?? ""));
  const heads = /** @type {[string, string][]} */ ([["What", "text"], [`Time, ${offsetsLabel(newest ?? NaN, oldest ?? NaN)}`, "broad"], ["State", ""], ["Attempts", "count"], ["Project", ""], ["Channel", "brief"]]);
  const rows = list.map((one) => {
    const at = Date.parse(one.created_at);
    const next = one.next_attempt_at ? `Next try ${expiresIn(Date.parse(one.next_attempt_at), now)}.` : "";
    const detail = /^delivered\b/.test(one.detail) ? "" : one.detail;
    const ofProject = () => {
      const slug = names.projects.find(({ id }) => id === one.project_id)?.slug;
      return slug ? h("a", { href: behind(one.kind, slug) }, shown(slug)) : one.project_id ?? "all";
    };
    return [
      [h("span", { class: "value" }, `${kindTitle(one.kind)}: ${shown(one.title)}`),
        // That it was delivered is said beside it.
        detail || next ? h("p", { class: "muted value" }, shown(`${detail} ${next}`.trim())) : null],
      [h("time", { datetime: one.created_at }, fullTime(at).slice(0, 16)), h("span", { class: "muted" }, ` (${ago(at, now)})`)],
      h("span", { class: "sent", "data-state": one.state }, STATES.find(([name]) => name === one.state)?.[1] ?? one.state),
      String(one.attempts),
      names.tell(h("span"), ofProject),
      names.tell(h("span"), () => (one.channel === null ? "none" : channelName(names, one.channel))),
    ];
  });
  return table("Messages, newest first", heads, rows, true);
}

/** Kinds that are about an issue. */
const OF_ISSUES = ["new_issue", "regression", "spike"];

/** What a message of a project is about: a message names no issue, so it is the project's. @param {string} kind @param {string} slug */
function behind(kind, slug) {
  return addressWith(`/ui/${OF_ISSUES.includes(kind) ? "issues" : "logs"}`, { project: slug });
}
