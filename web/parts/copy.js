// Copying, on plain HTTP too, and saying so when it did not work.

import { h } from "../lib/h.js";

const SAID_MS = 2000;

/**
 * A button that copies what `text` gives at the time of the click.
 * @param {string} label
 * @param {() => string} text
 */
export function copyButton(label, text) {
  const said = h("span", { class: "unseen", role: "status" });
  const button = h("button", { type: "button" }, label);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  button.addEventListener("click", async () => {
    const done = await copyText(text(), button);
    button.textContent = done ? "Copied" : "Copying failed";
    said.textContent = done ? `${label}: copied` : `${label}: the browser refused. Select the text and copy it by hand.`;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
      said.textContent = "";
    }, SAID_MS);
  });
  return h("span", { class: "copy" }, button, said);
}

/**
 * @param {string} text
 * @param {HTMLElement} beside gets the focus back; inside the same dialog, so that the fallback can select
 */
async function copyText(text, beside) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard without HTTPS, or no permission: the old way needs a selection.
    const area = h("textarea", { class: "unseen", "aria-hidden": "true", tabindex: "-1", readonly: true, value: text });
    beside.after(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    beside.focus();
    return done;
  }
}
