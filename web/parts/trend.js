// The small trend of errors: bars that lead to their logs. They are for the eye; what they say is in the text below.

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
  const errorsOf = (/** @type {typeof slots[number]} */ { counts }) => errorsIn(counts);
  const most = Math.max(0, ...slots.map(errorsOf));
  const peak = most > 0 ? slots.find((slot) => errorsOf(slot) === most) : undefined;
  const now = Date.now();
  const short = (/** @type {string} */ at) => clockTime(Date.parse(at), now).replace(/:\d\d\.\d+$/, "");
  const bars = slots.map((slot) => {
    const errors = errorsOf(slot);
    const bar = h("a", { href: address(slot), tabindex: "-1", title: `${short(slot.from)} to ${short(slot.to)}: ${counted(errors, "error")}` });
    // Through the object model: the policy forbids style attributes.
    bar.style.setProperty("--part", String(errors / Math.max(1, most)));
    if (errors > 0) bar.style.setProperty("--least", "2px");
    return bar;
  });
  return h("div", null,
    h("div", { class: "trend", "aria-hidden": "true" }, bars),
    h("div", { class: "trend-ends" }, h("span", null, short(from)),
      h("span", null, "by receipt", peak ? [", ", h("a", { href: address(peak) }, `peak ${counted(most, "error")} in ${roughly(barMillis(stats))} from ${short(peak.from)}`)] : null),
      h("span", null, `${short(to)} ${offsetsLabel(Date.parse(to), Date.parse(from))}`)));
}
