// The detail of one event beside the list; on a phone it covers the list.

import { fetchLog } from "../api.js";
import { eventAddress } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { absentText } from "./empty.js";
import { button, isSignedOut, problemText } from "./state.js";

/** @typedef {import("../api.js").LogEvent} LogEvent */

/** Characters of an id that are shown where there is no event of it. */
const ID_TEXT = 80;

export class Drawer {
  #load = new AbortController();
  #does;
  element = h("aside", { class: "drawer", "aria-label": "Event", hidden: true });

  /**
   * @param {object} does
   * @param {(id: string) => LogEvent | undefined} does.known an event that need not be asked for
   * @param {import("./event.js").OnTerm} does.onTerm
   * @param {() => void} does.onClose
   */
  constructor(does) {
    this.#does = does;
  }

  close() {
    this.#load.abort();
  }

  /**
   * Shows an event; the answer is whether it is still the one to show.
   * @param {string} id
   */
  async show(id) {
    this.#load.abort();
    this.#load = new AbortController();
    const { signal } = this.#load;
    if (this.element.hidden) fill(this.element, this.#bar(id));
    this.element.hidden = false;
    try {
      const content = await this.#detailOf(id, signal);
      if (!signal.aborted) fill(this.element, content);
    } catch (error) {
      if (signal.aborted || isSignedOut(error)) return false;
      const absent = await absentText(error, id, signal);
      if (signal.aborted) return false;
      fill(this.element, this.#bar(id), h("p", { class: "notice", role: "alert" }, absent ?? problemText(error)),
        h("p", { class: "muted" }, "Asked for: ", h("span", { class: "mono value" }, shown(id.slice(0, ID_TEXT)))),
        h("p", { class: "actions" }, absent === null ? button("Try again", () => void this.show(id)) : h("a", { class: "button", href: "/ui/logs" }, "Latest logs")));
    }
    if (signal.aborted) return false;
    this.element.scrollTop = 0;
    return true;
  }

  focus() {
    this.element.querySelector("h2")?.focus();
  }

  /** Goes to the first value that a search can be narrowed by; false when there is none. */
  focusField() {
    const first = this.element.querySelector(".terms button");
    if (first instanceof HTMLElement) first.focus();
    return first !== null;
  }

  /** Puts it away; the answer is whether the focus was in it. */
  hide() {
    this.#load.abort();
    const inside = this.element.contains(document.activeElement);
    this.element.hidden = true;
    fill(this.element);
    return inside;
  }

  /**
   * @param {string} id
   * @param {AbortSignal} signal
   */
  async #detailOf(id, signal) {
    const [event, { eventView }] = await Promise.all([this.#does.known(id) ?? fetchLog(id, signal), import("./event.js")]);
    const links = [
      h("a", { class: "button", href: eventAddress(id, "source") }, "Context"),
      h("a", { class: "button", href: eventAddress(id) }, "Permalink"),
    ];
    return eventView(event, { onTerm: this.#does.onTerm, heading: this.#head(id), links });
  }

  /** @param {string} id */
  #bar(id) {
    return h("header", { class: "event-head" }, this.#head(id));
  }

  /** @param {string} id */
  #head(id) {
    const close = h("button", { type: "button", onclick: this.#does.onClose }, "Close");
    return [h("h2", { tabindex: "-1", title: id }, "Event"), close];
  }
}
