// The suggestions of the query box: a combobox, used by keys or by pointing.

import { read } from "../api.js";
import { completed, fieldAt, pastQueries, pathsOf } from "../lib/complete.js";
import { fill, h, shown } from "../lib/h.js";

/** @typedef {import("../lib/complete.js").Choice} Choice */

/** @typedef {(q: string, caret: number, again: () => void) => import("../lib/complete.js").Known} Offer */

/** Values asked for, of each field. */
const MOST_VALUES = 50;
/** Fields whose values are few enough to be offered. */
const COUNTED = ["source", "env"];

/**
 * What there is to offer for a search: paths of the events it has listed, values counted when they are first needed.
 * @param {() => readonly import("../api.js").LogEvent[]} events
 * @param {() => Record<string, string>} query of the running list
 * @param {AbortSignal} signal
 * @returns {Offer}
 */
export function offerOf(events, query, signal) {
  /** @type {Record<string, string[]>} */
  let values = {};
  let asked = "";
  return (q, caret, again) => {
    const { from = "", to = "", project_id: project = "" } = query();
    const wanted = new URLSearchParams({ fields: COUNTED.join(), top: String(MOST_VALUES) });
    for (const [name, value] of Object.entries({ from, to, project_id: project })) if (value !== "") wanted.set(name, value);
    if (COUNTED.includes(fieldAt(q, caret) ?? "") && asked !== wanted.toString()) {
      asked = wanted.toString();
      // Until the answer is there, and without one, it is what the list shows.
      values = Object.fromEntries(COUNTED.map((field) => [field, [...new Set(events().map((event) => String(Reflect.get(event, field) ?? "")))]]));
      const counting = /** @type {Promise<{ fields: import("../api.js").Facet[] }>} */ (read(`/logs/facets?${wanted}`, signal));
      counting.then(({ fields }) => {
        if (asked !== wanted.toString()) return;
        values = Object.fromEntries(fields.map((facet) => [facet.field, facet.values.map(({ value }) => value)]));
        again();
      }, () => {});
    }
    return { paths: pathsOf(events()), values, history: [...pastQueries()] };
  };
}

export class Completion {
  #input;
  #known;
  /** @type {Choice[]} */
  #choices = [];
  /** The choice that keys have reached; -1 for none. */
  #active = -1;
  element = h("div", { id: "q-choices", class: "choices", role: "listbox", "aria-label": "Suggestions", hidden: true,
    onpointerdown: (/** @type {Event} */ event) => event.preventDefault(),
    onclick: (/** @type {Event} */ event) => this.#clicked(event) });

  /**
   * @param {HTMLInputElement} input with the role of a combobox that controls `q-choices`
   * @param {Offer} known what there is to offer now; `again` is called when there is more
   */
  constructor(input, known) {
    this.#input = input;
    this.#known = known;
    input.addEventListener("input", () => this.#offer());
    input.addEventListener("keydown", (event) => this.#press(event));
    input.addEventListener("blur", () => this.close());
  }

  close() {
    this.#choices = [];
    this.#show();
  }

  #offer() {
    const { value, selectionStart } = this.#input;
    const caret = selectionStart ?? value.length;
    const again = () => {
      const open = this.#input.value === value && document.activeElement === this.#input;
      if (open && this.#active < 0) this.#offer();
    };
    this.#choices = completed(value, caret, this.#known(value, caret, again));
    this.#show();
  }

  #show() {
    this.#active = -1;
    this.element.hidden = this.#choices.length === 0;
    fill(this.element, this.#choices.map(({ label, note }, index) =>
      h("div", { id: `q-choice-${index}`, class: "choice", role: "option", "aria-selected": "false" },
        h("span", { class: "value" }, shown(label)), h("span", { class: "muted" }, note))));
    this.#input.setAttribute("aria-expanded", String(!this.element.hidden));
    this.#input.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index -1 for none */
  #reach(index) {
    this.#active = index;
    for (const [at, option] of [...this.element.children].entries()) option.setAttribute("aria-selected", String(at === index));
    if (index < 0) return this.#input.removeAttribute("aria-activedescendant");
    this.#input.setAttribute("aria-activedescendant", `q-choice-${index}`);
    this.element.children[index]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} index */
  #take(index) {
    const taken = this.#choices[index];
    if (!taken) return;
    this.#input.value = taken.q;
    this.#input.setSelectionRange(taken.caret, taken.caret);
    this.#input.focus();
    // A field's name is followed by its values.
    if (taken.label.endsWith(":")) this.#offer();
    else this.close();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const open = this.#choices.length > 0;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0;
    if (step !== 0) {
      if (!open) this.#offer();
      // One place beyond the ends is the query itself.
      const places = this.#choices.length + 1;
      if (places > 1) this.#reach(((this.#active + 1 + step + places) % places) - 1);
    } else if (event.key === "Enter" && this.#active >= 0) this.#take(this.#active);
    else if (event.key === "Escape" && open) this.close();
    else {
      if (event.key === "Enter") this.close();
      return;
    }
    event.preventDefault();
  }

  /** @param {Event} event */
  #clicked(event) {
    const option = event.target instanceof Element ? event.target.closest("[role=option]") : null;
    if (option) this.#take([...this.element.children].indexOf(option));
  }
}
