// A labelled input with a hint and room for a complaint.

import { fill, h } from "../lib/h.js";

/**
 * @template {HTMLElement} [T=HTMLInputElement]
 * @param {import("../lib/h.js").Children} label
 * @param {import("../lib/h.js").Props & { id: string }} props
 * @param {string} [hint]
 * @param {T} [input] another control than a line of text
 */
export function field(label, { id, ...props }, hint, input = /** @type {any} */ (h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...props }))) {
  const wrong = h("p", { class: "form-error", role: "alert", id: `${id}-error` });
  input.id = id;
  input.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${wrong.id}`);
  const element = h("div", { class: "field" },
    h("label", { for: id }, label),
    input,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    wrong);
  return {
    element,
    input,
    /** @param {string} text empty for none; else the input gets the focus */
    complain(text) {
      fill(wrong, text);
      if (text === "") return input.removeAttribute("aria-invalid");
      input.setAttribute("aria-invalid", "true");
      input.focus();
    },
  };
}
