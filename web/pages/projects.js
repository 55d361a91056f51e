// The projects, and making one. A new project's secrets are shown once, here, and held only by this page.

import { createProject, listProjects, Problem } from "../api.js";
import { count, counted } from "../lib/amount.js";
import { projectLogs } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { fullTime } from "../lib/time.js";
import { loads, table } from "../parts/board.js";
import { field } from "../parts/field.js";
import { panel, problemText } from "../parts/state.js";
import { createdView } from "./setup.js";

/** @typedef {import("../api.js").Project} Project */

/** Kept in step with the service: `RETENTION_DAYS` in src/project.rs. */
export const RETENTION = { least: 1, most: 90, usual: 3 };

/** What a slug's input takes. */
export const SLUG = {
  required: true, maxlength: "64", pattern: "[a-z0-9\\-]*[a-z\\-][a-z0-9\\-]*", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
  title: "Small letters, digits and dashes, not only digits",
};

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

  const load = loads(life.signal, list, {
    load: () => listProjects(life.signal),
    view: (projects) => (projects.length === 0 ? noProject() : projectTable(projects)),
  });
  void load();
  return { element, title: "Projects", close: () => life.abort() };
}

function noProject() {
  return panel({ title: "No project yet", text: "A project has a key to send events with, a retention and a cap. Create the first one below." });
}

/** @param {Project[]} projects */
function projectTable(projects) {
  return table("Projects", [["Name"], ["Slug", "text"], ["Id", "number aside"], ["Retention", "number"], ["Cap a minute", "number aside"], ["Created", "number aside"], ["Go to", "number"]],
    projects.map((project) => {
      const name = shown(project.name || project.slug);
      return [
        h("a", { href: `/ui/projects/${encodeURIComponent(project.slug)}` }, name),
        h("span", { class: "mono" }, project.slug),
        project.id,
        counted(project.retention_days, "day"),
        project.minute_cap === null ? "default" : count(project.minute_cap),
        h("time", { datetime: project.created_at }, fullTime(Date.parse(project.created_at)).slice(0, 16)),
        [h("a", { href: projectLogs(project), "aria-label": `Logs of ${name}` }, "Logs"), " ",
          h("a", { href: `/ui/projects/${encodeURIComponent(project.slug)}/setup`, "aria-label": `Set up ${name}` }, "Set up")],
      ];
    }));
}

/** @param {(result: { project: Project, key: import("../api.js").NewKey }) => void} onCreated */
function createForm(onCreated) {
  const name = field("Name", { id: "name", required: true, maxlength: "128", autocomplete: "off" });
  const slug = field("Slug", { id: "slug", ...SLUG }, "Its name in addresses: small letters, digits, dashes.");
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
