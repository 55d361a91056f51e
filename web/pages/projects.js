// The projects, and making one. A new project's secrets are shown once, here, and held only by this page.

import { listProjects, readState } from "../api.js";
import { count, counted } from "../lib/amount.js";
import { projectLogs } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { fullTime, offsetsLabel } from "../lib/time.js";
import { loads, part, table } from "../parts/board.js";
import { changeForm, numberControl, textControl } from "../parts/control.js";
import { panel } from "../parts/state.js";
import { createdView } from "./setup.js";

/** @typedef {import("../api.js").Project} Project */

/** @type {import("../router.js").Open} */
export function open() {
  const life = new AbortController();
  const list = h("div", { class: "section-body" });
  const made = h("div", { class: "made" });
  const create = createForm((result) => {
    fill(made, createdView(life.signal, result.project, result.key));
    made.querySelector("h2")?.focus();
    void load();
  });
  const element = h("div", { class: "page" }, h("h1", null, "Projects"), made, list);

  // The form comes with the list, so that nothing moves below a hand and nothing is offered that can't work yet.
  const load = loads(life.signal, list, {
    load: () => Promise.all([listProjects(life.signal), defaultCap(life.signal)]),
    view: ([projects, cap]) => [projects.length === 0 ? noProject() : projectTable(projects, cap), create],
  });
  void load();
  return { element, title: "Projects", close: () => life.abort() };
}

function noProject() {
  return panel({ title: "No project yet", text: "A project has keys, a retention and a cap. Create the first one below." });
}

/**
 * What a project without a cap of its own has, in words; without the number where it can't be had.
 * @param {AbortSignal} life
 */
export async function defaultCap(life) {
  try {
    const { rate_limit_per_minute: cap } = /** @type {import("./overflow.js").Config} */ (await readState("/config", life));
    return `default, ${capText(cap)}`;
  } catch {
    return "default";
  }
}

/** What the cap is called wherever it is shown. */
export const CAP = "Cap, events a minute";

/** @param {number} cap events a minute, 0 for none */
export const capText = (cap) => (cap === 0 ? "no limit" : count(cap));

/** @param {Project[]} projects @param {string} usual what a project without its own cap has */
function projectTable(projects, usual) {
  const made = projects.map((project) => Date.parse(project.created_at));
  const zone = offsetsLabel(Math.max(...made), Math.min(...made));
  return table("Projects", [["Name", "name"], ["Slug", "broad"], ["Id", "number"], ["Retention", "number"], [CAP, "broad number"], [`Created, ${zone}`, "broad number"], ["Go to"]],
    projects.map((project) => {
      const name = shown(project.name || project.slug);
      return [
        h("a", { href: `/ui/projects/${encodeURIComponent(project.slug)}` }, name),
        h("span", { class: "mono slug" }, project.slug),
        project.id,
        counted(project.retention_days, "day"),
        project.minute_cap === null ? usual : capText(project.minute_cap),
        h("time", { datetime: project.created_at }, fullTime(Date.parse(project.created_at)).slice(0, 16)),
        h("span", { class: "links" }, h("a", { href: projectLogs(project), "aria-label": `Logs of ${name}` }, "Logs"),
          h("a", { href: `/ui/projects/${encodeURIComponent(project.slug)}/setup`, "aria-label": `Set up ${name}` }, "Set up")),
      ];
    }), true);
}

/**
 * What can be set for every project.
 * @param {Partial<Project>} project
 */
export function basicControls({ name = "", slug = "", retention_days: days = 3, minute_cap: cap }) {
  return [
    textControl("name", "Name", { required: true, maxlength: "128", defaultValue: name }),
    textControl("slug", "Slug", {
      required: true, maxlength: "64", pattern: "[a-z0-9\\-]*[a-z\\-][a-z0-9\\-]*", autocapitalize: "off", title: "Small letters, digits, dashes; not only digits", defaultValue: slug,
    }, `Its name in addresses: small letters, digits, dashes.${slug && " With another, old addresses and project_id= stop working."}`),
    // As RETENTION_DAYS in src/project.rs.
    numberControl("retention_days", "Retention, days", days, { max: "90" }, "1 to 90. Overflow is mostly read within 3 days."),
    numberControl("minute_cap", CAP, cap, { required: false }, "Empty is the default, which the overflow page has among its limits."),
  ];
}

/** @param {(result: { project: Project, key: import("../api.js").NewKey }) => void} onCreated */
function createForm(onCreated) {
  const form = changeForm({
    title: "New project", controls: basicControls({}), method: "POST", address: "/admin/projects", submit: "Create project",
    done: (result) => {
      form.reset();
      touched = false;
      onCreated(result);
    },
  });
  const [name, slug] = form.querySelectorAll("input");
  let touched = false;
  form.addEventListener("input", ({ target }) => {
    if (!name || !slug) return;
    if (target === slug) touched = slug.value !== "";
    else if (target === name && !touched) slug.value = slugOf(name.value);
  });
  return part("New project", form);
}

/**
 * A slug made of a name: small letters and digits of any accent, dashes for the rest.
 * @param {string} name
 */
function slugOf(name) {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64).replace(/-+$/, "");
}
