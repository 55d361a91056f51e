// Purging: first a preview that counts, then the confirmation, typed. A change of what is asked for takes the preview back.

import { change } from "../api.js";
import { counted } from "../lib/amount.js";
import { fill, h, shown } from "../lib/h.js";
import { typedConfirm } from "./control.js";
import { field } from "./field.js";
import { problemText } from "./state.js";

/** @typedef {{ deleted_events: number, deleted_blocks: number, rewritten_blocks: number, complete: boolean, unreadable_blocks?: number }} Purged */

/** @typedef {readonly (readonly [string, string])[]} Ages */
const OLDER = /** @type {const} */ ([["-7d", "Older than 7 days"], ["-3d", "Older than 3 days"], ["-24h", "Older than 24 hours"], ["-1h", "Older than 1 hour"]]);
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
  const project = h("select", { id: "purge-project" }, h("option", { value: "" }, "All projects"),
    projects.map(({ id, slug }) => h("option", { value: String(id) }, slug)));
  const age = h("select", { id: "purge-age", required: true });
  const query = field("Only what matches", { id: "purge-query", autocomplete: "off", spellcheck: "false" }, "A query as in the logs; empty for whole blocks by age. With a query, retention is no age: choose one.");
  const said = h("p", { role: "status" });
  const confirm = h("div");
  const preview = h("button", { type: "submit" }, "Preview");

  const typed = () => query.input.value.trim();
  const asked = () => ({
    ...(project.value === "" ? {} : { project_id: Number(project.value) }),
    ...(UNTOLD.includes(age.value) ? {} : { older_than: age.value }),
    ...(typed() === "" ? {} : { q: typed() }),
  });
  const chosen = (/** @type {HTMLSelectElement} */ select) => select.selectedOptions[0]?.textContent ?? "";

  /** The ages that what is typed can have; one that it can't have is no longer chosen. */
  function offerAges() {
    const ages = typed() === "" ? AGES : QUERY_AGES;
    if (age.options[0]?.value === ages[0]?.[0]) return;
    const before = age.value;
    fill(age, ages.map(([value, text]) => h("option", { value }, text)));
    age.value = ages.some(([value]) => value === before) ? before : (ages[0]?.[0] ?? "");
  }

  /** What goes, in words: `101 events of shop, any age, matching “x”`. @param {Purged} found */
  function whatGoes(found) {
    const amount = `${found.complete ? "" : "At least "}${counted(found.deleted_events, "event")}`;
    const of = project.value === "" ? "all projects" : chosen(project);
    const old = `${chosen(age).charAt(0).toLowerCase()}${chosen(age).slice(1)}`;
    return `${amount} of ${of}, ${old}${typed() === "" ? "" : `, matching “${shown(typed())}”`}`;
  }

  async function count() {
    preview.disabled = true;
    fill(said, "Counting…");
    fill(confirm);
    try {
      const body = asked();
      const found = /** @type {Purged} */ (await change("POST", "/admin/purge", { ...body, dry_run: true }));
      if (JSON.stringify(body) !== JSON.stringify(asked())) return fill(said, "What is asked for has changed: preview again.");
      fill(said);
      if (found.deleted_events === 0 && found.complete) fill(said, "Nothing would be deleted.");
      else fill(confirm, confirmation(found, body));
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
      label: "Confirm the purge", text: `${whatGoes(found)} will be deleted for good.`, word, sure: "Delete them",
      act: async () => {
        fill(said, "Deleting…");
        try {
          const done = /** @type {Purged} */ (await change("POST", "/admin/purge", body));
          fill(said, `${counted(done.deleted_events, "event")} deleted.${done.complete ? "" : " There is more to do; it goes on by itself."}`);
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

  offerAges();
  const takeBack = () => {
    offerAges();
    fill(confirm);
    fill(said);
  };
  const labelled = (/** @type {string} */ label, /** @type {HTMLSelectElement} */ input) =>
    h("div", { class: "field" }, h("label", { for: input.id }, label), input);
  const form = h("form", { class: "section-body", oninput: takeBack, onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!preview.disabled) void count();
  } },
  h("div", { class: "form-grid" }, labelled("Project", project), labelled("Age", age), query.element),
  h("div", { class: "actions" }, preview, h("span", { class: "muted" }, "Preview counts what would go and deletes nothing.")));
  return [form, said, confirm];
}
