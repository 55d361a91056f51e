// Issues: the filters of their list in both spellings, their states, how they look at a glance, and deciding about them.

import { change } from "../api.js";
import { count, counted } from "../lib/amount.js";
import { addressWith, fieldTerm, logsAddress } from "../lib/filters.js";
import { fill, h, shown, svg } from "../lib/h.js";
import { ago, expiresIn, MINUTE } from "../lib/time.js";
import { button, problemText } from "./state.js";

/**
 * @typedef {object} Issue
 * @property {string} id
 * @property {number} project_id
 * @property {string} project slug
 * @property {string} fingerprint
 * @property {string} title
 * @property {string} level
 * @property {string} source
 * @property {"open" | "resolved" | "muted"} status
 * @property {boolean} new
 * @property {boolean} regressed
 * @property {string | null} [regressed_release]
 * @property {string} first_seen
 * @property {string} last_seen
 * @property {number} count
 * @property {string | null} first_release
 * @property {string | null} last_release
 * @property {string | null} resolved_at
 * @property {string | null} muted_until
 * @property {number | null} muted_until_per_hour
 * @property {number[] | null} [trend] events in each of the last 24 hours, this one last
 */
/** @typedef {{ status: string, sort: string, level: string, project: string, q: string }} IssueFilters */
/** @typedef {{ action: "resolve" | "reopen" } | { action: "mute", until: string } | { action: "mute", until_per_hour: number }} Decision */

/** The first of each is the default, which the address leaves out. */
export const ISSUE_STATES = /** @type {const} */ ([["open", "Open"], ["resolved", "Resolved"], ["muted", "Muted"], ["all", "All"]]);
export const SORTS = /** @type {const} */ ([["last_seen", "Sort: last seen"], ["count", "Sort: events"], ["first_seen", "Sort: first seen"]]);
export const ISSUE_LEVELS = /** @type {const} */ ([["", "All levels"], ["fatal", "Fatal"], ["error", "Error"]]);

/** The levels an issue is made of; what is quieter may have its fingerprint and is none of its events. */
export const ISSUE_OF = ["error", "fatal"];

/**
 * @param {URLSearchParams} params
 * @returns {IssueFilters}
 */
export function readIssueFilters(params) {
  const text = (/** @type {string} */ name) => params.get(name)?.trim() ?? "";
  const one = (/** @type {string} */ name, /** @type {readonly (readonly [string, string])[]} */ known) =>
    (known.find(([value]) => value === text(name)) ?? known[0])?.[0] ?? "";
  return { status: one("status", ISSUE_STATES), sort: one("sort", SORTS), level: one("level", ISSUE_LEVELS), project: text("project"), q: text("q") };
}

/** @param {IssueFilters} filters */
export function issuesAddress({ status, sort, level, project, q }) {
  const set = (/** @type {string} */ value, /** @type {readonly (readonly [string, string])[]} */ known) => (value === known[0]?.[0] ? "" : value);
  return addressWith("/ui/issues", { status: set(status, ISSUE_STATES), sort: set(sort, SORTS), level, project, q });
}

/**
 * The API's address of a page of the list.
 * @param {IssueFilters} filters
 * @param {string} [cursor]
 */
export function issuesQuery({ status, sort, level, project, q }, cursor = "") {
  return addressWith("/issues", { status, sort, level, project_id: project, q, cursor });
}

/**
 * The logs of an issue, perhaps only those with a term.
 * @param {Issue} issue
 * @param {string} [term]
 */
export function issueLogs({ project, fingerprint, first_seen: first }, term = "") {
  const q = `${fieldTerm("fingerprint", fingerprint)} ${term}`.trim();
  // All that is kept, however long the project keeps events.
  const from = new Date(Math.floor(Date.parse(first) / MINUTE) * MINUTE).toISOString();
  return logsAddress({ q, project, levels: ISSUE_OF, range: "", from, to: "" });
}

