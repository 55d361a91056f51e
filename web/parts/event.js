// One event in full: message, stack, fields, data.

import { ExactNumber, fetchLog } from "../api.js";
import { eventAddress, fieldTerm, issueAddress } from "../lib/filters.js";
import { fill, h, icon, shown } from "../lib/h.js";
import { eventCurl, eventMarkdown } from "../lib/markdown.js";
import { ownFrames } from "../lib/stack.js";
import { ago, expiresIn, fullTime, roughly } from "../lib/time.js";
import { copyButton } from "./copy.js";
import { levelMark } from "./row.js";
import { button, problemText } from "./state.js";

/** @typedef {import("../api.js").LogEvent} LogEvent */
/** @typedef {(term: string, exclude: boolean) => void} OnTerm */

/** Lines of a tree of data; the JSON view always has all. */
const MAX_TREE_LINES = 1000;
/** Levels of the tree that are open at first. */
const OPEN_DEPTH = 3;
/** A delay between the event and its receipt that is worth a word. */
const DELAY_MS = 5000;

/**
 * @param {LogEvent} event
 * @param {object} options
 * @param {OnTerm} options.onTerm narrows the list by a term
 * @param {import("../lib/h.js").Children} options.heading
 * @param {import("../lib/h.js").Children} [options.links]
 * @param {boolean} [options.ofIssue] on the page of its issue
 * @param {boolean} [options.page] on a page of its own; there and on that of its issue the stack comes first
 * @param {number} [options.now]
 */
export function eventView(event, { onTerm, heading, links, ofIssue, page, now = Date.now() }) {
  // Below the level 1 heading of its own page, or the level 2 heading of what it is in.
  const level = page ? "h2" : "h3";
  const section = (/** @type {string} */ title, /** @type {import("../lib/h.js").Children[]} */ ...content) =>
    h("section", { class: "event-part" }, h(level, { class: "part-title" }, title), ...content);
  const stackFirst = ofIssue || page;
  const stack = event.stack ? section("Stack", stackView(event, event.stack)) : null;
  const grouped = !ofIssue && event.fingerprint && (event.level === "error" || event.level === "fatal");
  return h(
    "article",
    { class: "event", "data-level": event.level },
    h("header", { class: "event-head" }, heading),
    h("p", { class: "event-time" },
      levelMark(event.level),
      h("time", { datetime: event.ts }, fullTime(Date.parse(event.ts))),
      h("span", { class: "muted" }, ago(Date.parse(event.ts), now)),
      event.expires_at ? h("span", { class: "muted" }, `expires ${expiresIn(Date.parse(event.expires_at), now)}`) : null),
    h("pre", { class: "event-message", tabindex: "0", role: "group", "aria-label": "Message" }, shown(event.message)),
    event.truncated ? h("p", { class: "notice" }, "Something in this event was cut to fit the limits.") : null,
    h("div", { class: "actions" }, copyButton("Copy JSON", () => JSON.stringify({ ...event, library_lines: undefined }, null, 2)),
      copyButton("Copy Markdown", () => eventMarkdown(event, location.origin + eventAddress(event.id))),
      copyButton("Copy cURL", () => eventCurl(location.origin, event.id)), links,
      grouped ? h("a", { class: "button", href: issueAddress({ project_id: event.project_id, fingerprint: event.fingerprint ?? "" }) }, "Issue") : null),
    stackFirst ? stack : null,
    section("Fields", fieldList(event, onTerm, now)),
    event.tags?.length ? section("Tags", tagList(event.tags, onTerm)) : null,
    isEmpty(event.ctx) ? null : section("Data", ctxView(event.ctx, onTerm)),
    stackFirst ? null : stack,
  );
}

/** @param {unknown} value */
function isEmpty(value) {
  return value === null || value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
}

/**
 * @param {LogEvent} event
 * @param {OnTerm} onTerm
 * @param {number} now
 */
function fieldList(event, onTerm, now) {
  const received = Date.parse(event.received_at);
  const late = received - Date.parse(event.ts);
  const expires = event.expires_at ? Date.parse(event.expires_at) : null;
  /** @type {[string, string | null | undefined, boolean][]} */
  const fields = [
    ["level", event.level, true],
    ["project", event.project, true],
    ["source", event.source, true],
    ["env", event.env, true],
    ["release", event.release, true],
    ["user_id", event.user_id, true],
    ["request_id", event.request_id, true],
    ["fingerprint", event.fingerprint, true],
    ["id", event.id, false],
    ["received", `${fullTime(received)}${late > DELAY_MS ? `, ${roughly(late)} after it happened` : ""}`, false],
    ["expires", expires === null ? null : `${expiresIn(expires, now)}, ${fullTime(expires)}`, false],
  ];
  return h(
    "dl",
    { class: "fields" },
    fields
      .filter(([, value]) => value)
      .map(([name, value, searchable]) => [
        h("dt", null, name),
        h("dd", null, h("span", { class: "value" }, shown(value ?? "")), searchable ? termButtons(name, value ?? "", onTerm) : null),
      ])
      .flat(),
  );
}

/**
 * The two buttons beside a value: only events with it, only events without it.
 * @param {string} field
 * @param {string | number | boolean} value
 * @param {OnTerm} onTerm
 * @param {string | null} [term] instead of the one for the field and value
 * @param {string} [name] what a person calls it, instead of the term
 */
