// What a row of the audit log says to a person. The actions are those of src/http and src/cli.

import { counted } from "./amount.js";

/** @typedef {{ id: string, at: string, actor: string, network: string | null, request_id: string | null, action: string, target: string, parameters: unknown, result: unknown }} AuditEntry */

/** What an action did, by its verb. @type {Record<string, string>} */
const VERBS = { create: "Made", update: "Changed", delete: "Deleted", change: "Changed", revoke: "Revoked", maintain: "Ran maintenance", purge: "Purged events" };
/** @type {Record<string, string>} */
const ACTORS = { admin_token: "Admin token", session: "Session", cli: "Command line" };
const LONGEST = 200;

/** @param {string} action such as `alert_rule.update` */
export function whatText(action) {
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
 * On what it was done, and how: `shop: retention days 3`.
 * @param {AuditEntry} entry
 */
export function onWhatText({ target, parameters }) {
  const how = pairs(parameters);
  return cut([target, how].filter(Boolean).join(": "));
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
    .map(([name, one]) => `${name.replaceAll("_", " ")} ${plain(one)}`).join(", ");
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