/** @param {Issue} issue @param {number} now */
export function stateText({ status, regressed, resolved_at: resolved, regressed_release: release, muted_until: until, muted_until_per_hour: most }, now) {
  if (status === "resolved") return `Resolved${resolved ? ` ${ago(Date.parse(resolved), now)}` : ""}`;
  if (status === "open") return `Open${regressed && resolved ? `, seen again${release ? ` in release ${shown(release.slice(0, 80))}` : ""} after it was resolved ${ago(Date.parse(resolved), now)}` : ""}`;
  return until ? `Muted; that ends ${expiresIn(Date.parse(until), now)}` : `Muted until more than ${most ?? 0} come in an hour`;
}

/**
 * What brings issues back to the states they are in now, each step with the ids it is for.
 * @param {readonly Issue[]} issues
 * @returns {{ ids: string[], decision: Decision }[]}
 */
export function wayBack(issues) {
  /** @type {Map<string, { ids: string[], decision: Decision }>} */
  const steps = new Map();
  for (const issue of issues) {
    const decision = decisionOf(issue);
    const name = JSON.stringify(decision);
    const step = steps.get(name) ?? { ids: [], decision };
    step.ids.push(issue.id);
    steps.set(name, step);
  }
  return [...steps.values()];
}

/** @param {Issue} issue @returns {Decision} */
function decisionOf({ status, muted_until: until, muted_until_per_hour: most }) {
  if (status === "resolved") return { action: "resolve" };
  if (status === "open") return { action: "reopen" };
  return until ? { action: "mute", until } : { action: "mute", until_per_hour: most ?? 1 };
}

/** A day as 24 small bars. @param {number[] | null | undefined} trend events an hour, this hour last @param {string} level */
export function spark(trend, level) {
  if (!trend?.length) return null;
  const most = Math.max(...trend);
  const sum = trend.reduce((all, one) => all + one, 0);
  // An hour with any event is seen, however high the others are.
  const bars = trend.map((n, at) => (n === 0 ? "" : `M${at * 4} 20v${-Math.max(2, Math.round((20 * n) / most))}h3V20z`));
  const text = `${counted(sum, "event")} in 24 hours, peak ${count(most)} an hour`;
  return svg("svg", { class: "spark", "data-level": level, viewBox: `0 0 ${trend.length * 4} 20`, preserveAspectRatio: "none", role: "img", "aria-label": text },
    svg("title", {}, text), svg("path", { d: bars.join("") }));
}

/** What stands out about an issue. @param {Issue} issue */
export function badges(issue) {
  return [issue.regressed ? h("span", { class: "badge", "data-level": "error" }, "Regressed") : null, issue.new ? h("span", { class: "badge" }, "New") : null];
}

/** What one request may change; the service says the same. */
const MOST = 500;
const TIMES = /** @type {const} */ ([["now+1h", "For 1 hour"], ["now+24h", "For 24 hours"], ["now+7d", "For 7 days"], ["now+90d", "For 90 days"]]);
const DONE = { resolve: "resolved", reopen: "reopened", mute: "muted" };

/**
 * @param {() => Issue[]} chosen
 * @param {(decided: Issue[], decision: Decision | null) => void} onDecided null after it was taken back
 */
