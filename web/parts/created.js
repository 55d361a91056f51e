// What a new project gives away once: its key, its secret, and a command that uses them.

import { DEFAULT_RANGE, logsAddress } from "../lib/filters.js";
import { h, shown } from "../lib/h.js";
import { curlSnippet } from "../lib/snippet.js";
import { copyButton } from "./copy.js";

/**
 * @param {import("../api.js").Project} project
 * @param {import("../api.js").NewKey} key
 */
export function createdView(project, key) {
  const snippet = curlSnippet(location.origin, key.api_key, key.signing_secret);
  const logs = logsAddress({ q: "", project: project.slug, levels: [], range: DEFAULT_RANGE, from: "", to: "" });
  return h(
    "section",
    { class: "card", "aria-labelledby": "made-title" },
    h("h2", { id: "made-title", tabindex: "-1" }, `${shown(project.name)} is ready`),
    h("p", { class: "notice" }, "Copy both now. They are shown this once and can't be shown again."),
    h("dl", { class: "secrets" }, secret("API key", "Copy key", "api-key", key.api_key), secret("Signing secret", "Copy secret", "signing-secret", key.signing_secret)),
    h("h3", null, "Send a first event"),
    h("pre", { class: "code", tabindex: "0", "aria-label": "Command for a shell" }, snippet),
    h("div", { class: "actions" }, copyButton("Copy command", () => snippet), h("a", { class: "button", href: logs }, "See its logs")),
  );
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
