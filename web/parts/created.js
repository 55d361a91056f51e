// What a new project gives away once: its key, its secret, and snippets that use them.

import { h, shown } from "../lib/h.js";
import { arrivals, setupView } from "./setup.js";

/**
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
