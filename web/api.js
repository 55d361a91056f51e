// The only place that calls `fetch`. Every failure becomes a `Problem` with a kind the pages know.

import { signalOf } from "./lib/h.js";

/**
 * @typedef {object} LogEvent
 * @property {string} id
 * @property {number} project_id
 * @property {string} project slug
 * @property {string} ts
 * @property {string} received_at
 * @property {string} level
 * @property {string} source
 * @property {string} env
 * @property {string} message
 * @property {unknown} [ctx]
 * @property {string | null} [user_id]
 * @property {string | null} [request_id]
 * @property {string[] | null} [tags]
 * @property {string | null} [release]
 * @property {string | null} [stack]
 * @property {string | null} [fingerprint]
 * @property {string | null} [expires_at]
 * @property {boolean} [truncated]
 * @property {[number, number][]} [library_lines] lines of the stack that are frames of libraries; of one event alone, where there are any
 */
/**
 * @typedef {object} Scanned
 * @property {number} blocks
 * @property {number} events
 * @property {number} bytes
 * @property {number} ms
 * @property {boolean} complete
 */
/**
 * @typedef {object} Histogram
 * @property {string} from
 * @property {string} to
 * @property {number | null} step_seconds
 * @property {string} [by] what the counts are by; the level unless told
 * @property {string[]} [values] from the commonest on
 * @property {{ from: string, to: string, counts: Record<string, number>, other?: number, none?: number }[]} buckets
 * @property {number} [total]
 * @property {boolean} [approximate]
 */
/** @typedef {{ field: string, values: { value: string, count: number, share?: number }[], distinct?: number, other: number, missing: number, approximate?: boolean }} Facet */
/**
 * @typedef {object} Pattern
 * @property {string} template
 * @property {number} count
 * @property {number} share
 * @property {string} level the worst
 * @property {Record<string, number>} [levels]
 * @property {string} sample the id of the newest event
 * @property {string} last_seen
 * @property {string[]} fingerprints
 */
/** @typedef {{ patterns: Pattern[], other: number, approximate?: boolean }} Patterns `approximate` where there were too many to count each */
/** @typedef {{ histogram?: Histogram, facets?: Facet[], patterns?: Patterns, total?: number }} Counts */
/** @typedef {{ logs: LogEvent[], next_cursor: string | null, scanned?: Scanned, warnings?: unknown[] } & Counts} LogPage */
/** @typedef {"source" | "request" | "project"} Scope */
/** @typedef {{ before: LogEvent[], event: LogEvent, after: LogEvent[], before_cursor: string | null, after_cursor: string | null, warnings?: unknown[] }} Context */
/**
 * @typedef {object} Project
 * @property {number} id
 * @property {string} slug
 * @property {string} name
 * @property {number} retention_days
 * @property {number | null} minute_cap
 * @property {string} created_at
 * @property {{ off: boolean, extra_keys: string[] }} scrub
 */
/** @typedef {{ id: string | number, api_key: string, signing_secret: string | null, kind: string }} NewKey */

/** Longer than a sleeping host needs to wake. */
const TIMEOUT_MS = 75_000;

/**
 * Why a request failed. Kinds: `signed_out`; `refused` (the request itself is wrong, `code` says how);
 * `away` (the service runs but its database doesn't answer); `waking` (nothing answers, or only the host);
 * `broken` (a fault of the service).
 */
export class Problem extends Error {
  /**
   * @param {"signed_out" | "refused" | "away" | "waking" | "broken"} kind
   * @param {{ status?: number, code?: string, detail?: string, requestId?: string, retryAfter?: number }} facts
   */
  constructor(kind, facts) {
    super(facts.detail ?? facts.code ?? kind);
    this.kind = kind;
    this.status = facts.status ?? 0;
    this.code = facts.code ?? "";
    this.detail = facts.detail ?? "";
    this.requestId = facts.requestId ?? "";
    /** Seconds, 0 when not said. */
    this.retryAfter = facts.retryAfter ?? 0;
  }
}

/** False while signing in is what is needed; true is a belief the next answer may correct. */
export const signedIn = signalOf(true);

let whenSignedOut = () => {};

/**
 * Names who is told by each answer that there is no session.
 * @param {() => void} listener
 */
export function onSignedOut(listener) {
  whenSignedOut = listener;
}

/** @param {boolean} holds */
function sessionSeen(holds) {
  signedIn.set(holds);
  if (!holds) whenSignedOut();
}

/**
 * @param {Record<string, string>} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<LogPage>}
 */
export async function searchLogs(query, signal) {
  const page = /** @type {LogPage} */ (await send("GET", `/logs?${new URLSearchParams(query)}`, { signal }));
  if (!Array.isArray(page?.logs)) throw new Problem("broken", { detail: "The reply is not a list of events." });
  return page;
}

/**
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<LogEvent>}
 */
export async function fetchLog(id, signal) {
  return /** @type {LogEvent} */ (await send("GET", `/logs/${encodeURIComponent(id)}`, { signal }));
}

/**
 * The events around one, oldest first.
 * @param {string} id
 * @param {{ scope: Scope, before: number, after: number }} wanted
 * @param {AbortSignal} [signal]
 * @returns {Promise<Context>}
 */
export async function fetchContext(id, { scope, before, after }, signal) {
  const query = new URLSearchParams({ scope, before: String(before), after: String(after) });
  return /** @type {Context} */ (await send("GET", `/logs/${encodeURIComponent(id)}/context?${query}`, { signal }));
}

/**
 * The stream of new events; once it was open the browser takes it up again by itself.
 * @param {Record<string, string>} query
 */
