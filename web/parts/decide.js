// Deciding about issues: resolve, reopen, mute, and taking it back.

import { change } from "../api.js";
import { counted } from "../lib/amount.js";
import { fill, h } from "../lib/h.js";
import { wayBack } from "../lib/issues.js";
import { button, problemText } from "./state.js";

/** @typedef {import("../lib/issues.js").Issue} Issue */
/** @typedef {import("../lib/issues.js").Decision} Decision */

/** What one request may change; the service says the same. */
const MOST = 500;
const TIMES = /** @type {const} */ ([["now+1h", "For 1 hour"], ["now+24h", "For 24 hours"], ["now+7d", "For 7 days"]]);
const DONE = { resolve: "resolved", reopen: "reopened", mute: "muted" };

/**
 * @param {AbortSignal} life
 * @param {() => Issue[]} chosen
 * @param {(decided: Issue[], decision: Decision | null) => void} onDecided null after it was taken back
 */
export function decisionBar(life, chosen, onDecided) {
  const said = h("p", { role: "status", class: "actions decided" });
  let busy = false;

  /** @param {() => Promise<void>} work */
  async function once(work) {
    if (busy) return;
    busy = true;
    try {
      await work();
    } catch (error) {
      fill(said, problemText(error));
    } finally {
      busy = false;
    }
  }

  const decide = (/** @type {Decision} */ decision) => once(async () => {
    const issues = chosen();
    if (issues.length === 0) return fill(said, "No issue is selected.");
    const back = wayBack(issues);
    const changed = await send(issues.map(({ id }) => id), decision);
    fill(said, `${counted(changed, "issue")} ${DONE[decision.action]}.`, button("Undo", () => void once(async () => {
      for (const step of back) await send(step.ids, step.decision);
      fill(said, "Taken back.");
      onDecided(issues, null);
    })));
    onDecided(issues, decision);
  });

  const mute = (/** @type {Decision} */ decision) => {
    menu.open = false;
    menu.querySelector("summary")?.focus();
    void decide(decision);
  };
  const most = h("input", { type: "number", min: "1", max: "1000000", step: "1", required: true, defaultValue: "100", inputmode: "numeric", "aria-label": "Events an hour" });
  const menu = h("details", { class: "menu", onkeydown: (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault();
    menu.open = false;
    menu.querySelector("summary")?.focus();
  } },
  h("summary", { class: "button" }, "Mute"),
  h("ul", null,
    TIMES.map(([until, label]) => h("li", null, button(label, () => mute({ action: "mute", until })))),
    h("li", null, h("form", { class: "actions", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      mute({ action: "mute", until_per_hour: Number(most.value) });
    } }, "Until more than", most, "an hour", h("button", { type: "submit" }, "Mute")))));
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !menu.contains(target)) menu.open = false;
  }, { signal: life });

  return {
    buttons: [button("Resolve", () => void decide({ action: "resolve" })), button("Reopen", () => void decide({ action: "reopen" })), menu],
    said,
    /** @param {KeyboardEvent} event */
    press({ key }) {
      if (key === "e") void decide({ action: "resolve" });
      else if (key === "o") void decide({ action: "reopen" });
      else if (key === "m") {
        menu.open = true;
        menu.querySelector("button")?.focus();
      } else return false;
      return true;
    },
  };
}

/**
 * @param {string[]} ids
 * @param {Decision} decision
 * @returns {Promise<number>} how many were there to be changed
 */
async function send(ids, decision) {
  let changed = 0;
  for (let at = 0; at < ids.length; at += MOST) {
    const done = /** @type {{ changed: number }} */ (await change("PUT", "/issues", { ids: ids.slice(at, at + MOST), ...decision }));
    changed += done.changed;
  }
  return changed;
}
