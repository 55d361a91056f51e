// Why a list is empty, and the way on: filters too narrow, nothing in this range, nothing at all.

import { listProjects, Problem, searchLogs } from "../api.js";
import { apiQuery, isNarrowed, logsAddress } from "../lib/filters.js";
import { h } from "../lib/h.js";
import { DAY, fullTime, HOUR, idTime, LONGEST, rangeMillis, SECOND, whyAbsent } from "../lib/time.js";
import { NOT_ALL_READ } from "./result.js";
import { button, panel } from "./state.js";

/** @typedef {import("../lib/filters.js").Filters} Filters */


/**
 * Asks what there is without the filters and says which case this is.
 * @param {Filters} filters
 * @param {AbortSignal} signal
 * @param {() => void} again
 * @returns {Promise<HTMLElement>}
 */
export async function explainEmpty(filters, signal, again) {
  const now = Date.now();
  const wide = { ...filters, q: "", levels: [] };
  if (isNarrowed(filters)) {
    const { logs } = await searchLogs({ ...apiQuery(wide, now), limit: "1" }, signal);
    if (logs.length > 0) return noMatch(filters, wide);
  }
  const ever = { ...wide, order: /** @type {const} */ (""), range: "", from: new Date(now - LONGEST).toISOString(), to: "" };
  const newest = (await searchLogs({ ...apiQuery(ever, now), limit: "1" }, signal)).logs[0];
  if (newest) return nothingInRange(wide, Date.parse(newest.ts));
  const projects = await listProjects(signal);
  const only = projects.length === 1 ? projects[0]?.slug ?? "" : "";
  return projects.length === 0 ? noProject() : noEvent(filters.project || only, again);
}

/** @param {() => void} again */
export function notAllRead(again) {
  return panel({
    title: "Nothing found so far",
    text: `${NOT_ALL_READ} There may be matches all the same.`,
    actions: [button("Search again", again, true)],
  });
}

/**
 * @param {Filters} filters
 * @param {Filters} wide
 */
function noMatch(filters, wide) {
  const what = [filters.q && "query", filters.levels.length > 0 && "levels"].filter(Boolean);
  const actions = [h("a", { class: "button primary", href: logsAddress(wide) }, `Clear ${what.join(" and ")}`)];
  if ((rangeMillis(filters.range) ?? 0) < 3 * DAY) {
    const address = logsAddress({ ...filters, range: "3d", from: "", to: "" });
    actions.push(h("a", { class: "button", href: address }, "Search the last 3 days"));
  }
  const text = `There are events in this time range, but none matches the ${what.join(" and the ")}.`;
  return panel({ title: "No event matches", text, actions });
}

/**
 * @param {Filters} wide
 * @param {number} at the time of the newest event
 */
function nothingInRange(wide, at) {
  const from = new Date(at - HOUR).toISOString();
  const to = new Date(at + SECOND).toISOString();
  const address = logsAddress({ ...wide, range: "", from, to });
  return panel({
    title: "Nothing in this time range",
    text: ["The latest event is from ", h("span", { class: "whole" }, fullTime(at)), "."],
    actions: [h("a", { class: "button primary", href: address }, "Jump to the latest")],
  });
}

/** @param {string} project @param {() => void} again */
function noEvent(project, again) {
  return panel({
    title: "No event has arrived yet",
    text: "Send a batch with a project's key, then look again.",
    actions: [h("a", { class: "button primary", href: `/ui/projects${project && `/${encodeURIComponent(project)}/setup`}` }, project ? "Set up" : "Projects"), button("Look again", again)],
  });
}

function noProject() {
  return panel({
    title: "No project yet",
    text: "Events are sent with the key of a project, which comes with a command to try it.",
    actions: [h("a", { class: "button primary", href: "/ui/projects" }, "Create a project")],
  });
}

/**
 * Why an event can't be shown, where the answer was that it isn't there; `null` of another failure.
 * @param {unknown} error
 * @param {string} id
 * @param {AbortSignal} life
 */
export async function absentText(error, id, life) {
  if (!(error instanceof Problem) || (error.status !== 404 && error.status !== 410)) return null;
  const days = await listProjects(life).then((list) => list.map((project) => project.retention_days), () => []);
  const now = Date.now();
  return whyAbsent(idTime(id, now), now, days);
}
