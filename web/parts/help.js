// The keyboard help.

import { h } from "../lib/h.js";

const KEYS = [
  ["/", "Search"],
  ["j", "Next event or issue"],
  ["k", "Previous event or issue"],
  ["Enter", "Open it"],
  ["c", "What is around the event"],
  ["l", "Live tail on and off"],
  ["x", "Select the issue"],
  ["e", "Resolve the issue, or those selected"],
  ["o", "Reopen"],
  ["m", "Mute"],
  ["Esc", "Close the event"],
  ["?", "This help"],
];

const QUERIES = [
  ["timeout", "contained in any field, in any case"],
  ["\"connection reset\"", "a phrase"],
  ["-healthz", "without this"],
  ["timeout OR refused", "either"],
  ["user_id:42", "a field with this value"],
  ["ctx.status:>=500", "a number in the context"],
  ["message:/time.?out/", "a regular expression"],
  ["has:stack", "the field is there"],
];

export function openHelp() {
  const dialog = h(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    h("form", { method: "dialog", class: "dialog-head" },
      h("h2", { id: "help-title" }, "Help"),
      h("button", { type: "submit", class: "quiet" }, "Close")),
    h("h3", null, "Keys"),
    h("dl", { class: "pairs" }, KEYS.map(([key, text]) => [h("dt", null, h("kbd", null, key)), h("dd", null, text)]).flat()),
    h("h3", null, "Queries"),
    h("dl", { class: "pairs" }, QUERIES.map(([term, text]) => [h("dt", null, h("code", null, term)), h("dd", null, text)]).flat()),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
