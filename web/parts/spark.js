// An issue at a glance: its day as 24 small bars, and what stands out.

import { counted } from "../lib/amount.js";
import { h, svg } from "../lib/h.js";

/** @param {number[] | null | undefined} trend events an hour, this hour last */
export function spark(trend) {
  if (!trend?.length) return null;
  const most = Math.max(...trend);
  const sum = trend.reduce((all, one) => all + one, 0);
  // An hour with any event is seen, however high the others are.
  const bars = trend.map((n, at) => (n === 0 ? "" : `M${at * 4} 20v${-Math.max(2, Math.round((20 * n) / most))}h3V20z`));
  const text = `${counted(sum, "event")} in 24 hours, at most ${counted(most, "event")} an hour`;
  return svg("svg", { class: "spark", viewBox: `0 0 ${trend.length * 4} 20`, preserveAspectRatio: "none", role: "img", "aria-label": text },
    svg("title", {}, text), svg("path", { d: bars.join("") }));
}

/** What stands out about an issue. @param {import("../lib/issues.js").Issue} issue */
export function badges(issue) {
  return [issue.regressed ? h("span", { class: "badge", "data-level": "error" }, "Regressed") : null, issue.new ? h("span", { class: "badge" }, "New") : null];
}
