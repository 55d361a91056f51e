// Events the database refused for themselves: why, store them after all, or discard them.

import { change, read } from "../api.js";
import { bytes, count, counted } from "../lib/amount.js";
import { fill, h, shown } from "../lib/h.js";
import { ago, expiresIn, fullTime } from "../lib/time.js";
import { pager, section } from "./board.js";
import { actionsWith } from "./control.js";
import { button, problemText } from "./state.js";

/**
 * @typedef {object} Held
 * @property {string} id
 * @property {number} project_id
 * @property {string} project
 * @property {string} received_at
 * @property {string} expires_at
 * @property {{ code: string, detail: string, error_number: number, error_message: string }} reason
 * @property {number} bytes
 * @property {import("../api.js").LogEvent | null} event null where what was kept of it is damaged
 */
/** @typedef {{ quarantine: Held[], next_cursor: string | null, events: number, bytes: number, max_events: number, max_bytes: number }} Page */
/** @typedef {{ stored: number, still_refused: number, next_cursor: string | null }} RetriedMany */

/**
 * @param {AbortSignal} life
 * @param {() => void} onChange something was stored or discarded
 * @param {() => string} project the slug of those shown; empty for all
 */
export function quarantinePart(life, onChange, project) {
  const said = h("p", { role: "status", class: "muted" });
  /** Where further pages begin; empty for the first. */
  let cursor = "";
  /** Where trying all of them again goes on, so that those still refused are not tried over and over. @type {string | null} */
  let onward = null;
  const part = section(life, {
    id: "quarantine",
    title: "Quarantine",
    load: () => /** @type {Promise<Page>} */ (read(`/admin/quarantine?${new URLSearchParams({ project_id: project(), cursor })}`, life)),
    view: (page) => [pageView(page), said],
  });

  /** @param {() => Promise<string>} work what it did, in words */
  async function act(work) {
    fill(said, "Working…");
    try {
      fill(said, await work());
      cursor = "";
      await part.refresh();
      onChange();
    } catch (error) {
      fill(said, problemText(error));
    }
  }

  /** @param {number} [projectId] of every project where there is none */
  const retryAll = (projectId) => act(async () => {
    const done = /** @type {RetriedMany} */ (await change("POST", "/admin/quarantine/retry",
      { ...(projectId === undefined ? {} : { project_id: projectId }), ...(onward === null ? {} : { cursor: onward }) }));
    onward = done.next_cursor;
    return `${counted(done.stored, "event")} stored, ${count(done.still_refused)} still refused.${done.next_cursor ? " There are more: press again to go on." : ""}`;
  });

  /** @param {Page} page */
  function pageView(page) {
    if (page.quarantine.length === 0 && cursor === "") return h("p", { class: "muted" }, project() === "" ? "Nothing is in quarantine." : "Nothing of this project is in quarantine.");
    // The last of a later page is done: there is nothing to be seen but the first.
    if (page.quarantine.length === 0) {
      cursor = "";
      void part.refresh();
      return null;
    }
    // What is shown says which project is meant, whatever is chosen by the time the button is pressed.
    const of = project() === "" ? undefined : page.quarantine[0]?.project_id;
    const move = (/** @type {string} */ to) => {
      cursor = to;
      void part.refresh();
    };
    return h("div", { class: "section-body" },
      h("div", { class: "actions" },
        h("span", null, `${counted(page.events, "event")} of all projects, ${bytes(page.bytes)} kept (room for ${count(page.max_events)} and ${bytes(page.max_bytes)})`),
        button(of === undefined ? "Retry all" : "Retry all of this project", () => void retryAll(of))),
      h("ul", { class: "section-body" }, page.quarantine.map(heldView)),
      pager(cursor, page.next_cursor, move));
  }

  /** @param {Held} held */
  function heldView(held) {
    const now = Date.now();
    const retry = button("Retry", () => void act(async () => {
      await change("POST", `/admin/quarantine/${encodeURIComponent(held.id)}/retry`);
      return "Stored.";
    }));
    const actions = actionsWith(held.event ? [retry] : [], {
      label: "Discard", ask: "This event will be gone.", sure: "Discard for good",
      act: () => act(async () => {
        await change("DELETE", `/admin/quarantine/${encodeURIComponent(held.id)}`);
        return "Discarded.";
      }),
    });
    return h("li", { class: "card" },
      h("p", { class: "value mono" }, held.event === null ? "What was kept of this event is damaged." : shown(held.event.message.slice(0, 400))),
      h("p", null, `${held.reason.detail} (error ${held.reason.error_number}: ${shown(held.reason.error_message.slice(0, 300))})`),
      h("p", { class: "muted" }, `${shown(held.project)}, ${bytes(held.bytes)} as sent, received `,
        h("time", { datetime: held.received_at, title: fullTime(Date.parse(held.received_at)) }, ago(Date.parse(held.received_at), now)),
        `, expires ${expiresIn(Date.parse(held.expires_at), now)}`),
      actions,
      held.event && h("details", null, h("summary", null, "All of it"), h("pre", null, shown(JSON.stringify(held.event, null, 2)))));
  }

  const first = () => {
    cursor = "";
    onward = null;
    fill(said);
    return part.refresh();
  };
  return { ...part, first };
}
