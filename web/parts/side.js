// What the search found, counted: the commonest values of each field, or the templates of the messages. Each value
// can be asked for or left out, which edits the query.

import { eventAddress, fieldTerm, termOfAll } from "../lib/filters.js";
import { h, shown } from "../lib/h.js";
import { counted, levelCount } from "../lib/amount.js";
import { termButtons } from "./event.js";
import { levelMark } from "./row.js";

/** @typedef {import("../api.js").Facet} Facet */
/** @typedef {import("../api.js").Pattern} Pattern */
/** @typedef {import("./event.js").OnTerm} OnTerm */

/**
 * @param {import("../api.js").Counts} counts
 * @param {"fields" | "patterns"} side
 * @param {OnTerm} onTerm
 */
export function sideView({ facets, patterns, total }, side, onTerm) {
  return side === "fields" ? (facets ?? []).map((facet) => facetView(facet, onTerm)) : patternsView(patterns, total ?? 0, onTerm);
}

/**
 * @param {Facet} facet
 * @param {OnTerm} onTerm
 */
export function facetView({ field, values, other, missing, approximate }, onTerm) {
  const terms = values.map(({ value }) => fieldTerm(field, value) ?? "*").filter((term) => !term.endsWith("*"));
  const has = fieldTerm("has", field) ?? "";
  const rest = (/** @type {number} */ n, /** @type {string} */ what, /** @type {string} */ term, /** @type {boolean} */ exclude) => {
    const text = `${n.toLocaleString("en")} ${what}`;
    return n > 0 && h("p", { class: "muted" }, term ? h("button", { type: "button", class: "quiet raw", onclick: () => onTerm(term, exclude) }, text) : text);
  };
  return h(
    "section",
    { class: "facet" },
    h("h3", null, field),
    h("ul", null, values.map(({ value, count, share }) =>
      h("li", { title: shown(value) },
        field === "level" ? levelMark(value) : h("span", { class: "value" }, shown(value)),
        h("span", { class: "number muted" }, count.toLocaleString("en"), share === undefined ? null : ` · ${percent(share, 1)}`),
        termButtons(field, value, onTerm)))),
    // Exactly those where each listed value can be said.
    rest(other, `with other values${unparted(approximate)}`, terms.length < values.length ? "" : `(${has} -${termOfAll(terms)})`, false),
    rest(missing, `without ${field}`, has, true),
  );
}

/** What is said of the rest where there were too many to count each. @param {boolean | undefined} approximate */
const unparted = (approximate) => (approximate ? ", too many to count each" : "");

/**
 * @param {import("../api.js").Patterns | undefined} found
 * @param {number} total
 * @param {OnTerm} onTerm
 */
function patternsView({ patterns, other, approximate } = { patterns: [], other: 0 }, total, onTerm) {
  if (patterns.length === 0) return [h("p", { class: "muted" }, "No message to compare.")];
  const items = patterns.map((pattern) => {
    const terms = pattern.fingerprints.map((print) => fieldTerm("fingerprint", print)).filter((term) => term !== null);
    return h(
      "li",
      { "data-level": pattern.level },
      h("span", { class: "actions" },
        h("span", { class: "number" }, pattern.count.toLocaleString("en"), h("span", { class: "muted" }, ` · ${percent(pattern.count, total)}`)),
        h("span", { class: "level", "data-level": pattern.level }, worstText(pattern)),
        terms.length > 0 ? termButtons("fingerprint", "", onTerm, termOfAll(terms), "this pattern") : null),
      h("a", { class: "mono", href: eventAddress(pattern.sample) }, shown(pattern.template)),
    );
  });
  return [h("ol", { class: "patterns" }, items), other > 0 && h("p", { class: "muted" }, `${counted(other, "event")} of other patterns${unparted(approximate)}`)];
}

/** How many are of the worst level: `all errors`, `3 errors`. @param {Pick<Pattern, "level" | "levels" | "count">} pattern */
export function worstText({ level, levels, count }) {
  const worst = levels?.[level] ?? count;
  return worst === count && count > 1 ? levelCount(count, level).replace(/^\S+/, "all") : levelCount(worst, level);
}

/** @param {number} part @param {number} whole */
function percent(part, whole) {
  if (whole <= 0) return "";
  const share = (100 * part) / whole;
  return share < 1 ? "under 1 %" : `${Math.round(share)} %`;
}
