// The filters of the issue list in their two spellings, what state an issue is in, and how a decision is taken back.

import { fieldTerm, logsAddress } from "./filters.js";
import { ago, expiresIn } from "./time.js";

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
/** @typedef {{ status: string, sort: string, project: string, q: string }} IssueFilters */
/** @typedef {{ action: "resolve" | "reopen" } | { action: "mute", until: string } | { action: "mute", until_per_hour: number }} Decision */

/** The first of each is the default, which the address leaves out. */
export const STATES = /** @type {const} */ ([["open", "Open"], ["resolved", "Resolved"], ["muted", "Muted"], ["all", "All"]]);
export const SORTS = /** @type {const} */ ([["last_seen", "Last seen"], ["count", "Most events"], ["first_seen", "First seen"]]);

/**
 * @param {URLSearchParams} params
 * @returns {IssueFilters}
 */
export function readIssueFilters(params) {
  const text = (/** @type {string} */ name) => params.get(name)?.trim() ?? "";
  const one = (/** @type {string} */ name, /** @type {readonly (readonly [string, string])[]} */ known) =>
    (known.find(([value]) => value === text(name)) ?? known[0])?.[0] ?? "";
  return { status: one("status", STATES), sort: one("sort", SORTS), project: text("project"), q: text("q") };
}

/** @param {IssueFilters} filters */
export function issuesAddress({ status, sort, project, q }) {
  const params = new URLSearchParams();
  if (status !== STATES[0][0]) params.set("status", status);
  if (sort !== SORTS[0][0]) params.set("sort", sort);
  if (project !== "") params.set("project", project);
  if (q !== "") params.set("q", q);
  return `/ui/issues${params.size === 0 ? "" : `?${params}`}`;
}

/**
 * The API's address of a page of the list.
 * @param {IssueFilters} filters
 * @param {string} [cursor]
 */
export function issuesQuery({ status, sort, project, q }, cursor = "") {
  const params = new URLSearchParams({ status, sort });
  for (const [name, value] of [["project_id", project], ["q", q], ["cursor", cursor]]) if (name && value) params.set(name, value);
  return `/issues?${params}`;
}

/** @param {{ project_id: number, fingerprint: string }} of an issue or one of its events */
export function issueAddress({ project_id: project, fingerprint }) {
  return `/ui/issues/${project}-${encodeURIComponent(fingerprint)}`;
}

/**
 * The logs of an issue, perhaps only those with a term.
 * @param {Issue} issue
 * @param {string} [term]
 */
export function issueLogs({ project, fingerprint }, term = "") {
  const q = `${fieldTerm("fingerprint", fingerprint)} ${term}`.trim();
  return logsAddress({ q, project, levels: [], range: "3d", from: "", to: "" });
}

/** @param {Issue} issue @param {number} now */
export function stateText({ status, regressed, resolved_at: resolved, muted_until: until, muted_until_per_hour: most }, now) {
  if (status === "resolved") return `Resolved${resolved ? ` ${ago(Date.parse(resolved), now)}` : ""}`;
  if (status === "open") return `Open${regressed && resolved ? `, seen again after it was resolved ${ago(Date.parse(resolved), now)}` : ""}`;
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
