// The filters of the log list and their two spellings: the page's address and the API's query.

import { relativeAt } from "./moment.js";
import { rangeMillis, shownZone, zoneName } from "./time.js";

export const LEVELS = /** @type {const} */ (["trace", "debug", "info", "warn", "error", "fatal"]);
export const DEFAULT_RANGE = "1h";
/** Events a page of the list. */
export const PAGE_SIZE = 100;
/** What the bars of the histogram can be told apart by, the default first; beside them any path of the context. */
export const BAR_FIELDS = ["level", "source", "env", "release", "user_id", "request_id", "tags", "fingerprint", "project"];
const MOST_COLUMNS = 8;
/** Characters of a value shown before a message. */
const COLUMN_TEXT = 60;

/**
 * @typedef {object} Filters
 * @property {string} q the query as typed
 * @property {string} project slug or id; empty for all
 * @property {string[]} levels empty for all, else least severe first
 * @property {string} range a name of `RANGES`; empty when `from` or `to` is set
 * @property {string} from as in the address: RFC 3339 or anything the API reads
 * @property {string} to
 * @property {string} [tz] the zone of times as an IANA name; empty for the browser's own
 * @property {string} [wrongTz] what the address has for a zone, when it is none
 * @property {string[]} [cols] fields and paths of the context shown before each message
 * @property {boolean} [fold] neighbours that say the same are one row
 * @property {boolean} [live] new events are added as they arrive
 * @property {"" | "asc"} [order] the oldest events first
 * @property {string} [by] what the bars are told apart by; empty for the level
 * @property {"" | "fields" | "patterns"} [side] what is counted beside the list
 */

/**
 * Reads an address. What is not known is left out rather than refused.
 * @param {URLSearchParams} params
 * @returns {Filters}
 */
export function readFilters(params) {
  const wanted = new Set((params.get("level") ?? "").toLowerCase().split(","));
  const from = params.get("from")?.trim() ?? "";
  const to = params.get("to")?.trim() ?? "";
  const named = params.get("range") ?? "";
  const absolute = from !== "" || to !== "";
  const live = params.get("live") === "1" && !absolute;
  const side = params.get("side");
  const by = params.get("by") ?? "";
  const zone = zoneOf(params);
  return {
    q: params.get("q")?.trim() ?? "",
    project: params.get("project")?.trim() ?? "",
    levels: LEVELS.filter((level) => wanted.has(level)),
    range: absolute ? "" : rangeMillis(named) === null ? DEFAULT_RANGE : named,
    from,
    to,
    live,
    // What is new is added above.
    order: params.get("order") === "asc" && !live ? "asc" : "",
    by: by !== BAR_FIELDS[0] && isCounted(by) ? by : "",
    side: side === "fields" || side === "patterns" ? side : "",
    cols: columnsOf(params.get("cols") ?? ""),
    fold: params.get("fold") === "1",
    tz: zone ?? "",
    wrongTz: zone === null ? params.get("tz") ?? "" : "",
  };
}

/** Whether the service counts events by a field or path. @param {string} name */
export const isCounted = (name) => BAR_FIELDS.includes(name) || /^ctx(\.[\w-]{1,64}){1,8}$/.test(name);

/** The columns a text names, each once. @param {string} text */
export function columnsOf(text) {
  return [...new Set(text.split(",").map((name) => name.trim()))].filter((name) => /^[\w-]+(\.[\w-]+)*$/.test(name)).slice(0, MOST_COLUMNS);
}

/** What a text names beside: no column, or one too many. @param {string} text */
export function noColumns(text) {
  return text.split(",").map((name) => name.trim()).filter((name) => name && !columnsOf(text).includes(name));
}

/**
 * The values of columns in one event, as `name=value` each; what it doesn't have is left out.
 * @param {object} event
 * @param {readonly string[]} columns
 */
export function columnText(event, columns) {
  return columns.flatMap((path) => {
    /** @type {unknown} */
    let value = event;
    for (const name of path.split(".")) value = Object.hasOwn(Object(value ?? {}), name) ? Reflect.get(Object(value), name) : undefined;
    if (value === null || value === undefined || value === "") return [];
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    return [`${path}=${text.length > COLUMN_TEXT ? `${text.slice(0, COLUMN_TEXT)}…` : text}`];
  }).join(" ");
}

/**
 * The zone an address names, empty for the browser's own; null where it is none.
 * @param {URLSearchParams} params
 */
export function zoneOf(params) {
  const text = params.get("tz")?.trim() ?? "";
  return text === "" || text === "local" ? "" : zoneName(text);
}

/**
 * The address for filters, without what is at its default; the order is fixed, so equal filters have equal
 * addresses.
 * @param {Filters} filters
 * @param {string | null} [sel] the id of the open event
 */
export function logsAddress(filters, sel) {
  const { q, project, range, from, to, tz, order, by, cols, live, side, fold } = filters;
  const named = from || to || range === DEFAULT_RANGE ? "" : range;
  return addressWith("/ui/logs", { q, project, level: levelsOf(filters), from, to, range: named, tz, order: live ? "" : order, by, cols: cols?.join(), live: live && "1", side, fold: fold && "1", sel });
}

/** The levels that are asked for; empty for all. @param {Filters} filters */
function levelsOf({ levels }) {
  return levels.length % LEVELS.length > 0 ? levels.join() : "";
}

/** The logs of a project. @param {{ slug: string }} project */
export function projectLogs({ slug }) {
  return logsAddress({ q: "", project: slug, levels: [], range: DEFAULT_RANGE, from: "", to: "" });
}

