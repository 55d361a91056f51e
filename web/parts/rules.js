// The rules for alerts: what each says in a sentence, on and off, changed, made, and given back to the default.

import { change } from "../api.js";
import { count } from "../lib/amount.js";
import { LEVELS } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { kindTitle, levelsOf, ruleLimits, ruleSentence, RULE_KINDS } from "../lib/rules.js";
import { ago } from "../lib/time.js";
import { section } from "./board.js";
import { channelName, onOff, projectControl, projectName } from "./channels.js";
import { acting, actionsWith, changeForm, choiceControl, formPlace, listControl, numberControl, setControl, textControl } from "./control.js";
import { button } from "./state.js";

/** @typedef {import("../lib/rules.js").Rule} Rule */

const ALL = [...LEVELS].reverse().map((level) => /** @type {[string, string]} */ ([level, level]));

/**
 * @param {AbortSignal} life
 * @param {import("./channels.js").Names} names
 * @param {() => Promise<Rule[]>} load
 */
export function rules(life, names, load) {
  const said = h("p", { role: "status", class: "muted" });
  const make = button("New rule", () => openForm(null, "query"));
  const editor = formPlace(make, names);
  const part = section(life, {
    id: "rules", title: "Rules", tools: make, load,
    // There are always some, but of no project.
    view: (list) => [editor.element, said, list.length === 0 ? h("p", { class: "muted" }, "No such project.") : h("ul", { class: "entries" }, list.map(ruleView))],
  });

  const titleOf = (/** @type {Rule} */ { name, kind }) => (name === "" || name === kind ? kindTitle(kind) : shown(name));
  const place = (/** @type {Rule} */ rule) => `/admin/alerts/rules/${encodeURIComponent(rule.id)}`;

  const act = acting(said, () => part.refresh());

  /** @param {Rule} rule */
  function ruleView(rule) {
    const title = titleOf(rule);
    const turn = button(rule.enabled ? "Turn off" : "Turn on", () =>
      void act(() => change("PUT", place(rule), { enabled: !rule.enabled }), `${title} is ${rule.enabled ? "off" : "on"}.`));
    const edit = button("Edit", () => openForm(rule, rule.kind));
    const [label = "", ask = "", sure = "", gone = ""] = rule.kind === "query"
      ? ["Delete", "This rule will be gone.", "Delete it", "Deleted."]
      : ["Back to default", "What was set here will be gone.", "Take the default", "The default is back."];
    return h("li", { class: "entry", "data-off": !rule.enabled && "" },
      h("div", null,
        h("div", { class: "entry-head" }, h("h3", null, title), onOff(rule.enabled)),
        h("p", { class: "value" }, shown(ruleSentence(rule))),
        names.tell(h("p", { class: "muted value" }), () =>
          `For ${projectName(names, rule.project_id)}. ${shown(ruleLimits(rule, (id) => heard(rule, id), names.channels?.length))}${stateText(rule)}`)),
      rule.source === "default" ? h("div", { class: "actions" }, turn, edit)
        : actionsWith([turn, edit], { label, ask, sure, act: () => act(() => change("DELETE", place(rule)), gone) }));
  }

  /**
   * @param {Rule | null} rule null makes one
   * @param {string} kind
   */
  function openForm(rule, kind) {
    const own = RULE_KINDS[kind]?.[1] ?? [];
    void editor.open(() => changeForm({
      title: rule === null ? "New rule" : `Edit rule: ${titleOf(rule)}`,
      controls: [
        ...(rule === null ? [
          choiceControl("kind", "Kind", Object.keys(RULE_KINDS).map((name) => [name, kindTitle(name)]), kind, (value) => value, (chosen) => openForm(null, chosen)),
          projectControl(names, "For", names.chosen() ?? null),
        ] : []),
        textControl("name", "Name", { required: true, maxlength: "128", defaultValue: rule && rule.name !== kind ? rule.name : kindTitle(kind) }),
        ...own.flatMap((name) => controlsOf(name, rule, kind)),
        numberControl("cooldown_sec", "Says the same again after, seconds", rule?.cooldown_sec ?? (kind === "regression" ? 0 : 900), { min: "0" }, "0 is each time."),
        channelControl(rule),
      ],
      method: rule === null ? "POST" : "PUT",
      address: rule === null ? "/admin/alerts/rules" : place(rule),
      submit: rule === null ? "Create rule" : "Save rule",
      cancel: editor.close,
      done: () => {
        editor.close();
        fill(said, "Saved.");
        void part.refresh();
      },
    }));
  }

  /** A channel of a rule by its name, and whether it hears all of it. @param {Rule} rule @param {number | string} id */
  function heard({ project_id: of }, id) {
    const own = names.channels?.find((one) => one.id === id)?.project_id ?? of;
    return `${channelName(names, id)}${own === of ? "" : of === null ? ` (of ${projectName(names, own)} alone)` : " (of another project: not sent there)"}`;
  }

  /** @param {Rule | null} rule */
  function channelControl(rule) {
    const wanted = rule?.channels ?? null;
    const ids = new Set([...(names.channels ?? []).map(({ id }) => id), ...(wanted ?? [])]);
    const options = [...ids].map((id) => /** @type {[string, string]} */ ([String(id), channelName(names, id)]));
    return setControl("channels", "Channels", [["", "Every channel of the project"], ...options], wanted?.map(String) ?? [""], (chosen) => (chosen[0] === "" ? null : chosen),
      "None chosen is kept in the history alone.");
  }

  return part;
}

