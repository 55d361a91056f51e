// Pages made of sections that load on their own: one that fails says so and leaves the others be.

import { listProjects } from "../api.js";
import { fill, h, shown } from "../lib/h.js";
import { ago, clockTime, fullTime } from "../lib/time.js";
import { button, errorPanel, isSignedOut, loadingPanel, patiently } from "./state.js";

/**
 * What fills a place: loading, waking and failed states, then what was loaded. While it loads again, what is there stays.
 * @template T
 * @param {AbortSignal} life ends with the page
 * @param {HTMLElement} place
 * @param {object} what
 * @param {() => Promise<T>} what.load
 * @param {(loaded: T) => import("../lib/h.js").Children} what.view
 * @param {(error: unknown, again: () => void) => Node} [what.fail]
 */
export function loads(life, place, { load, view, fail = errorPanel }) {
  let turn = 0;
  const controls = () => /** @type {HTMLElement[]} */ ([...place.querySelectorAll("a, button, input, select")]);
  return async function refresh() {
    const mine = ++turn;
    const focused = controls().findIndex((one) => one === document.activeElement);
    const loading = loadingPanel("Loading…");
    if (place.childElementCount === 0 || place.querySelector(":scope > .panel")) fill(place, loading.element);
    place.setAttribute("aria-busy", "true");
    try {
      const loaded = await patiently(load, life, (panel) => {
        if (mine === turn) fill(place, panel);
      });
      if (mine !== turn) return;
      fill(place, view(loaded));
      // What is in the place of the control that had the focus gets it.
      if (focused >= 0 && document.activeElement === document.body) (controls()[focused] ?? controls().at(-1))?.focus();
    } catch (error) {
      if (life.aborted || mine !== turn || isSignedOut(error)) return;
      fill(place, fail(error, () => void refresh()));
    } finally {
      loading.stop();
      if (mine === turn) place.removeAttribute("aria-busy");
    }
  };
}

/** Places that are filled anew when names come: nothing around them moves, and what is open stays so. */
export function retold() {
  /** @type {[Element, () => import("../lib/h.js").Children][]} */
  let places = [];
  return {
    /**
     * @template {Element} T
     * @param {T} place
     * @param {() => import("../lib/h.js").Children} content
     */
    tell(place, content) {
      fill(place, content());
      places.push([place, content]);
      return place;
    },
    retell() {
      places = places.filter(([place]) => place.isConnected);
      for (const [place, content] of places) if (!place.contains(document.activeElement)) fill(place, content());
    },
  };
}

/**
 * A section: its heading, and a place that loads.
 * @template T
 * @param {AbortSignal} life ends with the page
 * @param {object} what
 * @param {string} what.id
 * @param {string} what.title
 * @param {() => Promise<T>} what.load
 * @param {(loaded: T) => import("../lib/h.js").Children} what.view
 * @param {Node} [what.tools] beside the heading
 * @param {(error: unknown, again: () => void) => Node} [what.fail]
 */
export function section(life, { id, title, load, view, tools, fail }) {
  const body = h("div", { class: "section-body" });
  const element = h(
    "section",
    { class: "section", "aria-labelledby": `${id}-title` },
    h("div", { class: "section-head" }, h("h2", { id: `${id}-title`, tabindex: "-1" }, title), tools ?? null),
    body,
  );
  return { element, refresh: loads(life, body, { load, view, fail }) };
}

/** A section that has what it shows. @param {string} title @param {...import("../lib/h.js").Children} content */
export function part(title, ...content) {
  return h("section", { class: "section", "aria-label": title }, h("h2", null, title), ...content);
}

/**
 * Names and values, one pair a line.
 * @param {[string, import("../lib/h.js").Children][]} pairs
 */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

/**
 * A number with its name; a link when there is something behind it, and another when there is behind the note.
 * @param {{ name: string, value: string, note?: string, href?: string, before?: string, level?: string }} tile
 */
export function tile({ name, value, note, href, before, level }) {
  // Read in one go, it would be "error 2 0 before".
  const said = note && h(before ? "a" : "span", { class: "tile-note", href: before }, h("span", { class: "unseen" }, before ? `${name}: ` : ", "), note);
  const inside = [h("span", { class: "tile-name" }, name), h("span", { class: "tile-value", "data-level": level }, value), before ? null : said];
  return h("li", { class: "tile" }, href ? h("a", { href }, inside) : inside, before ? said : null);
}

