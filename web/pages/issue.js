// One issue: its state and what can be decided, its events one by one, who is affected, and why it is grouped so.

import { change, Problem, read, searchLogs } from "../api.js";
import { count, counted } from "../lib/amount.js";
import { eventAddress, withTerm } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { offsetsLabel } from "../lib/time.js";
import { facts, loads, part, whenExactly } from "../parts/board.js";
import { actionsWith } from "../parts/control.js";
import { copyButton } from "../parts/copy.js";
import { eventView } from "../parts/event.js";
import { badges, decisionBar, ISSUE_OF, issueLogs, spark, stateText } from "../parts/issue.js";
import { levelMark } from "../parts/row.js";
import { facetView } from "../parts/side.js";
import { button, errorPanel, panel, problemText } from "../parts/state.js";
import { go } from "../router.js";

/** @typedef {import("../parts/issue.js").Issue} Issue */
/** @typedef {{ function: string, file: string, used?: boolean, reason?: string | null }} Frame */
/** @typedef {{ version: number, kind: string | null, template?: string | null, type?: string | null, frames?: Frame[], hashed?: string[], matches?: boolean }} Why `matches` where the rules of now say the same */
/** @typedef {{ value: string, count: number, share: number }[]} Values */
/** @typedef {Partial<Record<"source" | "env" | "release" | "user_id", Values>> & { distinct?: Record<string, number>, total?: number, complete?: boolean }} Breakdown */
/**
 * @typedef {object} Detail
 * @property {Issue} issue
 * @property {import("../api.js").LogEvent | null} sample
 * @property {Breakdown} [breakdown]
 * @property {Why} [why]
 */

const BROKEN_DOWN = /** @type {const} */ (["source", "env", "release", "user_id"]);

/** @type {import("../router.js").Open} */
export function open(_url, [id = ""]) {
  const life = new AbortController();
  const address = `/issues/${encodeURIComponent(id)}`;
  const heading = h("h1", null, "Issue");
  const place = h("div", { class: "section-body" });
  const state = h("p", { class: "event-time" });
  /** @type {Issue | null} */
  let issue = null;
  /** @type {ReturnType<typeof eventWalk> | null} */
  let walk = null;
  const load = () => /** @type {Promise<Detail>} */ (read(address, life.signal));
  const bar = decisionBar(() => (issue ? [issue] : []), () => void load().then(({ issue: changed }) => showState(changed), () => {}));

  /** @param {Issue} shownIssue */
  function showState(shownIssue) {
    issue = shownIssue;
    bar.offer([issue]);
    fill(state, levelMark(issue.level), h("b", null, stateText(issue, Date.now())), badges(issue),
      h("span", { class: "muted value" }, `${shown(issue.project)} / ${brief(issue.source)}`));
  }

  const refresh = loads(life.signal, place, {
    load,
    view(detail) {
      const title = shown(detail.issue.title) || "(no message)";
      fill(heading, title);
      document.title = `${title} · Tekno Logger`;
      showState(detail.issue);
      walk = eventWalk(detail.issue, detail.sample, life.signal);
      const onTerm = (/** @type {string} */ term, /** @type {boolean} */ exclude) => go(issueLogs(detail.issue, withTerm("", term, exclude)));
      return [
        state,
        actions(detail.issue),
        bar.said,
        h("div", { class: "issue-head" }, dayView(detail.issue), issueFacts(detail.issue)),
        breakdownView(detail.breakdown, onTerm),
        part("Events", walk.element),
        whyView(detail.why),
      ].flat();
    },
    fail: (error, again) => (error instanceof Problem && error.status === 404 ? goneView() : errorPanel(error, again)),
  });

  /** @param {Issue} one */
  function actions(one) {
    const remove = () => change("DELETE", address).then(() => go("/ui/issues"), (error) => fill(bar.said, problemText(error)));
    const last = actionsWith([], { label: "Delete…", ask: "Its events are kept. Another one like them will be a new issue.", sure: "Delete the issue", act: remove });
    return h("div", { class: "actions" }, bar.buttons, h("a", { class: "button", href: issueLogs(one) }, "All events"),
      copyButton("Copy link", () => location.origin + location.pathname), last);
  }

  void refresh();
  return {
    element: h("div", { class: "page issue-page" }, heading, place),
    title: "Issue",
    key: (event) => issue !== null && (walk?.press(event) || bar.press(event)),
    close: () => life.abort(),
  };
}

