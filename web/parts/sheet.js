// The counts beside the list; on a phone they cover it until they are closed.

import { fill, h } from "../lib/h.js";

/** @typedef {"" | "fields" | "patterns"} SideName */

const TITLES = { "": "", fields: "Fields", patterns: "Patterns" };

export class Sheet {
  element = h("section", { class: "side", "aria-label": "Counts", tabindex: "0", hidden: true });
  /** Whether it gets the focus once the counts are there. */
  #wanted = false;
  /** @type {() => void} */
  #onClose;

  /** @param {() => void} onClose */
  constructor(onClose) {
    this.#onClose = onClose;
  }

  /** What is closed takes its counts along; what opens has a way out before they are there. @param {SideName} side */
  show(side) {
    if (side && this.element.hidden) fill(this.element, this.#head(side));
    this.element.hidden = !side;
  }

  /** Gives it the focus with the next counts. */
  want() {
    this.#wanted = true;
  }

  /**
   * @param {import("../api.js").Counts} counts
   * @param {"fields" | "patterns"} side
   * @param {import("./event.js").OnTerm} onTerm
   * @param {AbortSignal} signal
   * @param {boolean} covers the list
   */
  async fill(counts, side, onTerm, signal, covers) {
    const { sideView } = await import("./side.js");
    if (signal.aborted) return;
    fill(this.element, this.#head(side), sideView(counts, side, onTerm));
    if (this.#wanted || covers) this.element.focus();
    this.#wanted = false;
  }

  /** @param {SideName} side */
  #head(side) {
    return h("header", { class: "event-head" }, h("h2", null, TITLES[side]), h("button", { type: "button", onclick: this.#onClose }, "Close"));
  }
}
