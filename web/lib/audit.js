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
  return cut([named, pairs(parameters)].filter(Boolean).join(": "));
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
  const { deleted_events: deleted, changed, took_ms: took, complete, ...more } = rest;
  const amounts = [
    ...(typeof deleted === "number" ? [`${counted(deleted, "event")} deleted`] : []),
    ...(typeof changed === "number" ? [`${counted(changed, "issue")} changed`] : []),
    ...(complete === false ? ["not complete"] : []),
  ];
  const text = amounts.length > 0 ? amounts.join(", ") : pairs(more);
  return cut(text === "" ? "Done" : `Done: ${text}`);
}

/** Names and values of what is something. @param {unknown} value @returns {string} */
function pairs(value) {
  if (typeof value !== "object" || value === null) return plain(value);
  return Object.entries(value).filter(([, one]) => one !== null && one !== "" && !(Array.isArray(one) && one.length === 0))
    .map(([name, one]) => pair(name, one)).join(", ");
}

/** One setting as a person says it. @param {string} name @param {unknown} value */
function pair(name, value) {
  if (typeof value === "number") {
    if (name === "retention_days") return `retention ${counted(value, "day")}`;
    if (name === "minute_cap") return `cap ${counted(value, "event")} a minute`;
    if (name.endsWith("_sec")) return `${name.slice(0, -4).replaceAll("_", " ")} ${spanText(value)}`;
    return `${name.replaceAll("_", " ")} ${name === "id" || name.endsWith("_id") ? value : count(value)}`;
  }
  return name === "q" ? `matching “${plain(value)}”` : `${name.replaceAll("_", " ")} ${plain(value)}`;
}

/** @param {unknown} value @returns {string} */
function plain(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(plain).join(" ");
  return typeof value === "object" ? `(${pairs(value)})` : String(value);
}

/** @param {string} text */
const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