export function termButtons(field, value, onTerm, term = fieldTerm(field, value), name = shown(term ?? "")) {
  if (term === null) return null;
  const one = (/** @type {"include" | "exclude"} */ kind, /** @type {string} */ label) =>
    h("button", { type: "button", class: "tiny", title: label, "aria-label": label, onclick: () => onTerm(term, kind === "exclude") }, icon(kind));
  return h("span", { class: "terms" }, one("include", `Only ${name}`), one("exclude", `Without ${name}`));
}

/**
 * @param {string[]} tags
 * @param {OnTerm} onTerm
 */
function tagList(tags, onTerm) {
  return h(
    "ul",
    { class: "tags" },
    tags.map((tag) => h("li", null, h("span", { class: "value" }, shown(tag)), termButtons("tags", tag, onTerm))),
  );
}

/**
 * @param {unknown} ctx
 * @param {OnTerm} onTerm
 */
function ctxView(ctx, onTerm) {
  const body = h("div");
  const asTree = h("button", { type: "button", onclick: () => show(true) }, "Tree");
  const asJson = h("button", { type: "button", onclick: () => show(false) }, "JSON");
  const text = () => JSON.stringify(ctx, null, 2);
  /** @param {boolean} tree */
  function show(tree) {
    asTree.setAttribute("aria-pressed", String(tree));
    asJson.setAttribute("aria-pressed", String(!tree));
    fill(body, tree ? treeOf(ctx, onTerm) : h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": "Data as JSON" }, shown(text())));
  }
  show(typeof ctx === "object");
  return [h("div", { class: "actions" }, h("span", { class: "pair" }, asTree, asJson), copyButton("Copy data", text)), body];
}

/**
 * @param {unknown} ctx
 * @param {OnTerm} onTerm
 */
function treeOf(ctx, onTerm) {
  const budget = { lines: MAX_TREE_LINES };
  const tree = branch(ctx, "ctx", 1, budget, onTerm);
  if (budget.lines > 0) return tree;
  return h("div", null, tree, h("p", { class: "muted" }, "The rest is in the JSON view."));
}

/**
 * The members of an object or array as a nested list.
 * @param {unknown} value
 * @param {string} path for filters
 * @param {number} depth
 * @param {{ lines: number }} budget
 * @param {OnTerm} onTerm
 * @returns {HTMLElement}
 */
function branch(value, path, depth, budget, onTerm) {
  const items = [];
  for (const [key, member] of Object.entries(Object(value))) {
    if (budget.lines <= 0) break;
    budget.lines -= 1;
    // What is in an array has its path.
    const below = Array.isArray(value) ? path : `${path}.${key}`;
    items.push(h("li", null, twig(key, member, below, depth, budget, onTerm)));
  }
  return h("ul", { class: "tree" }, items);
}

/**
 * @param {string} key
 * @param {unknown} value
 * @param {string} path
 * @param {number} depth
 * @param {{ lines: number }} budget
 * @param {OnTerm} onTerm
 * @returns {import("../lib/h.js").Children}
 */
function twig(key, value, path, depth, budget, onTerm) {
  const name = h("span", { class: "key" }, shown(key));
  const nested = typeof value === "object" && value !== null && !(value instanceof ExactNumber);
  if (!nested || isEmpty(value)) {
    const text = typeof value === "string" ? shown(value) : value instanceof ExactNumber ? value.source : JSON.stringify(value);
    const scalar = value instanceof ExactNumber ? value.source : value;
    const simple = typeof scalar === "string" || typeof scalar === "number" || typeof scalar === "boolean";
    return [
      name, ": ",
      h("span", { class: "value", "data-type": typeof value }, text),
      simple ? termButtons(path, scalar, onTerm) : null,
    ];
  }
  const size = Object.keys(value).length;
  const mark = Array.isArray(value) ? `[${size}]` : `{${size}}`;
  return h(
    "details",
    { open: depth < OPEN_DEPTH },
    h("summary", null, name, " ", h("span", { class: "muted" }, mark)),
    branch(value, path, depth + 1, budget, onTerm),
  );
}

/**
 * A trace, whole or without the frames of libraries, which the service is asked for when somebody wants them out.
 * @param {LogEvent} event
 * @param {string} stack
 */
function stackView({ id, library_lines: known }, stack) {
  let whole = true;
  /** @type {string | null | undefined} */
  let own = known && ownFrames(stack, known);
  const code = h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": "Stack trace" }, shown(stack));
  const said = h("p", { class: "hint", role: "status" });
  /** @param {boolean} all */
  const show = async (all) => {
    whole = all;
    pair.forEach((one, index) => one.setAttribute("aria-pressed", String((index === 0) === all)));
    fill(said);
    try {
      if (!all && own === undefined) own = ownFrames(stack, (await fetchLog(id)).library_lines ?? []);
      if (!whole && own === null) fill(said, "The service tells no frames of libraries apart in this trace.");
    } catch (error) {
      if (!whole) fill(said, problemText(error));
    }
    fill(code, shown((!whole && own) || stack));
  };
  const pair = [button("All frames", () => void show(true)), button("In-app", () => void show(false))];
  void show(true);
  return [
    h("div", { class: "actions" }, stack.includes("\n") ? h("span", { class: "pair" }, pair) : null, copyButton("Copy stack", () => stack)),
    said,
    code,
  ];
}
