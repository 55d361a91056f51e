// The small trend of errors: bars that lead to their logs. It is for the eye; what it says is in the text beside it.

import { counted } from "../lib/amount.js";
import { h } from "../lib/h.js";
import { clockTime, offsetsLabel, roughly } from "../lib/time.js";
import { barMillis, errorsIn } from "../lib/verdict.js";

/**
 * @param {import("../lib/verdict.js").Stats} stats
 * @param {(slot: { from: string, to: string }) => string} address
 */
export function trend(stats, address) {
  const { trend: slots, from, to } = stats;
  const most = Math.max(0, ...slots.map(({ counts }) => errorsIn(counts)));
  const now = Date.now();
  const short = (/** @type {string} */ at) => clockTime(Date.parse(at), now).replace(/:\d\d\.\d+$/, "");
  const bars = slots.map((slot) => {
    const errors = errorsIn(slot.counts);
    const bar = h("a", { href: address(slot), tabindex: "-1", title: `${short(slot.from)} to ${short(slot.to)}: ${counted(errors, "error")}` });
    // Through the object model: the policy forbids style attributes.
    bar.style.setProperty("--part", String(errors / Math.max(1, most)));
    if (errors > 0) bar.style.setProperty("--least", "2px");
    return bar;
  });
  return h("div", { "aria-hidden": "true" },
    h("div", { class: "trend" }, bars),
    h("div", { class: "trend-ends" }, h("span", null, short(from)), h("span", null, `by receipt${most > 0 ? `, peak ${counted(most, "error")} in ${roughly(barMillis(stats))}` : ""}`), h("span", null, `${short(to)} ${offsetsLabel(Date.parse(to), Date.parse(from))}`)));
}
