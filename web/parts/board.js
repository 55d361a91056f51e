// Pages made of sections that load on their own: one that fails says so and leaves the others be.

import { Problem } from "../api.js";
import { fill, h } from "../lib/h.js";
import { errorPanel, loadingPanel, patiently, wakingPanel } from "./state.js";

/**
 * A section: its heading, what it loads, and loading, waking and failed states.
 * @template T
 * @param {AbortSignal} life ends with the page
 * @param {object} what
 * @param {string} what.id
 * @param {string} what.title
 * @param {(signal: AbortSignal) => Promise<T>} what.load
 * @param {(loaded: T) => import("../lib/h.js").Children} what.view
 * @param {Node} [what.tools] beside the heading
 */
export function section(life, { id, title, load, view, tools }) {
  const body = h("div", { class: "section-body" });
  const element = h(
    "section",
    { class: "section", "aria-labelledby": `${id}-title` },
    h("div", { class: "section-head" }, h("h2", { id: `${id}-title` }, title), tools ?? null),
    body,
  );
  let turn = 0;

  async function refresh() {
    const mine = ++turn;
    const loading = loadingPanel("Loading…");
    if (body.childElementCount === 0 || body.querySelector(".panel")) fill(body, loading.element);
    element.setAttribute("aria-busy", "true");
    try {
      const loaded = await patiently(() => load(life), life, (problem, seconds, now) => {
        if (mine === turn) fill(body, wakingPanel(problem, seconds, now));
      });
      if (mine === turn) fill(body, view(loaded));
    } catch (error) {
      if (life.aborted || mine !== turn || (error instanceof Problem && error.kind === "signed_out")) return;
      fill(body, errorPanel(error, () => void refresh()));
    } finally {
      loading.stop();
      if (mine === turn) element.removeAttribute("aria-busy");
    }
  }

  return { element, refresh };
}

/**
 * Names and values, one pair a line.
 * @param {[string, import("../lib/h.js").Children][]} pairs
 */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

/**
 * A number with its name; a link when there is something behind it.
 * @param {{ name: string, value: string, note?: string, href?: string, level?: string }} tile
 */
export function tile({ name, value, note, href, level }) {
  const inside = [
    h("span", { class: "tile-name" }, name),
    h("span", { class: "tile-value", "data-level": level }, value),
    note ? h("span", { class: "tile-note" }, note) : null,
  ];
  return h("li", null, href ? h("a", { class: "tile", href }, inside) : h("div", { class: "tile" }, inside));
}

/**
 * One line that says how it is: well, or what is wrong.
 * @param {boolean} well
 * @param {...import("../lib/h.js").Children} text
 */
export function verdictLine(well, ...text) {
  return h("p", { class: "verdict", "data-well": well ? "yes" : "no" }, ...text);
}

/**
 * A table that scrolls on its own when it is wider than the page.
 * @param {string} label
 * @param {[string, string?][]} heads each with the class of its column
 * @param {(import("../lib/h.js").Children)[][]} rows the first cell names its row
 */
export function table(label, heads, rows) {
  const cell = (/** @type {import("../lib/h.js").Children} */ content, /** @type {number} */ index) =>
    h(index === 0 ? "th" : "td", { scope: index === 0 ? "row" : null, class: heads[index]?.[1] ?? null }, content);
  return h(
    "div",
    { class: "wide", role: "region", "aria-label": label, tabindex: "0" },
    h("table", null,
      h("thead", null, h("tr", null, heads.map(([head, kind]) => h("th", { scope: "col", class: kind ?? null }, head)))),
      h("tbody", null, rows.map((row) => h("tr", null, row.map(cell))))),
  );
}

/**
 * A choice beside a heading.
 * @param {string} label
 * @param {readonly (readonly [string, string])[]} options value and label
 * @param {string} chosen
 * @param {(value: string) => void} onChange
 */
export function choice(label, options, chosen, onChange) {
  const select = h("select", { "aria-label": label, onchange: () => onChange(select.value) },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return select;
}
