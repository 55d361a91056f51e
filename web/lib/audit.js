// What a row of the audit log says to a person. The actions are those of src/http and src/cli.

import { count, counted } from "./amount.js";
import { spanText } from "./rules.js";

/** @typedef {{ id: string, at: string, actor: string, network: string | null, request_id: string | null, action: string, target: string, parameters: unknown, result: unknown }} AuditEntry */

/** What an action did, by its verb. @type {Record<string, string>} */
const VERBS = { create: "Made", update: "Changed", delete: "Deleted", change: "Changed", revoke: "Revoked", maintain: "Ran maintenance", purge: "Purged events" };
/** @type {Record<string, string>} */
const ACTORS = { admin_token: "Admin token", session: "Session", cli: "Command line" };
const LONGEST = 200;
/** Ids told of many; the row as the API has it has all. */
const IDS = 3;

/**
 * What was done: `Changed an alert rule`, `Reopened 4 issues`.
 * @param {AuditEntry} entry
 */
export function whatText({ action, parameters, result }) {
  const { ids, do: how } = Object(parameters);
  if (action === "issues.change" && Array.isArray(ids) && how) {
    const { changed = ids.length } = Object(result);
    return `${how === "resolve" ? "Resolved" : how === "reopen" ? "Reopened" : "Muted"} ${counted(Number(changed), "issue")}`;
  }
  const [noun = "", verb] = action.replaceAll("_", " ").split(".");
  const did = VERBS[verb ?? noun];
  if (did === undefined) return action;
  return verb === undefined ? did : `${did} ${noun.endsWith("s") ? noun : `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`}`;
}

/** @param {AuditEntry} entry */
export function whoText({ actor, network }) {
  return [ACTORS[actor] ?? actor, network].filter(Boolean).join(", ");
}

/**
 * On what it was done, and how: `project shop: retention 3 days`.
 * @param {AuditEntry} entry
 * @param {{ id: number, slug: string }[]} [projects]
 */
export function onWhatText({ action, target, parameters }, projects = []) {
  const named = target.replace(/^project (\d+)$/, (whole, id) => {
    const slug = projects.find((one) => String(one.id) === id)?.slug;
    return slug ? `project ${slug}` : whole;
  });
  const { ids, do: how } = Object(parameters);
  if (action === "issues.change" && Array.isArray(ids)) {
    const some = `${ids.slice(0, IDS).join(", ")}${ids.length > IDS ? ` and ${ids.length - IDS} more` : ""}`;
    return cut([some, typeof how === "string" ? "" : pairs(how)].filter(Boolean).join(": "));
  }
  // What a change took away is as much a change as what it set.
  return cut([named, pairs(parameters, action.endsWith(".update"))].filter(Boolean).join(": "));
}

/**
 * How it ended, and what it did where that is more than the change itself.
 * @param {unknown} result
 */
export function resultText(result) {
  const { state, code, found, ...rest } = Object(result);
  if (state === "failed") return `Failed: ${String(code ?? "unknown").replaceAll("_", " ")}`;
  if (state === "begun") return "Begun; its end is not known";
  if (state !== "done") return cut(pairs(result));
  if (found === false) return "Nothing was there";
  if (rest.ran === false) return rest.waiting ? "Waits for its turn" : "Not run: another run was at it, or just had been";
  if (rest.taken_by !== undefined) return `Not made: rule ${rest.taken_by} is there already`;
  // How long it took and in which pieces says nothing of what was changed; the row as the API has it has all.
  const { deleted_events: deleted, changed, took_ms: took, slices, longest_slice_ms: longest, bytes_saved: saved, complete, ran, ...more } = rest;
  const others = Object.fromEntries(Object.entries(more).filter(([, one]) => one !== 0));
  const text = [
    typeof deleted === "number" ? `${counted(deleted, "event")} deleted` : "",
    typeof changed === "number" ? `${counted(changed, "issue")} changed` : "",
    pairs(others),
    complete === false ? "not complete" : "",
  ].filter(Boolean).join(", ");
  return cut(text === "" ? "Done" : `Done: ${text}`);
}

/** Names and values of what is something, or of all. @param {unknown} value @param {boolean} [all] @returns {string} */
function pairs(value, all = false) {
  if (typeof value !== "object" || value === null) return plain(value);
  const isNothing = (/** @type {unknown} */ one) => one === null || one === "" || (Array.isArray(one) && one.length === 0);
  return Object.entries(value).filter(([, one]) => all || !isNothing(one))
    .map(([name, one]) => pair(name, isNothing(one) ? "none" : one, all)).join(", ");
}

/** One setting as a person says it. @param {string} name @param {unknown} value @param {boolean} all */
function pair(name, value, all) {
  if (typeof value === "number") {
    if (name === "retention_days") return `retention ${counted(value, "day")}`;
    if (name === "minute_cap") return `cap ${counted(value, "event")} a minute`;
    if (name.endsWith("_sec")) return `${name.slice(0, -4).replaceAll("_", " ")} ${spanText(value)}`;
    return `${name.replaceAll("_", " ")} ${name === "id" || name.endsWith("_id") ? value : count(value)}`;
  }
  return name === "q" ? `matching “${plain(value)}”` : `${name.replaceAll("_", " ")} ${plain(value, all)}`;
}

/** @param {unknown} value @param {boolean} [all] @returns {string} */
function plain(value, all) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((one) => plain(one)).join(" ");
  return typeof value === "object" ? `(${pairs(value, all)})` : String(value);
}

/** @param {string} text */
const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