export function openTail(query) {
  return new EventSource(`/logs/tail?${new URLSearchParams(query)}`);
}

/**
 * Asks once more for a stream that was refused, and gives it up at once: `EventSource` doesn't say why.
 * @param {EventSource} source
 * @param {AbortSignal} signal
 */
export async function checkTail({ url }, signal) {
  await send("GET", url, { signal, endless: true });
}

/**
 * @param {AbortSignal} [signal]
 * @returns {Promise<Project[]>}
 */
export async function listProjects(signal) {
  const reply = /** @type {{ projects?: Project[] }} */ (await send("GET", "/admin/projects", { signal }));
  if (!Array.isArray(reply?.projects)) throw new Problem("broken", { detail: "The reply is not a list of projects." });
  return reply.projects;
}

/**
 * Reads a document of the API that only one page shows.
 * @template T what the API says it is
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function read(address, signal) {
  const reply = await send("GET", address, { signal });
  if (typeof reply !== "object" || reply === null) throw new Problem("broken", { detail: "The reply is not a document." });
  return /** @type {T} */ (reply);
}

/**
 * Reads a file of the page as text.
 * @param {string} address
 * @param {AbortSignal} [signal]
 */
export async function readText(address, signal) {
  return /** @type {string} */ (await send("GET", address, { signal, signingIn: true, asText: true }));
}

/**
 * Changes something, once.
 * @template T
 * @param {"POST" | "PUT" | "DELETE"} method
 * @param {string} address
 * @param {unknown} [body]
 * @returns {Promise<T>}
 */
export async function change(method, address, body) {
  return /** @type {T} */ (await send(method, address, { body }));
}

/**
 * How the service is: also when it is not ready. Anyone may ask, so the answer says nothing of the session.
 * @template T
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function readState(address, signal) {
  return /** @type {T} */ (await send("GET", address, { signal, signingIn: true, alsoUnready: true }));
}

/** @param {string} token */
export async function signIn(token) {
  await send("POST", "/session", { body: { token }, signingIn: true });
}

export async function signOut() {
  await send("DELETE", "/session", { signingIn: true });
}

/**
 * @param {string} method
 * @param {string} address
 * @param {{ body?: unknown, signal?: AbortSignal, signingIn?: boolean, alsoUnready?: boolean, asText?: boolean, endless?: boolean }} options
 * @returns {Promise<unknown>} the parsed body; null for an empty one
 */
async function send(method, address, { body, signal, signingIn, alsoUnready, asText, endless }) {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  /** @type {Response} */
  let reply;
  let text = "";
  try {
    reply = await fetch(address, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    if (endless && reply.ok) void reply.body?.cancel();
    else text = await reply.text();
  } catch (error) {
    // The caller's own cancelling is not a failure of the service.
    if (signal?.aborted) throw error;
    throw new Problem("waking", {});
  }
  if (reply.ok) {
    if (!signingIn) sessionSeen(true);
    if (asText) return text;
    return text === "" ? null : readJson(text);
  }
  if (alsoUnready && reply.status === 503 && text.includes('"ready"')) return readJson(text);
  const problem = readProblem(reply, text);
  if (problem.kind === "signed_out" && !signingIn) sessionSeen(false);
  throw problem;
}

/** @param {string} text */
function readJson(text) {
  try {
    return parseExact(text);
  } catch {
    throw new Problem("broken", { detail: "The reply is not JSON." });
  }
}

/**
 * @param {Response} reply
 * @param {string} text
 */
function readProblem(reply, text) {
  const type = reply.headers.get("Content-Type") ?? "";
  /** @type {Record<string, unknown>} */
  let document = {};
  if (/^application\/(problem\+)?json\b/.test(type)) {
    try {
      document = Object(JSON.parse(text));
    } catch {
      // A cut-off document says no more than its status.
    }
  }
  const code = typeof document.code === "string" ? document.code : "";
  const facts = {
    status: reply.status,
    code,
    detail: typeof document.detail === "string" ? document.detail : "",
    requestId: reply.headers.get("X-Request-Id") ?? "",
    retryAfter: Math.max(0, Number.parseInt(reply.headers.get("Retry-After") ?? "0", 10) || 0),
  };
  return new Problem(kindOf(reply.status, code), facts);
}

/**
 * @param {number} status
 * @param {string} code
 */
function kindOf(status, code) {
  if (status === 401) return "signed_out";
  if (status === 503 && code !== "") return "away";
  // Without a code of ours it is the host's proxy that answers while the service starts.
  if (status === 502 || status === 503 || status === 504) return "waking";
  return status >= 500 ? "broken" : "refused";
}

/**
 * A number that a JavaScript number can't hold, as it was written. `JSON.stringify` writes it unchanged
 * where the browser can.
 */
export class ExactNumber {
  /** @param {string} source */
  constructor(source) {
    this.source = source;
  }
  toJSON() {
    const raw = /** @type {{ rawJSON?: (text: string) => unknown }} */ (/** @type {unknown} */ (JSON)).rawJSON;
    return raw ? raw(this.source) : this.source;
  }
  toString() {
    return this.source;
  }
}

/**
 * JSON whose long integers keep their digits: ids of 64 bits are common in logs and would be rounded.
 * @param {string} text
 * @returns {unknown}
 */
export function parseExact(text) {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  /** @type {(key: string, value: unknown, context?: { source?: string }) => unknown} */
  const keepDigits = (_key, value, context) => {
    const source = context?.source;
    if (typeof value !== "number" || source === undefined || !/^-?\d{16,}$/.test(source)) return value;
    return Number.isSafeInteger(value) ? value : new ExactNumber(source);
  };
  return JSON.parse(text, keepDigits);
}