/**
 * One line that says how it is: well, or what is wrong.
 * @param {boolean} well
 * @param {...import("../lib/h.js").Children} text
 */
export function verdictLine(well, ...text) {
  return h("p", { class: "verdict", "data-well": well ? "yes" : "no" }, ...text);
}

/** What a check of health is about. @param {string} name */
export function checkName(name) {
  return name === "hmac_secret" ? "HMAC secret" : name.replaceAll("_", " ");
}

/** What is not well, perhaps with why. @param {import("../pages/overflow.js").Ready} ready @param {boolean} [why] */
export function readyLine({ ready, checks }, why = false) {
  const wrong = Object.entries(checks).filter(([, check]) => !check.ok);
  if (ready) return verdictLine(true, "Ready: every check is well.");
  return verdictLine(false, h("b", null, "Not ready: "), wrong.map(([name, { detail }]) => `${checkName(name)}${why && detail ? ` (${shown(detail).replace(/\.$/, "")})` : ""}`).join(", "), ".");
}

/**
 * A table that scrolls on its own when it is wider than the page.
 * @param {string} label
 * @param {[string, string?][]} heads each with the class of its column
 * @param {(import("../lib/h.js").Children)[][]} rows the first cell names its row
 * @param {boolean} [stacks] where it would be too wide, each row is a block of named values instead: nothing is left out
 */
export function table(label, heads, rows, stacks = false) {
  // As blocks they keep their roles only where these are told.
  const cell = (/** @type {import("../lib/h.js").Children} */ content, /** @type {number} */ index) =>
    h(index === 0 ? "th" : "td", {
      scope: index === 0 ? "row" : null, role: index === 0 ? "rowheader" : "cell", class: heads[index]?.[1] ?? null, "data-head": stacks && heads[index]?.[0],
    }, content);
  return h(
    "div",
    { class: stacks ? "wide stacks" : "wide", role: "region", "aria-label": label, tabindex: "0" },
    h("table", { role: "table" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map(([head, kind]) => h("th", { scope: "col", role: "columnheader", class: kind ?? null }, head)))),
      h("tbody", { role: "rowgroup" }, rows.map((row) => h("tr", { role: "row" }, row.map(cell))))),
  );
}

/**
 * The ways to other pages of a list; nothing where it has one.
 * @param {string} cursor of the page shown; empty for the first
 * @param {string | null} next
 * @param {(cursor: string) => void} move
 */
export function pager(cursor, next, move) {
  return h("div", { class: "actions" }, cursor && button("First page", () => move("")), next && button("Older", () => move(next)));
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

/**
 * A choice of the project; of all of them where the list can't be had, since what is shown says what is wrong.
 * @param {AbortSignal} life
 * @param {() => string} chosen the slug; empty for all
 * @param {(slug: string) => void} onChange
 * @param {(projects: import("../api.js").Project[]) => void} [onList]
 */
export function projectChoice(life, chosen, onChange, onList) {
  const select = choice("Project", [["", "All projects"]], "", onChange);
  const listed = patiently(() => listProjects(life), life, () => {}).then((list) => {
    select.append(...list.map(({ slug, name }) => h("option", { value: slug }, shown(name || slug))));
    select.value = chosen();
    // One that is not there is shown as what it is.
    if (select.value !== chosen()) select.append(h("option", { value: chosen(), selected: true }, shown(chosen().slice(0, 80))));
    onList?.(list);
  }, () => {});
  return Object.assign(select, { listed });
}

/**
 * How long ago something was; when, on hovering.
 * @param {string} at
 * @param {number} now
 */
export function when(at, now) {
  const ms = Date.parse(at);
  return h("time", { datetime: at, title: fullTime(ms) }, ago(ms, now));
}

/**
 * The time of the clock, and how long ago that was.
 * @param {string} at
 * @param {number} now
 */
export function whenExactly(at, now) {
  return [`${clockTime(Date.parse(at), now).replace(/\.\d+$/, "")}, `, when(at, now)];
}
