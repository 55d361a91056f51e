// The keyboard help.

import { h } from "../lib/h.js";

/** @type {[string, [string, string][]][]} */
const KEYS = [
  ["Lists", [
    ["/", "Search; Enter leads to its result"],
    ["j k", "Next and previous event or issue"],
    ["Enter", "Open it"],
    ["Esc", "Close the event or the suggestions, or leave the search"],
    ["?", "This help"],
  ]],
  ["Logs", [
    ["e E", "Next and previous error"],
    ["w W", "Next and previous warning"],
    ["c", "What is around the event"],
    ["f", "Filter by a field"],
    ["l", "Live tail on and off"],
    ["r", "Fold repeats on and off"],
    ["x", "Each of the repeats"],
    ["↑ ↓", "In the search: suggestions and earlier searches"],
  ]],
  ["Issues", [
    ["s", "Select"],
    ["d", "Done: resolve it, or those selected"],
    ["o", "Reopen"],
    ["m", "Mute"],
  ]],
];

const QUERIES = [
  ["timeout", "contained in any field, in any case"],
  ["\"connection reset\"", "a phrase"],
  ["-healthz", "without this"],
  ["timeout OR refused", "either"],
  ["user_id:42", "a field with this value"],
  ["ctx.status:>=500", "a number in the data of an event"],
  ["message:/time.?out/", "a regular expression"],
  ["has:stack", "the field is there"],
];

/** Where phones begin: as in the sheets. */
const NARROW = "(width <= 900px)";

export function openHelp() {
  const keys = KEYS.map(([where, keys]) => [
    h("h3", null, `Keys: ${where.toLowerCase()}`),
    h("dl", { class: "pairs" }, keys.map(([key, text]) => [h("dt", null, key.split(" ").map((one) => [h("kbd", null, one), " "]).flat()), h("dd", null, text)]).flat()),
  ]).flat();
  const queries = [
    h("h3", null, "Queries"),
    h("dl", { class: "pairs" }, QUERIES.map(([term, text]) => [h("dt", null, h("code", null, term)), h("dd", null, text)]).flat()),
  ];
  const dialog = h(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    h("form", { method: "dialog", class: "event-head" },
      h("h2", { id: "help-title" }, "Help"),
      h("button", { type: "submit" }, "Close")),
    // Who has no keys looks for the queries.
    matchMedia(NARROW).matches ? [...queries, ...keys] : [...keys, ...queries],
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
