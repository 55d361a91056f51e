// What a rule for alerts has, and what it says in a sentence. The fields are those of src/alert/rules/kind.rs.

import { counted } from "./amount.js";

/** @typedef {{ include: string[], exclude: string[] }} Selection */
/**
 * @typedef {object} Rule
 * @property {number | string} id a default has the name of its kind
 * @property {number | null} project_id null is every project
 * @property {string} kind
 * @property {string} name
 * @property {boolean} enabled
 * @property {"default" | "custom"} source
 * @property {string[] | null} [levels]
 * @property {Selection} [environments]
 * @property {Selection} [issues]
 * @property {number} [cooldown_sec]
 * @property {number | null} [n]
 * @property {number | null} [window_sec]
 * @property {number | null} [share]
 * @property {number | null} [grace_sec]
 * @property {string | null} [q]
 * @property {(number | string)[] | null} [channels] null is every channel of the project
 * @property {{ open: number, last_said_at: string | null, suppressed: number }} [state] what it said that is not over, and what it left out since
 */

/** Each kind with its title and the settings it has beside those of every rule. @type {Record<string, [string, string[]]>} */
export const RULE_KINDS = {
  query: ["Events that match a query", ["q", "n", "window_sec", "levels", "environments", "issues"]],
  new_issue: ["New issue", ["levels", "environments", "issues"]],
  regression: ["Regression", ["levels", "environments", "issues"]],
  spike: ["Spike of an issue", ["n", "window_sec", "levels", "environments", "issues"]],
  error_rate: ["Error rate", ["n", "window_sec", "share", "levels", "environments", "issues"]],
  heartbeat: ["Heartbeat", ["grace_sec"]],
  overflow_started: ["Overflow started", []],
  overflow_ended: ["Overflow ended", ["grace_sec"]],
  near_cap: ["Near the cap", ["share"]],
};

/** @param {string} kind */
export function kindTitle(kind) {
  return RULE_KINDS[kind]?.[0] ?? kind.replaceAll("_", " ");
}

/**
 * A length of time as a person sets it: `15 min`, `90 s`, `2 h`.
 * @param {number} seconds
 */
export function spanText(seconds) {
  if (seconds > 0 && seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds > 0 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

/** @param {number} share */
const percentText = (share) => `${Number((share * 100).toFixed(2))} %`;

/**
 * When a rule says something.
 * @param {Rule} rule
 */
export function ruleSentence({ kind, n, window_sec: window, share, grace_sec: grace, q }) {
  const within = `in ${spanText(window ?? 60)}`;
  switch (kind) {
    case "new_issue":
      return "An issue is seen for the first time.";
    case "regression":
      return "A resolved issue is seen again.";
    case "spike":
      return `${counted(n ?? 5, "event")} of one issue ${within}, and well above what is usual.`;
    case "error_rate":
      return `${counted(n ?? 50, "error")} of a project ${within}${share ? `, at least ${percentText(share)} of its events` : ""}, and well above what is usual.`;
    case "heartbeat":
      return `Nothing arrives for ${spanText(grace ?? 600)} where something usually does.`;
    case "overflow_started":
      return "A project's first events for a while.";
    case "overflow_ended":
      return `Nothing arrives for ${spanText(grace ?? 3600)} after an overflow.`;
    case "near_cap":
      return `A project comes to ${percentText(share ?? 0.8)} of its cap, or events are dropped.`;
    case "query":
      return `${counted(n ?? 1, "event")} matching ${q ?? ""} ${within}.`;
    default:
      return "";
  }
}

/**
 * The levels that a kind looks at where none are chosen. As in docs/ALERTS.md.
 * @param {string} kind
 */
export function levelsOf(kind) {
  return kind === "query" ? "None chosen is every level." : "None chosen is error and fatal.";
}

/**
 * What a rule is narrowed to, and how often it speaks.
 * @param {Rule} rule
 * @param {(id: number | string) => string} channelName
 * @param {number} [reach] how many channels there are, where that is known
 */
export function ruleLimits({ levels, environments, issues, cooldown_sec: cooldown, channels }, channelName, reach) {
  const parts = [];
  if (levels) parts.push(`only ${levels.join(", ")}`);
  if (environments?.include.length) parts.push(`only in ${environments.include.join(", ")}`);
  if (environments?.exclude.length) parts.push(`not in ${environments.exclude.join(", ")}`);
  if (issues?.include.length) parts.push(`only ${counted(issues.include.length, "issue")}`);
  if (issues?.exclude.length) parts.push(`without ${counted(issues.exclude.length, "issue")}`);
  parts.push(cooldown ? `repeats at most every ${spanText(cooldown)}` : "each time");
  if (channels?.length === 0) parts.push("kept in the history alone");
  else if (reach === 0) parts.push("to no channel yet");
  else if (channels || reach) parts.push(`to ${channels ? channels.map(channelName).join(", ") : "every channel of the project"}`);
  return `${capital(parts.join("; "))}.`;
}

/** @param {string} text */
export const capital = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/**
 * What a channel answered, in a sentence: its status once, and its words only where they say more than whether it was delivered.
 * @param {{ delivered: boolean, status: number | null, detail: string, retry_after_ms: number | null }} answer
 */
export function answerText({ delivered, status, detail, retry_after_ms: wait }) {
  const said = detail.replace(` (HTTP ${status})`, "");
  const more = said === "" || said === "delivered" ? "" : `: ${said.replace(/\.$/, "")}`;
  return `${delivered ? "Delivered" : "Not delivered"}${status === null ? "" : `, status ${status}`}${more}.${wait ? ` It asks to wait ${Math.ceil(wait / 1000)} s.` : ""}`;
}

/**
 * The field a refusal is about and why, from `url: must begin with https.`; without a field it is about all of them.
 * @param {string} detail
 * @returns {[string, string]}
 */
export function fieldOf(detail) {
  const found = /^(\w+)(?:[.[][\w.[\]]*)?: (.+)$/s.exec(detail);
  return found ? [found[1] ?? "", capital(found[2] ?? "")] : ["", detail];
}

/**
 * The members of a text with commas or lines between.
 * @param {string} text
 */
export function members(text) {
  return [...new Set(text.split(/[,\n]/).map((one) => one.trim()).filter(Boolean))];
}
