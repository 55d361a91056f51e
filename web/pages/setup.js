// Setting a project up: a key, snippets to send with, and a sign that the first event has come.

import { Problem, read } from "../api.js";
import { DEFAULT_RANGE, logsAddress } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { loads } from "../parts/board.js";
import { arrivals, setupView } from "../parts/setup.js";
import { errorPanel, panel } from "../parts/state.js";

/** @type {import("../router.js").Open} */
export function open(_url, [slug = ""]) {
  const life = new AbortController();
  const heading = h("h1", null, `Set up ${shown(slug.slice(0, 80))}`);
  const place = h("div", { class: "section-body" });
  const refresh = loads(life.signal, place, {
    load: () => /** @type {Promise<{ project: import("../api.js").Project }>} */ (read(`/admin/projects/${encodeURIComponent(slug)}`, life.signal)),
    view({ project }) {
      fill(heading, `Set up ${shown(project.name || project.slug)}`);
      const logs = logsAddress({ q: "", project: project.slug, levels: [], range: DEFAULT_RANGE, from: "", to: "" });
      return [
        setupView(life.signal, project.slug, null),
        h("h2", null, "First event"),
        arrivals(life.signal, project.slug),
        h("p", null, h("a", { href: logs }, "Logs of this project")),
      ].flat();
    },
    fail: (error, again) => (error instanceof Problem && error.status === 404 ? unknown() : errorPanel(error, again)),
  });
  void refresh();
  return { element: h("div", { class: "page" }, heading, place), title: "Setup", close: () => life.abort() };
}

function unknown() {
  const projects = h("a", { class: "button primary", href: "/ui/projects" }, "Go to the projects");
  return panel({ title: "No such project", text: "No project has this slug. It may have been deleted.", actions: [projects] });
}
