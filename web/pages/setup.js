// Setting a project up: a key, snippets to send with, and a sign that the first event has come. A project that has just
// been made shows the same, with its first key.

import { change, Problem, read, readText, searchLogs } from "../api.js";
import { eventAddress, projectLogs } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { loads, when } from "../parts/board.js";
import { copyButton } from "../parts/copy.js";
import { button, errorPanel, panel, problemText } from "../parts/state.js";

/** @typedef {import("../api.js").NewKey} NewKey */
/** @typedef {{ name: string, file: string, run: string, code: string }} Snippet */

/** Time between two looks for an event. */
const LOOK_MS = 2000;
/** Looks without a sign of life: a forgotten tab must not keep the service awake. */
const LOOKS = 300;

/** Events of one look: a test event must not hide the one that came just before it. */
const LATEST = 10;
/** Whether it is the one of src/ingest.rs. @param {import("../api.js").LogEvent} event */
const isTest = ({ source, message }) => source === "tekno-logger" && message === "Test event from Tekno Logger";

/** @type {import("../router.js").Open} */
export function open(_url, [slug = ""]) {
  const life = new AbortController();
  const heading = h("h1", null, `Set up ${shown(slug.slice(0, 80))}`);
  const place = h("div", { class: "section-body" });
  const refresh = loads(life.signal, place, {
    load: () => /** @type {Promise<{ project: import("../api.js").Project }>} */ (read(`/admin/projects/${encodeURIComponent(slug)}`, life.signal)),
    view({ project }) {
      fill(heading, `Set up ${shown(project.name || project.slug)}`);
      return [
        setupView(life.signal, project.slug, null),
        h("h2", null, "First event"),
        arrivals(life.signal, project.slug),
        h("p", { class: "links" }, h("a", { href: projectLogs(project) }, "Logs of this project"), h("a", { href: `/ui/projects/${encodeURIComponent(project.slug)}` }, "Settings and keys")),
      ].flat();
    },
    fail: (error, again) => (error instanceof Problem && error.status === 404 ? unknownProject() : errorPanel(error, again)),
  });
  void refresh();
  return { element: h("div", { class: "page" }, heading, place), title: "Setup", close: () => life.abort() };
}

/** Instead of a project that is not there: where to go. @param {string} href @param {string} text */
export function unknownProject(href = "/ui/projects", text = "Go to the projects") {
  return panel({ title: "No such project", text: "No project has this slug. It may have been deleted or renamed.", actions: [h("a", { class: "button primary", href }, text)] });
}

/**
 * What a new project gives away once.
 * @param {AbortSignal} life
 * @param {import("../api.js").Project} project
 * @param {import("../api.js").NewKey} key
 */
export function createdView(life, project, key) {
  return h(
    "section",
    { class: "card", "aria-labelledby": "made-title" },
    h("h2", { id: "made-title", tabindex: "-1" }, `${shown(project.name)} is ready`),
    setupView(life, project.slug, key, "h3"),
    h("h3", null, "First event"),
    arrivals(life, project.slug),
  );
}

/**
 * The key with its secret, and the snippets.
 * @param {AbortSignal} life
 * @param {string} slug
 * @param {NewKey | null} given a key that has just been made; else one is made on request
 * @param {"h2" | "h3"} level of the headings
 */
function setupView(life, slug, given, level = "h2") {
  let key = given;
  let chosen = 0;
  const keys = h("div", { class: "setup-keys" });
  const place = h("div", { class: "section-body" });

  const refresh = loads(life, place, {
    load: async () => parseSnippets(await readText(new URL("../snippets.txt", import.meta.url).pathname, life)),
    view: snippetView,
  });

  /** @param {Snippet[]} snippets */
  function snippetView(snippets) {
    const code = h("pre", { class: "code", tabindex: "0", role: "group" });
    const how = h("p", { class: "hint" });
    const show = (/** @type {number} */ index) => {
      chosen = index;
      names.forEach((name, at) => name.setAttribute("aria-pressed", String(at === index)));
      const { name = "", file = "", run = "", code: text = "" } = snippets[index] ?? {};
      const values = { url: location.origin, key: key?.api_key ?? "YOUR_KEY", secret: key?.signing_secret ?? "YOUR_SECRET" };
      fill(code, filled(text, values));
      code.setAttribute("aria-label", `${name} snippet`);
      fill(how, "Save as ", h("code", null, file), " and run ", h("code", null, run), ".",
        key === null ? " YOUR_KEY and YOUR_SECRET stand for a key of yours: make one above, or put them in." : null);
    };
    const names = snippets.map(({ name }, index) => button(name, () => show(index)));
    show(chosen);
    return [h("div", { class: "actions", role: "group", "aria-label": "Language" }, names), code, h("div", { class: "actions" }, copyButton(key === null ? "Copy without a key" : "Copy snippet", () => code.textContent ?? ""), how)];
  }

  function showKey() {
    if (key !== null) return fill(keys, secretsView(key));
    const said = h("p", { class: "form-error", role: "alert" });
    const make = button("Make a server key", async () => {
      make.disabled = true;
      try {
        const made = /** @type {{ key: NewKey }} */ (await change("POST", `/admin/projects/${encodeURIComponent(slug)}/keys`, { kind: "server", note: "setup page" }));
        key = made.key;
        showKey();
        void refresh();
        keys.querySelector("button")?.focus();
      } catch (error) {
        fill(said, problemText(error));
        make.disabled = false;
      }
    }, true);
    fill(keys, h("p", { class: "muted" }, "A new key is shown once and filled into the snippets. Keys you have keep working."), h("div", { class: "actions" }, make), said);
  }

  showKey();
  void refresh();
  return [h(level, null, "Key"), keys, h(level, null, "Send an event"), place];
}

