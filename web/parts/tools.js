// What can be done with a search beside reading it: follow, turn, fold, count, choose columns, take away.

import { counted } from "../lib/amount.js";
import { columnsOf, DEFAULT_RANGE, logsAddress, noColumns } from "../lib/filters.js";
import { fill, h } from "../lib/h.js";
import { go } from "../router.js";
import { complain } from "./filter.js";

/** @typedef {import("../lib/filters.js").Filters} Filters */

/** The tools of one list, which is shown in one way after the other. */
export class Tools {
  element = h("div", { class: "tools" });
  /** Why there is nothing to turn, fold or take away; empty where there is. */
  #idle = "";
  /** @type {number | undefined} */
  #total;
  /** @type {[Filters, Record<string, string>, string | null] | null} */
  #shown = null;

  /** @param {[Filters, Record<string, string>, string | null]} shown filters, query and the id of the open event, as `toolLinks` has them */
  show(...shown) {
    this.#shown = shown;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.tool : undefined;
    fill(this.element, toolLinks(...shown, this.#idle));
    this.#noteExport();
    if (focused) this.find(focused)?.focus();
  }

  /**
   * What there is to work on.
   * @param {string} idle why there is nothing; empty where there is
   * @param {number} [total] of the events that match, where it is known
   */
  offer(idle, total) {
    this.#total = total;
    // A menu that is open stays open.
    if (idle === this.#idle) return this.#noteExport();
    this.#idle = idle;
    if (this.#shown) this.show(...this.#shown);
  }

  #noteExport() {
    const note = this.element.querySelector(".menu-note");
    if (note) fill(note, exportText(this.#total));
  }

  /** @param {string} tool @returns {HTMLElement | null} */
  find(tool) {
    return this.element.querySelector(`[data-tool="${tool}"]`);
  }
}

const OLDEST = "Oldest first";
const EXPORTS = ["ndjson", "csv", "json"];

/**
 * All are links, so each state has its address.
 * @param {Filters} filters
 * @param {Record<string, string>} query of the running list, with its ends fixed: an export is of what is seen
 * @param {string | null} sel the id of the open event, which stays open where the same events are shown otherwise
 * @param {string} idle why there is nothing to turn, fold or take away; empty where there is
 */
function toolLinks(filters, query, sel, idle) {
  const wanted = Object.entries(query).filter(([name]) => name !== "limit");
  const toggle = (/** @type {string} */ label, /** @type {boolean} */ on, /** @type {Filters} */ next, /** @type {string | null} */ open = null) =>
    h("a", { class: "button small", href: logsAddress(next, open), "aria-current": on ? "true" : null, "data-tool": label }, label);
  const { live = false, side = "", fold = false, order = "" } = filters;
  // Following needs a range that moves along.
  const moving = filters.range === "" ? { ...filters, range: DEFAULT_RANGE, from: "", to: "" } : filters;
  return [
    toggle("Live", live, { ...moving, live: !live, order: "" }),
    live || idle
      ? resting(OLDEST, idle || "Live shows the newest first")
      : toggle(OLDEST, order === "asc", { ...filters, order: order === "asc" ? "" : "asc" }, sel),
    idle ? resting("Fold repeats", idle) : toggle("Fold repeats", fold, { ...filters, fold: !fold }, sel),
    toggle("Fields", side === "fields", { ...filters, side: side === "fields" ? "" : "fields" }),
    toggle("Patterns", side === "patterns", { ...filters, side: side === "patterns" ? "" : "patterns" }),
    columnsMenu(filters, sel),
    idle ? resting("Export", idle) : h("details", { class: "menu" },
      h("summary", { class: "button small" }, "Export"),
      h("ul", null, h("li", { class: "muted menu-note" }), EXPORTS.map((format) => {
        const address = `/logs/export?${new URLSearchParams([...wanted, ["format", format]])}`;
        return h("li", null, h("a", { href: address, download: `logs.${format}` }, format.toUpperCase()));
      }))),
  ];
}

/** What is of no use now, and says why. @param {string} label @param {string} why */
function resting(label, why) {
  return h("button", { type: "button", class: "button small", "aria-disabled": "true", title: why, "data-tool": label }, label);
}

/** @param {number | undefined} total of those that match, where it is known */
export function exportText(total) {
  if (total === undefined) return "All matching events";
  return total === 1 ? "The matching event" : `All ${counted(total, "matching event")}`;
}

/** @param {Filters} filters @param {string | null} sel */
function columnsMenu(filters, sel) {
  // The focus goes from here to the menu's name, once it is closed.
  /** @type {HTMLInputElement} */
  const names = h("input", { "aria-label": "Columns", "data-tool": "Columns", oninput: () => names.setCustomValidity(""), defaultValue: (filters.cols ?? []).join(", "), placeholder: "release, ctx.order.id", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  return h("details", { class: "menu" },
    h("summary", { class: "button small", "data-tool": "Columns" }, "Columns"),
    h("ul", null, h("li", null, h("form", { class: "actions columns", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      const none = noColumns(names.value);
      names.focus();
      if (none.length > 0) complain(names, `No column: ${none.join(", ")}. There can be 8, such as ctx.order.id.`);
      else go(logsAddress({ ...filters, cols: columnsOf(names.value) }, sel));
    } }, names, h("button", { type: "submit" }, "Show")))));
}