/** A name of a source or release; its events have all of it. @param {string} text */
function brief(text) {
  return shown(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** @param {Issue} issue */
function dayView(issue) {
  const chart = spark(issue.trend, issue.level);
  return chart && h("div", { class: "day" }, chart, h("p", { class: "trend-ends", "aria-hidden": "true" }, h("span", null, "24 h ago"), h("span", null, `peak ${count(Math.max(...issue.trend ?? []))} an hour`), h("span", null, "now")));
}

/** @param {Issue} issue */
function issueFacts(issue) {
  const now = Date.now();
  const seen = (/** @type {string} */ at, /** @type {string | null} */ release) => h("span", null, whenExactly(at, now), release ? `, in release ${brief(release)}` : "");
  return facts([
    ["Events", h("a", { href: issueLogs(issue), "aria-label": `${counted(issue.count, "event")} of this issue` }, count(issue.count))],
    [`First seen, ${offsetsLabel(Date.parse(issue.last_seen), Date.parse(issue.first_seen))}`, seen(issue.first_seen, issue.first_release)],
    ["Last seen", seen(issue.last_seen, issue.last_release)],
    ["Fingerprint", h("code", null, shown(issue.fingerprint))],
  ]);
}

/**
 * Who and what is affected; nothing where the service doesn't say.
 * @param {Detail["breakdown"]} breakdown
 * @param {import("../parts/event.js").OnTerm} onTerm
 */
function breakdownView(breakdown, onTerm) {
  if (!breakdown) return null;
  const { total = 0, complete = true, distinct = {} } = breakdown;
  const found = BROKEN_DOWN.flatMap((field) => {
    const values = breakdown[field];
    if (!values?.length) return [];
    const number = Math.max(values.length, distinct[field] ?? 0);
    const rest = Math.max(0, total - values.reduce((sum, value) => sum + value.count, 0));
    const beyond = number - values.length;
    const view = facetView({ field, values, distinct: number, other: 0, missing: beyond === 0 ? rest : 0 }, onTerm);
    // Those with a value that is not listed and those without one are counted together.
    if (beyond > 0) view.append(h("p", { class: "muted" }, `${count(rest)} with ${counted(beyond, "other value")}, or without`));
    return [view];
  });
  if (found.length === 0) return null;
  const base = complete ? `Counted over ${total === 1 ? "the one event that is" : `the ${counted(total, "event")} that are`} kept.` : `Counted over the newest ${counted(total, "event")}, not all of them.`;
  return part("Affected", h("p", { class: "hint" }, base), h("div", { class: "facets" }, found));
}

const KINDS = { template: "the message without what varies", stack: "the frames of the stack trace", client: "the fingerprint the client sent" };

/** Nothing where the service doesn't know. @param {Why | undefined} why */
function whyView(why) {
  const by = KINDS[/** @type {keyof typeof KINDS} */ (why?.kind)];
  if (!why || !by) return null;
  const { template, type, frames = [], hashed = [] } = why;
  const code = (/** @type {string} */ text) => h("code", null, shown(text));
  /** @type {[string, import("../lib/h.js").Children][]} */
  const lines = [["Grouped by", by]];
  if (template) lines.push(["Template", code(template)]);
  if (type) lines.push(["Exception", code(type)]);
  if (frames.length > 0) {
    lines.push(["Frames", h("ul", null, frames.map(({ function: name, file, used, reason }) =>
      h("li", { class: used ? null : "muted" }, name && code(name), file && [name && " in ", code(file)], used || !reason ? null : `: ${shown(reason)}`)))]);
  }
  if (hashed.length > 0) lines.push(["Hashed", h("ul", null, hashed.map((part) => h("li", null, code(part))))]);
  return part("Why these are one issue", facts(lines), h("p", { class: "hint" }, `Version ${why.version} of the rules.`, why.matches === false && " It was grouped by others."));
}

function goneView() {
  return panel({
    title: "This issue is not here",
    text: "It was deleted, or has expired with its events. Another event like them will be a new issue.",
    actions: [h("a", { class: "button primary", href: "/ui/issues" }, "Go to the issues")],
  });
}

/** Events fetched at a time. */
const STEP = "10";

/**
 * @param {Issue} issue
 * @param {import("../api.js").LogEvent | null} sample stands in where the search finds none
 * @param {AbortSignal} life
 */
function eventWalk(issue, sample, life) {
  /** @type {import("../api.js").LogEvent[]} */
  let events = [];
  /** @type {string | null} */
  let cursor = null;
  let at = 0;
  const place = h("div");
  const newer = button("Newer", () => void step(-1));
  const older = button("Older", () => void step(1));
  const said = h("span", { class: "muted", role: "status" });

  /** The page on its way; steps taken meanwhile wait for the same. @type {Promise<void> | null} */
  let coming = null;
  const more = () => coming ??= fetchMore().finally(() => {
    coming = null;
  });

  async function fetchMore() {
    const query = { project_id: String(issue.project_id), fingerprint: issue.fingerprint, level: ISSUE_OF.join(), from: "-90d", order: "desc", limit: STEP };
    const page = await searchLogs(cursor === null ? query : { ...query, cursor }, life);
    events.push(...page.logs);
    cursor = page.next_cursor;
  }

  const refresh = loads(life, place, {
    async load() {
      [events, cursor, at] = [[], null, 0];
      await more();
      if (events.length === 0 && sample) events = [sample];
    },
    view: current,
  });

  function current() {
    const event = events[at];
    newer.disabled = at === 0;
    older.disabled = cursor === null && at >= events.length - 1;
    if (!event) return h("p", { class: "muted" }, "Its events are no longer kept.");
    fill(said, at === 0 ? (older.disabled ? "The only one." : "The newest.") : `Number ${at + 1} from the newest.`);
    const heading = h("div", { class: "actions" }, newer, older, said);
    const links = [
      h("a", { class: "button", href: eventAddress(event.id, "source") }, "Context"),
      h("a", { class: "button", href: eventAddress(event.id) }, "Permalink"),
    ];
    return eventView(event, { heading, links, ofIssue: true, onTerm: (term, exclude) => go(issueLogs(issue, withTerm("", term, exclude))) });
  }

  /** @param {1 | -1} by */
  async function step(by) {
    const focused = [newer, older].find((one) => one === document.activeElement);
    try {
      if (at + by >= events.length && cursor !== null) await more();
    } catch (error) {
      if (!life.aborted) fill(said, problemText(error));
      return;
    }
    if (!events[at + by]) return;
    at += by;
    fill(place, current());
    // What was pressed may be at its end now.
    if (focused) (focused.disabled ? (focused === newer ? older : newer) : focused).focus();
  }

  void refresh();
  return {
    element: place,
    /** @param {KeyboardEvent} event */
    press({ key }) {
      const event = events[at];
      if (key === "c" && event) {
        go(eventAddress(event.id, "source"));
        return true;
      }
      if (key !== "j" && key !== "k") return false;
      void step(key === "j" ? 1 : -1);
      return true;
    },
  };
}
