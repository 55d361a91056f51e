// One project: what is set for it, its keys, and its end.

import { change, Problem, read } from "../api.js";
import { counted } from "../lib/amount.js";
import { projectLogs } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { loads, part, section, when } from "../parts/board.js";
import { actionsWith, changeForm, choiceControl, formPlace, listControl, textControl, typedConfirm } from "../parts/control.js";
import { button, errorPanel, problemText } from "../parts/state.js";
import { go } from "../router.js";
import { basicControls } from "./projects.js";
import { secretsView, unknownProject } from "./setup.js";

/** @typedef {import("../api.js").Project} Project */
/** @typedef {{ id: number, kind: string, note: string, hint: string, created_at: string, revoked_at: string | null }} Key */

/** What a key is for. @type {Record<string, string>} */
const KINDS = { server: "Sends events, signed", read: "Reads the logs of this project" };

/** @type {import("../router.js").Open} */
export function open(_url, [slug = ""]) {
  const life = new AbortController();
  const heading = h("h1", null, shown(slug.slice(0, 80)));
  const place = h("div", { class: "section-body" });
  const address = `/admin/projects/${encodeURIComponent(slug)}`;

  const refresh = loads(life.signal, place, {
    load: () => /** @type {Promise<{ project: Project }>} */ (read(address, life.signal)),
    view({ project }) {
      // The slug may change while the page is open; its secrets stay.
      const own = `/admin/projects/${project.id}`;
      const links = h("div", { class: "actions" });
      const end = h("div");
      /** @param {Project} now */
      const show = (now) => {
        const place = `/ui/projects/${now.slug}`;
        fill(heading, shown(now.name));
        fill(links, h("a", { class: "button", href: projectLogs(now) }, "Logs"), h("a", { class: "button", href: `${place}/setup` }, "Set up"));
        fill(end, ending(now.slug, own));
        if (!life.signal.aborted) history.replaceState(null, "", place);
      };
      show(project);
      const keys = keysOf(life.signal, own);
      void keys.refresh();
      return [links, part("Settings", settings(project, own, show)), keys.element, part("Delete", end)];
    },
    fail: (error, again) => (error instanceof Problem && error.status === 404 ? unknownProject() : errorPanel(error, again)),
  });
  void refresh();
  return { element: h("div", { class: "page" }, heading, place), title: "Project", close: () => life.abort() };
}

/**
 * @param {Project} project
 * @param {string} address
 * @param {(saved: Project) => void} onSaved
 */
function settings(project, address, onSaved) {
  const { off, extra_keys: names } = project.scrub;
  return changeForm({
    title: "Settings",
    controls: [
      ...basicControls(project),
      listControl("scrub.extra_keys", "Further secret names", names, "Separated by commas; values of such names are taken out."),
      choiceControl("scrub.off", "Secrets in events", [["", "Taken out"], ["off", "Stored as sent"]], off ? "off" : "", (value) => value !== ""),
    ],
    method: "PUT", address, submit: "Save settings",
    ask: ({ retention_days: days }, now) => days < now.retention_days && `Events older than ${counted(days, "day")} will be deleted.`,
    done: (/** @type {{ project: Project }} */ saved) => onSaved(saved.project),
  });
}

/** @param {AbortSignal} life @param {string} address of the project */
function keysOf(life, address) {
  const said = h("p", { role: "status" });
  // Nothing but another key takes their place, and nothing reads them aloud.
  const secrets = h("div", { class: "section-body" });
  const make = button("New key", openForm);
  const editor = formPlace(make);
  const keys = section(life, {
    id: "keys", title: "Keys", tools: make,
    load: () => /** @type {Promise<{ keys: Key[] }>} */ (read(`${address}/keys`, life)),
    view: ({ keys: list }) => [editor.element, said, secrets, h("ul", { class: "entries" }, list.map(keyView))],
  });

  /** @param {Key} key */
  function keyView({ id, kind, note, hint, created_at: made, revoked_at: revoked }) {
    const now = Date.now();
    /** @type {() => Promise<void>} */
    const revoke = () => change("DELETE", `${address}/keys/${id}`).then(() => {
      fill(said, "Revoked.");
      return keys.refresh();
    }, (error) => fill(said, problemText(error)));
    return h("li", { class: "entry", "data-off": revoked ? "" : null },
      h("div", null,
        h("h3", null, h("code", null, `${shown(hint)}…`), revoked && " (revoked)"),
        h("p", { class: "value" }, shown(note)),
        h("p", { class: "muted" }, `${KINDS[kind] ?? kind}. Made `, when(made, now), revoked && ", revoked ", revoked && when(revoked, now), ".")),
      revoked ? null : actionsWith([], { label: "Revoke", ask: "What uses it is refused from then on.", sure: "Revoke it", act: revoke }));
  }

  function openForm() {
    void editor.open(() => changeForm({
      title: "New key",
      controls: [
        choiceControl("kind", "For", Object.entries(KINDS), "server", (value) => value),
        textControl("note", "Note", { maxlength: "200" }, "Who or what uses it."),
      ],
      method: "POST", address: `${address}/keys`, submit: "Make key", cancel: editor.close,
      done: (/** @type {{ key: import("../api.js").NewKey }} */ { key }) => {
        editor.close();
        fill(secrets, secretsView(key));
        fill(said);
        void keys.refresh();
      },
    }));
  }

  return keys;
}

/** @param {string} slug @param {string} address */
function ending(slug, address) {
  const said = h("p", { class: "form-error", role: "alert" });
  const ask = button("Delete this project…", () => {
    fill(said);
    fill(place, typedConfirm({
      label: "Confirm the deletion", text: "The project, its keys and all its events will be deleted for good.", word: slug, sure: "Delete the project",
      act: () => change("DELETE", address).then(() => go("/ui/projects"), (error) => fill(said, problemText(error))),
      cancel: () => {
        fill(place, usual);
        ask.focus();
      },
    }), said);
    place.querySelector("input")?.focus();
  });
  const usual = h("div", { class: "actions" }, ask);
  const place = h("div", { class: "section-body" }, usual);
  return place;
}
