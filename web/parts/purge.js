// Purging: first a preview that counts, then the confirmation, typed. A change of what is asked for takes the preview back.
// What is confirmed is sent: the time an age came to at the preview, by the service's clock.

import { change } from "../api.js";
import { counted } from "../lib/amount.js";
import { fill, h, shown } from "../lib/h.js";
import { readMoment } from "../lib/moment.js";
import { fullTime, ownZone } from "../lib/time.js";
import { typedConfirm } from "./control.js";
import { field } from "./field.js";
import { TIME_EXAMPLES } from "./filter.js";
import { problemText } from "./state.js";

/** @typedef {{ deleted_events: number, deleted_blocks: number, rewritten_blocks: number, complete: boolean, older_than?: string, unreadable_blocks?: number }} Purged */

/** @typedef {readonly (readonly [string, string])[]} Ages */
const TYPED = "typed";
const OLDER = /** @type {const} */ ([["-7d", "Older than 7 days"], ["-3d", "Older than 3 days"], ["-24h", "Older than 24 hours"], ["-1h", "Older than 1 hour"], [TYPED, "Received before…"]]);
/** Of whole blocks; without an age the API takes what its project's retention has passed. @type {Ages} */
const AGES = [["retention", "Past its retention"], ...OLDER, ["now", "Everything until now"]];
/** Of what matches a query; without an age the API takes all of it, so that is chosen and never the first. @type {Ages} */
const QUERY_AGES = [["", "Choose an age"], ...OLDER, ["any", "Any age"]];
/** The choices that the API is told by leaving the age out. */
const UNTOLD = ["", "retention", "any"];

/**
 * @param {import("../api.js").Project[]} projects
 * @param {() => void} onPurged
 */
export function purgeForm(projects, onPurged) {
  const { input: project, ...projectField } = field("Project", { id: "purge-project" }, "", h("select", null, h("option", { value: "" }, "All projects"),
    projects.map(({ id, slug }) => h("option", { value: String(id) }, slug))));
  const { input: age, ...ageField } = field("Age", { id: "purge-age" }, "", h("select", { required: true }));
  const before = field("Received before", { id: "purge-before" }, `${TIME_EXAMPLES}; without a zone, of ${ownZone()}.`);
  const query = field("Only what matches", { id: "purge-query" }, "As in the logs, with an age or a time. Empty, age alone decides.");
  const said = h("p", { role: "status" });
  const confirm = h("div");
  const preview = h("button", { type: "submit" }, "Preview");
  /** Counts what was asked for in the form. */
  let turn = 0;

  const typed = () => query.input.value.trim();
  const chosen = (/** @type {HTMLSelectElement} */ select) => select.selectedOptions[0]?.textContent ?? "";

  /** The age as the API takes it, nothing where it is told by leaving it out; null for what is no time that was. */
  function olderThan() {
    if (age.value !== TYPED) return UNTOLD.includes(age.value) ? "" : age.value;
    const now = Date.now();
    const read = readMoment(before.input.value, now, "");
    return read && read.at <= now ? read.text : null;
  }

  /** The ages that what is typed can have; one that it can't have is no longer chosen. */
  function offerAges() {
    const ages = typed() === "" ? AGES : QUERY_AGES;
    if (age.options[0]?.value === ages[0]?.[0]) return;
    const had = age.value;
    fill(age, ages.map(([value, text]) => h("option", { value }, text)));
    age.value = ages.some(([value]) => value === had) ? had : (ages[0]?.[0] ?? "");
  }

  /** What goes, in words: `101 events of shop, received before 2026-11-20 16:06:00.000 UTC, matching “x”`. @param {Purged} found */
  function whatGoes(found) {
    const amount = `${found.complete ? "" : "At least "}${counted(found.deleted_events, "event")}`;
    const of = project.value === "" ? "all projects" : chosen(project);
    const old = found.older_than ? `received before ${fullTime(Date.parse(found.older_than))}` : chosen(age).toLowerCase();
    return `${amount} of ${of}, ${old}${typed() === "" ? "" : `, matching “${shown(typed())}”`}`;
  }

  /** Not all that was meant can be looked through. @param {Purged} found */
  function unread({ unreadable_blocks: blocks }) {
    return blocks ? ` ${counted(blocks, "damaged block")} can't be read and will stay.` : "";
  }

  async function count() {
    const older = olderThan();
    if (older === null) return before.complain("This is no time in the past.");
    const [mine, q] = [turn, typed()];
    preview.disabled = true;
    fill(said, "Counting…");
    fill(confirm);
    try {
      const body = { ...(project.value && { project_id: Number(project.value) }), ...(older && { older_than: older }), ...(q && { q }) };
      const found = /** @type {Purged} */ (await change("POST", "/admin/purge", { ...body, dry_run: true }));
      if (mine !== turn) return;
      fill(said);
      if (found.deleted_events === 0 && found.complete) fill(said, `Nothing would be deleted.${unread(found)}`);
      else fill(confirm, confirmation(found, { ...body, ...(found.older_than && { older_than: found.older_than }) }));
    } catch (error) {
      fill(said, problemText(error));
    } finally {
      preview.disabled = false;
    }
  }

  /** @param {Purged} found @param {object} body */
  function confirmation(found, body) {
    const word = project.value === "" ? "all projects" : chosen(project);
    return typedConfirm({
      label: "Confirm the purge", text: `${whatGoes(found)} will be deleted for good.${unread(found)}`, word, sure: "Delete them",
      act: async () => {
        fill(said, "Deleting…");
        try {
          const done = /** @type {Purged} */ (await change("POST", "/admin/purge", body));
          fill(said, `${counted(done.deleted_events, "event")} deleted.${done.complete ? "" : " There is more to do; it goes on by itself."}${unread(done)}`);
          fill(confirm);
          onPurged();
        } catch (error) {
          fill(said, problemText(error));
        }
      },
      cancel: () => {
        fill(confirm);
        preview.focus();
      },
    });
  }

  const takeBack = () => {
    turn += 1;
    offerAges();
    before.element.hidden = age.value !== TYPED;
    before.complain("");
    fill(confirm);
    fill(said);
  };
  takeBack();
  const form = h("form", { class: "section-body", oninput: takeBack, onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!preview.disabled) void count();
  } },
  h("div", { class: "form-grid" }, projectField.element, ageField.element, before.element, query.element),
  h("div", { class: "actions" }, preview, h("span", { class: "muted" }, "Preview counts what would go and deletes nothing.")));
  return [form, said, confirm];
}
