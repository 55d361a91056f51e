// What the query box offers to complete: fields, values, operators, earlier queries. Nothing here touches the page.

import { fieldTerm, LEVELS } from "./filters.js";

/** @typedef {{ q: string, caret: number, label: string, note: string }} Choice the query and caret once it is taken */
/**
 * @typedef {object} Known
 * @property {string[]} paths of the context, `ctx.` in front
 * @property {Record<string, string[]>} values by field
 * @property {string[]} history the latest first
 */

const FIELDS = "message level source env user_id request_id tags release stack fingerprint id project ts received_at".split(" ");
/** @type {[string, string][]} */
const OPERATORS = [["OR", "either"], ["AND", "both"], ["NOT", "without what follows"]];
/** Fields compared with more than one value. */
const COMPARED = /^(level|ts|received_at|ctx\..+)$/;
const MOST_CHOICES = 10;
const MOST_PAST = 5;
const MOST_HISTORY = 20;
const MOST_PATHS = 200;
const DEEPEST_PATH = 6;

/** Earlier queries, for as long as the page is open: a query may hold what no storage should. @type {string[]} */
const past = [];

/** @param {string} q */
export function remember(q) {
  if (q === "") return;
  const at = past.indexOf(q);
  if (at >= 0) past.splice(at, 1);
  past.unshift(q);
  past.splice(MOST_HISTORY);
}

/** @returns {readonly string[]} the latest first */
export function pastQueries() {
  return past;
}

/**
 * The paths in contexts that a query can name.
 * @param {readonly { ctx?: unknown }[]} events
 */
export function pathsOf(events) {
  /** @type {Set<string>} */
  const paths = new Set();
  /** @type {(value: unknown, path: string, depth: number) => void} */
  const walk = (value, path, depth) => {
    if (paths.size >= MOST_PATHS || depth > DEEPEST_PATH) return;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      if (fieldTerm(path, 1) !== null && path !== "ctx") paths.add(path);
      return;
    }
    for (const [key, member] of Object.entries(value)) walk(member, `${path}.${key}`, depth + 1);
  };
  for (const { ctx } of events) walk(ctx, "ctx", 0);
  return [...paths].sort();
}

/**
 * The field whose values are being typed, or null.
 * @param {string} q
 * @param {number} caret
 */
export function fieldAt(q, caret) {
  return /^([^:"]+):/.exec(wordAt(q, caret).typed)?.[1] ?? null;
}

/**
 * What may be meant at the caret, the likeliest first.
 * @param {string} q
 * @param {number} caret
 * @param {Known} known
 * @returns {Choice[]}
 */
export function completed(q, caret, known) {
  const { from, to, typed, quoted } = wordAt(q, caret);
  /** @type {(text: string, note: string, more?: boolean) => Choice} */
  const choice = (text, note, more = false) => {
    const rest = q.slice(to);
    const written = more || rest.startsWith(" ") || rest.startsWith(")") ? text : `${text} `;
    return { q: q.slice(0, from) + written + rest, caret: from + written.length, label: text, note };
  };
  const [, field = "", part = ""] = /^([^:"]+):(.*)$/.exec(typed) ?? [];
  const words = quoted ? [] : field === "" ? ofNames(typed, from > 0, known, choice) : ofValues(field, part, known, choice);
  const whole = q.trim().toLowerCase();
  const earlier = known.history.filter((one) => one !== q.trim() && one.toLowerCase().includes(whole)).slice(0, MOST_PAST)
    .map((one) => ({ q: one, caret: one.length, label: one, note: "earlier search" }));
  const all = whole === "" ? [...earlier, ...words] : [...words, ...earlier];
  return all.filter((one) => one.q.trim() !== q.trim()).slice(0, MOST_CHOICES);
}

/**
 * @param {string} typed
 * @param {boolean} inside whether something stands before it
 * @param {Known} known
 * @param {(text: string, note: string, more?: boolean) => Choice} choice
 */
function ofNames(typed, inside, { paths }, choice) {
  const names = [...FIELDS, ...paths];
  const wanted = typed.toLowerCase();
  const begins = names.filter((name) => name.toLowerCase().startsWith(wanted));
  const within = wanted === "" ? [] : paths.filter((name) => !begins.includes(name) && name.toLowerCase().includes(`.${wanted}`));
  const operators = inside ? OPERATORS.filter(([name]) => name.startsWith(typed)) : [];
  return [
    ...(typed === "" ? [] : operators.map(([name, note]) => choice(name, note))),
    ...[...begins, ...within].map((name) => choice(`${name}:`, "field", true)),
    ...("has".startsWith(wanted) ? [choice("has:", "the field is there", true)] : []),
  ];
}

/**
 * @param {string} field
 * @param {string} part
 * @param {Known} known
 * @param {(text: string, note: string, more?: boolean) => Choice} choice
 */
function ofValues(field, part, { paths, values }, choice) {
  const wanted = part.replace(/^"/, "").toLowerCase();
  if (field === "has") return [...FIELDS, ...paths].filter((name) => name.toLowerCase().startsWith(wanted)).map((name) => choice(`has:${name}`, "the field is there"));
  const own = Object.hasOwn(values, field) ? values[field] ?? [] : field === "level" ? LEVELS : [];
  const found = own.filter((value) => value.toLowerCase().startsWith(wanted)).map((value) => fieldTerm(field, value)).filter((term) => term !== null);
  const compared = COMPARED.test(field) && part === "";
  return [
    ...found.map((term) => choice(term, "value")),
    ...(compared ? [choice(`${field}:>=`, "at least", true), choice(`${field}:<`, "less than", true)] : []),
    ...(part === "" && field !== "level" ? [choice(`${field}:*`, "any value")] : []),
  ];
}

/** The word that ends at the caret, without brackets and a minus in front. @param {string} q @param {number} caret */
function wordAt(q, caret) {
  let from = 0;
  let quoted = false;
  for (let at = 0; at < caret; at += 1) {
    const char = q.charAt(at);
    if (char === "\\" && quoted) at += 1;
    else if (char === "\"") quoted = !quoted;
    else if (!quoted && (char === " " || char === "(" || (char === "-" && at === from))) from = at + 1;
  }
  const rest = /^[^\s()"]*/.exec(q.slice(caret))?.[0] ?? "";
  const typed = q.slice(from, caret);
  // Within the quotes of a value the value is still what is completed.
  return { from, to: caret + rest.length, typed, quoted: quoted && !/^[^:"]+:"/.test(typed) };
}