/** What is shown of a new key, this once; one that only reads signs nothing. @param {NewKey} key */
export function secretsView({ api_key: key, signing_secret: signing }) {
  return [
    h("p", { class: "notice" }, `Copy ${signing ? "both" : "it"} now. What is shown here is shown this once.`),
    h("dl", { class: "secrets" }, secret("API key", "Copy key", "api-key", key), signing ? secret("Signing secret", "Copy secret", "signing-secret", signing) : null),
  ];
}

/**
 * @param {string} label
 * @param {string} copy the label of its button
 * @param {string} id
 * @param {string} value
 */
function secret(label, copy, id, value) {
  return [h("dt", null, label), h("dd", null, h("code", { id, class: "value" }, value), copyButton(copy, () => value))];
}

/**
 * Waits for an event while someone looks, and says when it came.
 * @param {AbortSignal} life
 * @param {string} slug
 */
function arrivals(life, slug) {
  /** The newest event known; null before the first look. @type {string | null} */
  let newest = null;
  let looks = 0;
  let away = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const line = h("p", { class: "arrived", role: "status" }, "Looking…");
  const said = h("span", { role: "status", class: "muted" });

  async function look() {
    clearTimeout(timer);
    if (life.aborted || document.hidden || (looks > 0 && !line.isConnected)) return;
    try {
      const { logs } = await searchLogs({ project_id: slug, from: "-90d", limit: String(LATEST), order: "desc" }, life);
      const [event] = logs;
      if (newest === null) fill(line, event ? ["Waiting for a new event. The last one came ", when(event.received_at, Date.now()), "."] : "Waiting for the first event…");
      else if (event && event.id !== newest) {
        const seen = logs.findIndex(({ id }) => id === newest);
        arrived(seen < 0 ? logs : logs.slice(0, seen));
      }
      newest = event?.id ?? "";
      if (away) fill(said);
      away = false;
    } catch (error) {
      if (life.aborted) return;
      away = true;
      fill(said, `${problemText(error)} Looking again…`);
    }
    looks += 1;
    if (looks < LOOKS) timer = setTimeout(() => void look(), LOOK_MS);
    else fill(said, "No longer looking. ", button("Look again", again));
  }

  function again() {
    looks = 0;
    fill(said);
    void look();
  }

  /** That one of theirs came is what they wait for; a test event says only that the service works. @param {import("../api.js").LogEvent[]} fresh newest first */
  function arrived(fresh) {
    looks = 0;
    const event = fresh.find((one) => !isTest(one));
    if (!event) return line.dataset.well || fill(line, "The test event has arrived. Waiting for one of yours…");
    line.dataset.well = "yes";
    fill(line, h("b", null, "An event has arrived: "), h("a", { href: eventAddress(event.id) }, shown(event.message.slice(0, 200)) || "(no message)"));
  }

  const send = button("Send test event", async () => {
    send.disabled = true;
    fill(said, "Sending…");
    try {
      await change("POST", `/admin/projects/${encodeURIComponent(slug)}/test-event`);
      again();
    } catch (error) {
      fill(said, problemText(error));
    } finally {
      send.disabled = false;
    }
  });

  document.addEventListener("visibilitychange", () => void look(), { signal: life });
  void look();
  return [line, h("div", { class: "actions" }, send, said)];
}

/**
 * The snippets of web/snippets.txt: `== name | file | how to run it`, then the text.
 * @param {string} text
 * @returns {Snippet[]}
 */
export function parseSnippets(text) {
  return text.split(/^== /m).slice(1).map((part) => {
    const end = part.indexOf("\n");
    const [name = "", file = "", run = ""] = part.slice(0, end).split(" | ");
    return { name, file, run, code: part.slice(end + 1) };
  });
}

/**
 * A snippet with what it needs. Keys, secrets and origins have no character that a quoted text of any of the languages
 * treats in its own way.
 * @param {string} code
 * @param {{ url: string, key: string, secret: string }} values
 */
export function filled(code, { url, key, secret }) {
  return code.replaceAll("{URL}", url).replaceAll("{KEY}", key).replaceAll("{SECRET}", secret);
}