/** What a rule has said of late. @param {Rule} rule */
function stateText({ state }) {
  if (!state?.last_said_at) return "";
  const { open, last_said_at: at, suppressed } = state;
  return ` Last fired ${ago(Date.parse(at), Date.now())}${open > 0 ? `, ${open} not over` : ""}${suppressed > 0 ? `, ${count(suppressed)} left out since` : ""}.`;
}

/**
 * The controls of a setting that some kinds have.
 * @param {string} name
 * @param {Rule | null} rule
 * @param {string} kind
 * @returns {import("./control.js").Control[]}
 */
function controlsOf(name, rule, kind) {
  switch (name) {
    case "q":
      return [textControl("q", "Query", { required: true, defaultValue: rule?.q ?? "", placeholder: "level:error \"card declined\"" }, "As in the search of the logs.")];
    case "n":
      return [numberControl("n", "Events at least", rule?.n ?? (kind === "error_rate" ? 50 : 5))];
    case "window_sec":
      return [numberControl("window_sec", "Within, seconds", rule?.window_sec ?? 60, { min: "10", step: "10" })];
    case "grace_sec":
      return [numberControl("grace_sec", "Nothing for, seconds", rule?.grace_sec ?? (kind === "overflow_ended" ? 3600 : 600), { min: "60", max: kind === "overflow_ended" ? "3600" : "86400" })];
    case "share":
      return kind === "near_cap"
        ? [numberControl("share", "Part of the cap, %", rule?.share ?? 0.8, { scale: 100, max: "100" })]
        : [numberControl("share", "Part of all events, %", rule?.share, { scale: 100, max: "100", required: false }, "Empty for any part.")];
    case "levels":
      return [setControl("levels", "Levels", ALL, rule?.levels ?? [], (chosen) => (chosen.length === 0 ? null : chosen), levelsOf(kind))];
    case "environments":
      return levelPair("environments", rule?.environments, "Only these environments", "Not these environments", "Separated by commas.");
    default:
      return levelPair("issues", rule?.issues, "Only these issues", "Not these issues", "Fingerprints, separated by commas.");
  }
}

/** @param {string} name @param {import("../lib/rules.js").Selection | undefined} value @param {string} only @param {string} not @param {string} hint */
function levelPair(name, value, only, not, hint) {
  return [listControl(`${name}.include`, only, value?.include ?? [], hint), listControl(`${name}.exclude`, not, value?.exclude ?? [], hint)];
}