export function decisionBar(chosen, onDecided) {
  const said = h("p", { role: "status", class: "actions decided" });
  let busy = false;
  /** What the open menu is for: what the focus was on leaves with it. @type {Issue[]} */
  let meant = [];

  /** @param {() => Promise<void>} work */
  async function once(work) {
    if (busy) return;
    busy = true;
    try {
      await work();
    } catch (error) {
      fill(said, problemText(error));
    } finally {
      busy = false;
    }
  }

  /** @param {Decision["action"]} action @param {Issue[]} issues */
  const refused = (action, issues) => {
    const why = obstacle(action, issues);
    if (why !== "") fill(said, why);
    return why !== "";
  };
  const decide = (/** @type {Decision} */ decision, issues = chosen()) => once(async () => {
    if (refused(decision.action, issues)) return;
    const back = wayBack(issues);
    const changed = await sendDecision(issues.map(({ id }) => id), decision);
    fill(said, `${counted(changed, "issue")} ${DONE[decision.action]}.`, button("Undo", () => void once(async () => {
      for (const step of back) await sendDecision(step.ids, step.decision);
      fill(said, "Taken back.");
      onDecided(issues, null);
    })));
    onDecided(issues, decision);
  });

  const mute = (/** @type {Decision} */ decision) => {
    menu.open = false;
    summary.focus();
    void decide(decision, meant);
  };
  const most = h("input", { type: "number", min: "1", max: "1000000", step: "1", required: true, defaultValue: "100", inputmode: "numeric", "aria-label": "Events an hour" });
  const summary = h("summary", { class: "button", onclick: (/** @type {Event} */ event) => {
    if (summary.ariaDisabled !== "true") return;
    event.preventDefault();
    refused("mute", chosen());
  } }, "Mute");
  /** The menu may be in front of what it is for. */
  const what = h("span", { class: "muted" });
  const menu = h("details", { class: "menu", ontoggle: () => {
    if (!menu.open) meant = [];
    else if (meant.length === 0) meant = chosen();
    fill(what, muteText(meant));
  } },
    summary,
    h("ul", null,
      h("li", { class: "menu-what" }, what),
      TIMES.map(([until, label]) => h("li", null, button(label, () => mute({ action: "mute", until })))),
      h("li", null, h("form", { class: "actions", onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        mute({ action: "mute", until_per_hour: Number(most.value) });
      } }, "Until more than", most, "an hour", h("button", { type: "submit" }, "Mute")))));

  const resolve = button("Resolve", () => void decide({ action: "resolve" }));
  const reopen = button("Reopen", () => void decide({ action: "reopen" }));
  const offered = /** @type {const} */ ([["resolve", resolve], ["reopen", reopen], ["mute", summary]]);
  return {
    buttons: [resolve, reopen, menu],
    said,
    /** Which decisions these issues leave; pressing another says why not. @param {Issue[]} issues */
    enable(issues) {
      for (const [action, one] of offered) one.ariaDisabled = obstacle(action, issues) === "" ? null : "true";
    },
    /** Only what there is to decide. @param {Issue[]} issues */
    offer(issues) {
      for (const [action, one] of offered) one.hidden = obstacle(action, issues) !== "";
    },
    /** @param {KeyboardEvent} event */
    press({ key }) {
      if (key === "d") void decide({ action: "resolve" });
      else if (key === "o") void decide({ action: "reopen" });
      else if (key === "m") {
        meant = chosen();
        menu.open = !refused("mute", meant);
        if (menu.open) menu.querySelector("button")?.focus();
      } else return false;
      return true;
    },
  };
}

/**
 * Why a decision would change nothing; empty when it would.
 * @param {Decision["action"]} action
 * @param {readonly Pick<Issue, "status">[]} issues
 */
export function obstacle(action, issues) {
  if (issues.length === 0) return "No issue is selected.";
  const state = { resolve: "resolved", reopen: "open", mute: "" }[action];
  if (issues.some(({ status }) => status !== state)) return "";
  return `${issues.length === 1 ? "It is" : "They are"} ${state} already.`;
}

/** What a menu would mute, by name where it is one. @param {readonly Pick<Issue, "title">[]} issues */
export function muteText(issues) {
  return `Mute ${issues.length === 1 ? `“${shown(issues[0]?.title ?? "") || "(no message)"}”` : counted(issues.length, "issue")}`;
}

/**
 * @param {string[]} ids
 * @param {Decision} decision
 * @returns {Promise<number>} how many were there to be changed
 */
async function sendDecision(ids, decision) {
  let changed = 0;
  for (let at = 0; at < ids.length; at += MOST) {
    const done = /** @type {{ changed: number }} */ (await change("PUT", "/issues", { ids: ids.slice(at, at + MOST), ...decision }));
    changed += done.changed;
  }
  return changed;
}
