// The projects, and making one. A new project's secrets are shown once, here, and held only by this page.

import { createProject, listProjects, Problem } from "../api.js";
import { DEFAULT_RANGE, logsAddress } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { fullTime } from "../lib/time.js";
import { createdView } from "../parts/created.js";
import { field } from "../parts/field.js";
import { errorPanel, loadingPanel, panel, patiently, problemText, wakingPanel } from "../parts/state.js";

/** @typedef {import("../api.js").Project} Project */

/** Kept in step with the service: `RETENTION_DAYS` in src/project.rs. */
const RETENTION = { least: 1, most: 90, usual: 3 };

/** @type {import("../router.js").Open} */
export function open() {
  const life = new AbortController();
  const list = h("div");
  const made = h("div", { class: "made" });
  const create = createForm((result) => {
    fill(made, createdView(life.signal, result.project, result.key));
    made.querySelector("h2")?.focus();
    void load();
  });
  const element = h("div", { class: "page" }, h("h1", null, "Projects"), made, list, create);

  async function load() {
    const loading = loadingPanel("Loading the projects…");
    if (list.childElementCount === 0) fill(list, loading.element);
    try {
      const projects = await patiently(() => listProjects(life.signal), life.signal, (problem, seconds, now) =>
        fill(list, wakingPanel(problem, seconds, now)));
      fill(list, projects.length === 0 ? noProject() : projectTable(projects));
    } catch (error) {
      if (life.signal.aborted || (error instanceof Problem && error.kind === "signed_out")) return;
      fill(list, errorPanel(error, load));
    } finally {
      loading.stop();
    }
  }

  void load();
  return { element, title: "Projects", close: () => life.abort() };
}

function noProject() {
  return panel({ title: "No project yet", text: "A project has a key to send events with, a retention and a cap. Create the first one below." });
}

/** The columns, and which of them a phone leaves out. @type {[string, boolean][]} */
const HEADS = [["Name", false], ["Slug", false], ["Id", true], ["Retention", false], ["Cap a minute", false], ["Created, UTC", true], ["Setup", false]];

/** @param {Project[]} projects */
function projectTable(projects) {
  return h(
    "div",
    { class: "wide", role: "region", "aria-label": "Projects", tabindex: "0" },
    h("table", null,
      h("thead", null, h("tr", null, HEADS.map(([head, aside]) => h("th", { scope: "col", class: aside ? "aside" : "" }, head)))),
      h("tbody", null, projects.map(projectRow))),
  );
}

/** @param {Project} project */
function projectRow(project) {
  const logs = logsAddress({ q: "", project: project.slug, levels: [], range: DEFAULT_RANGE, from: "", to: "" });
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, h("a", { href: logs, title: `Logs of ${shown(project.name)}` }, shown(project.name || project.slug))),
    h("td", { class: "mono" }, project.slug),
    h("td", { class: "number aside" }, project.id),
    h("td", { class: "number" }, project.retention_days === 1 ? "1 day" : `${project.retention_days} days`),
    h("td", { class: "number" }, project.minute_cap === null ? "default" : project.minute_cap.toLocaleString("en")),
    h("td", { class: "number aside" }, h("time", { datetime: project.created_at }, fullTime(Date.parse(project.created_at)).slice(0, 16))),
    h("td", { class: "number" }, h("a", { href: `/ui/projects/${encodeURIComponent(project.slug)}/setup`, "aria-label": `Set up ${shown(project.name || project.slug)}` }, "Set up")),
  );
}

/** @param {(result: { project: Project, key: import("../api.js").NewKey }) => void} onCreated */
function createForm(onCreated) {
  const name = field("Name", { id: "name", required: true, maxlength: "128", autocomplete: "off" });
  const slug = field("Slug", {
    id: "slug", required: true, maxlength: "64", pattern: "[a-z0-9\\-]*[a-z\\-][a-z0-9\\-]*", autocomplete: "off",
    autocapitalize: "off", spellcheck: "false", title: "Small letters, digits and dashes, not only digits",
  }, "Its name in addresses: small letters, digits, dashes.");
  const days = field("Retention, days", {
    id: "days", type: "number", required: true, min: RETENTION.least, max: RETENTION.most, step: "1", defaultValue: String(RETENTION.usual), inputmode: "numeric",
  }, "1 to 90. Overflow is usually looked at within 3 days.");
  const cap = field("Events a minute", { id: "cap", type: "number", min: "1", step: "1", inputmode: "numeric" }, "Empty takes the default of the service.");
  const said = h("p", { class: "form-error", role: "alert" });
  const submit = h("button", { type: "submit", class: "primary" }, "Create project");
  let slugTouched = false;
  slug.input.addEventListener("input", () => {
    slugTouched = slug.input.value !== "";
    slug.complain("");
  });
  name.input.addEventListener("input", () => {
    if (!slugTouched) slug.input.value = slugOf(name.input.value);
  });

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    fill(said);
    slug.complain("");
    submit.disabled = true;
    try {
      const result = await createProject({
        name: name.input.value.trim(),
        slug: slug.input.value.trim(),
        retention_days: Number(days.input.value),
        ...(cap.input.value === "" ? {} : { minute_cap: Number(cap.input.value) }),
      });
      form.reset();
      slugTouched = false;
      onCreated(result);
    } catch (error) {
      refuse(error);
    } finally {
      submit.disabled = false;
    }
  }

  /** @param {unknown} error */
  function refuse(error) {
    if (error instanceof Problem && error.code === "slug_taken") {
      slug.complain("Another project has this slug.");
      slug.input.focus();
    } else {
      fill(said, problemText(error));
    }
  }

  const form = h(
    "form",
    { class: "card", "aria-labelledby": "create-title", onsubmit: (/** @type {Event} */ event) => void send(event) },
    h("h2", { id: "create-title" }, "New project"),
    h("div", { class: "form-grid" }, [name, slug, days, cap].map((part) => part.element)),
    said,
    h("div", { class: "actions" }, submit),
  );
  return form;
}

/**
 * A slug made of a name: small letters and digits of any accent, dashes for the rest.
 * @param {string} name
 */
function slugOf(name) {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64).replace(/-+$/, "");
}
