// The events of one issue, one at a time, newest first.

import { searchLogs } from "../api.js";
import { withTerm } from "../lib/filters.js";
import { fill, h } from "../lib/h.js";
import { issueLogs } from "../lib/issues.js";
import { go } from "../router.js";
import { loads } from "./board.js";
import { eventView } from "./event.js";
import { button, problemText } from "./state.js";

/** Events fetched at a time. */
const STEP = "10";

/**
 * @param {import("../lib/issues.js").Issue} issue
 * @param {import("../api.js").LogEvent | null} sample stands in where the search finds none
 * @param {AbortSignal} life
 */
export function eventWalk(issue, sample, life) {
  /** @type {import("../api.js").LogEvent[]} */
  let events = [];
  /** @type {string | null} */
  let cursor = null;
  let at = 0;
  const place = h("div");
  const newer = button("Newer", () => void step(-1));
  const older = button("Older", () => void step(1));
  const said = h("span", { class: "muted", role: "status" });

  /** The page on its way; steps taken meanwhile wait for the same. @type {Promise<void> | null} */
  let coming = null;
  const more = () => coming ??= fetchMore().finally(() => {
    coming = null;
  });

  async function fetchMore() {
    const query = { project_id: String(issue.project_id), fingerprint: issue.fingerprint, from: "-90d", order: "desc", limit: STEP };
    const page = await searchLogs(cursor === null ? query : { ...query, cursor }, life);
    events.push(...page.logs);
    cursor = page.next_cursor;
  }

  const refresh = loads(life, place, {
    async load() {
      [events, cursor, at] = [[], null, 0];
      await more();
      if (events.length === 0 && sample) events = [sample];
    },
    view: current,
  });

  function current() {
    const event = events[at];
    newer.disabled = at === 0;
    older.disabled = cursor === null && at >= events.length - 1;
    if (!event) return h("p", { class: "muted" }, "Its events are no longer kept.");
    fill(said, at === 0 ? "The newest." : `Number ${at + 1} from the newest.`);
    const heading = h("div", { class: "actions" }, newer, older, said);
    const links = h("a", { class: "button", href: `/ui/logs/${encodeURIComponent(event.id)}` }, "Permalink");
    return eventView(event, { heading, links, ofIssue: true, onTerm: (term, exclude) => go(issueLogs(issue, withTerm("", term, exclude))) });
  }

  /** @param {1 | -1} by */
  async function step(by) {
    const focused = [newer, older].find((one) => one === document.activeElement);
    try {
      if (at + by >= events.length && cursor !== null) await more();
    } catch (error) {
      if (!life.aborted) fill(said, problemText(error));
      return;
    }
    if (!events[at + by]) return;
    at += by;
    fill(place, current());
    // What was pressed may be at its end now.
    if (focused) (focused.disabled ? (focused === newer ? older : newer) : focused).focus();
  }

  void refresh();
  return {
    element: place,
    /** @param {KeyboardEvent} event */
    press({ key }) {
      if (key !== "j" && key !== "k") return false;
      void step(key === "j" ? 1 : -1);
      return true;
    },
  };
}