/**
 * The page of an event, which shows times in the zone they are shown in here.
 * @param {string} id
 * @param {string} [scope] of what is around it
 */
export function eventAddress(id, scope) {
  return addressWith(`/ui/logs/${encodeURIComponent(id)}`, { scope, tz: shownZone() });
}

/** An address whose query has what is not empty. @param {string} path @param {Record<string, string | false | null | undefined>} values */
export function addressWith(path, values) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) params.set(name, value);
  return params.size > 0 ? `${path}?${params}` : path;
}

/**
 * The page of an issue.
 * @param {{ project_id: number, fingerprint: string }} issue or one of its events
 */
export function issueAddress({ project_id: project, fingerprint }) {
  return `/ui/issues/${project}-${encodeURIComponent(fingerprint)}`;
}

/**
 * Whether all that `a` asks for is there where `b` was asked for, but for bars by another field or of another zone.
 * @param {Filters} a
 * @param {Filters} b
 */
export function sameFilters(a, b) {
  const key = (/** @type {Filters} */ filters) => logsAddress({ ...filters, tz: "", by: "", cols: a.side === "fields" ? filters.cols : [], fold: false, side: a.side && filters.side }) + filters.wrongTz;
  return key(a) === key(b);
}

/**
 * The API's query for filters at a moment: a relative range gets its two ends here, once per run, so that
 * the pages of one run are about one range.
 * @param {Filters} filters
 * @param {number} now
 * @returns {Record<string, string>}
 */
export function apiQuery(filters, now) {
  /** @type {Record<string, string>} */
  const query = { limit: String(PAGE_SIZE), order: filters.order || "desc" };
  if (filters.q !== "") query.q = filters.q;
  if (filters.project !== "") query.project_id = filters.project;
  const level = levelsOf(filters);
  if (level !== "") query.level = level;
  const length = rangeMillis(filters.range);
  if (length === null) {
    if (filters.from !== "") query.from = fixed(filters.from, now);
    if (filters.to !== "") query.to = fixed(filters.to, now);
  } else {
    query.from = new Date(now - length).toISOString();
  }
  return query;
}

/** @param {string} text @param {number} now */
function fixed(text, now) {
  const at = relativeAt(text, now);
  return at === null ? text : new Date(at).toISOString();
}

/**
 * Whether anything but the project and the time narrows the search.
 * @param {Filters} filters
 */
export function isNarrowed(filters) {
  return filters.q !== "" || levelsOf(filters) !== "";
}

/**
 * The query term that finds a field with a value, of a long one with its beginning; null where the query language can't
 * say it simply.
 * @param {string} field a column or a path such as `ctx.user.id`
 * @param {string | number | boolean} value
 */
export function fieldTerm(field, value) {
  const text = String(value);
  if (!/^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$/.test(field)) return null;
  // A line break or another control character can't be typed into one line of query: what is before it is asked for.
  const [start = ""] = /^[^\u0000-\u001f\u007f]{0,200}/u.exec(text) ?? [];
  if (start === "") return null;
  if (/^[\p{L}\p{N}_][\p{L}\p{N}_.@-]*$/u.test(start) && start === text) return `${field}:${text}`;
  return `${field}:"${start.replace(/[\\"]/g, "\\$&")}"${start === text ? "" : "*"}`;
}

/**
 * One term that finds what any of them finds.
 * @param {string[]} terms at least one
 */
export function termOfAll(terms) {
  return terms.length === 1 ? terms[0] ?? "" : `(${terms.join(" OR ")})`;
}

/**
 * The query with a term added or, when its opposite is there, turned around. A term that is there already
 * is not added twice.
 * @param {string} q
 * @param {string} term
 * @param {boolean} exclude
 */
export function withTerm(q, term, exclude) {
  const wanted = exclude ? `-${term}` : term;
  const opposite = exclude ? term : `-${term}`;
  const terms = splitTerms(q);
  if (terms.includes(wanted)) return q;
  const kept = terms.filter((part) => part !== opposite);
  // An OR outside brackets would take the new term as one of its branches.
  const grouped = kept.includes("OR") ? [`(${kept.join(" ")})`] : kept;
  return [...grouped, wanted].join(" ");
}

/**
 * The query cut at blanks outside quotes.
 * @param {string} q
 * @returns {string[]}
 */
export function splitTerms(q) {
  return q.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/g) ?? [];
}

/**
 * The words of a query that can be marked in a message: bare words and phrases that are asked for.
 * @param {string} q
 * @returns {string[]} lower case
 */
export function hitWords(q) {
  /** @type {string[]} */
  const words = [];
  for (const part of splitTerms(q)) {
    if (part === "OR" || part === "AND" || part.startsWith("-")) continue;
    const term = part.replace(/^\(+|\)+$/g, "");
    if (/^(?:"|[^:"]+$)/.test(term)) {
      words.push(term.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1"));
    } else if (/^message:[^/><"]/.test(term)) {
      words.push(term.slice("message:".length).replace(/\*$/, ""));
    }
  }
  return words.map((word) => word.toLowerCase()).filter((word) => word.length > 1);
}

/**
 * Where to go after signing in: only a page of this UI, never another site.
 * @param {string | null} next
 */
export function safeNext(next) {
  if (next === null || !/^\/ui(\/|$)/.test(next) || /[\\\u0000-\u001f]/.test(next)) return "/ui/";
  // As the browser will read it, without `..`.
  const { pathname } = new URL(next, "http://here");
  return /^\/ui(\/|$)/.test(pathname) && !pathname.startsWith("/ui/login") ? next : "/ui/";
}
