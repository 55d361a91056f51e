// A labelled input with a hint and room for a complaint.

import { fill, h } from "../lib/h.js";

/**
 * @param {string} label
 * @param {import("../lib/h.js").Props & { id: string }} props
 * @param {string} [hint]
 */
export function field(label, props, hint) {
  const wrong = h("p", { class: "form-error", role: "alert", id: `${props.id}-error` });
  const described = `${hint ? `${props.id}-hint ` : ""}${props.id}-error`;
  const input = h("input", { type: "text", "aria-describedby": described, ...props });
  const element = h(
    "div",
    { class: "field" },
    h("label", { for: props.id }, label),
    input,
    hint ? h("p", { class: "hint", id: `${props.id}-hint` }, hint) : null,
    wrong,
  );
  return {
    element,
    input,
    /** @param {string} text empty for none */
    complain(text) {
      fill(wrong, text);
      if (text === "") input.removeAttribute("aria-invalid");
      else input.setAttribute("aria-invalid", "true");
    },
  };
}
