// The rules for alerts: what each says in a sentence, on and off, changed, made, and given back to the default.

import { change, read } from "../api.js";
import { LEVELS } from "../lib/filters.js";
import { fill, h, shown } from "../lib/h.js";
import { kindTitle, levelsOf, ruleLimits, ruleSentence, RULE_KINDS } from "../lib/rules.js";
import { section } from "./board.js";
import { onOff } from "./channels.js";
import { actionsWith, changeForm, choiceControl, listControl, numberControl, setControl, textControl } from "./control.js";
import { button, problemText } from "./state.js";

/** @typedef {import("../lib/rules.js").Rule} Rule */
/** @typedef {import("./channels.js").Channel} Channel */
/** @typedef {import("../api.js").Project} Project */

const ALL = [...LEVELS].reverse().map((level) => /** @type {[string, string]} */ ([level, level]));

/**
 * @param {AbortSignal} life
 * @param {() => Project[]} projects
 * @param {() => Channel[] | null} channels null until they are known
 */
export function rules(life, projects, channels) {
  const said = h("p", { role: "status", class: "muted" });
  const editor = h("div");
  const make = button("New rule", () => openForm(null, "query"));
  const part = section(life, {
    id: "rules",
    title: "Rules",
    tools: make,
    load: async () => /** @type {{ rules: Rule[] }} */ (await read("/admin/alerts/rules", life)).rules,
    view: (list) => [editor, said, h("ul", { class: "entries" }, list.map(ruleView))],
  });

  const nameOf = (/** @type {number | null} */ id) =>
    id === null ? "All projects" : shown(projects().find((one) => one.id === id)?.slug ?? `Project ${id}`);
  const channelName = (/** @type {number | string} */ id) => shown(channels()?.find((one) => String(one.id) === String(id))?.name ?? `channel ${id}`);
  const titleOf = (/** @type {Rule} */ { name, kind }) => (name === "" || name === kind ? kindTitle(kind) : shown(name));
  const place = (/** @type {Rule} */ rule) => `/admin/alerts/rules/${encodeURIComponent(rule.id)}`;

  /** @param {() => Promise<unknown>} work @param {string} text */
  async function act(work, text) {
    fill(said, "Working…");
    try {
      await work();
      fill(said, text);
      await part.refresh();
    } catch (error) {
      fill(said, problemText(error));
    }
  }

  /** @param {Rule} rule */
  function ruleView(rule) {
    const title = titleOf(rule);
    const turn = button(rule.enabled ? "Turn off" : "Turn on", () =>
      void act(() => change("PUT", place(rule), { enabled: !rule.enabled }), rule.enabled ? `${title} is off.` : `${title} is on.`));
    const edit = button("Edit", () => openForm(rule, rule.kind));
    const gone = rule.kind === "query" ? "Deleted." : "The default is back.";
    const usual = [turn, edit];
    return h("li", { class: "entry", "data-off": rule.enabled ? null : "" },
      h("div", null,
        h("div", { class: "entry-head" }, h("h3", null, title), onOff(rule.enabled)),
        h("p", { class: "value" }, shown(ruleSentence(rule))),
        h("p", { class: "muted value" }, `${nameOf(rule.project_id)}. ${shown(ruleLimits(rule, channelName, channels()?.length === 0))}`)),
      rule.source === "default" ? h("div", { class: "actions" }, usual) : actionsWith(usual, {
        label: rule.kind === "query" ? "Delete" : "Back to default", ask: rule.kind === "query" ? "This rule will be gone." : "What was set here will be gone.",
        sure: rule.kind === "query" ? "Delete it" : "Take the default", act: () => act(() => change("DELETE", place(rule)), gone),
      }));
  }

  /**
   * @param {Rule | null} rule null makes one
   * @param {string} kind
   */
  function openForm(rule, kind) {
    const close = () => {
      fill(editor);
      make.focus();
    };
    const own = RULE_KINDS[kind]?.[1] ?? [];
    const form = changeForm({
      title: rule === null ? "New rule" : `Edit rule: ${titleOf(rule)}`,
      controls: [
        ...(rule === null ? [
          choiceControl("kind", "Kind", Object.keys(RULE_KINDS).map((name) => [name, kindTitle(name)]), kind, (value) => value, (chosen) => openForm(null, chosen)),
          choiceControl("project_id", "For", [["", "All projects"], ...projects().map(({ id, slug }) => /** @type {[string, string]} */ ([String(id), slug]))], "", (value) => (value === "" ? null : Number(value))),
        ] : []),
        textControl("name", "Name", { required: true, maxlength: "128", defaultValue: rule && rule.name !== kind ? rule.name : kindTitle(kind) }),
        ...own.flatMap((name) => controlsOf(name, rule, kind)),
        numberControl("cooldown_sec", "Says the same again after, seconds", rule?.cooldown_sec ?? (kind === "regression" ? 0 : 900), { min: "0" }, "0 is each time."),
        channelControl(rule),
      ],
      method: rule === null ? "POST" : "PUT",
      address: rule === null ? "/admin/alerts/rules" : place(rule),
      submit: rule === null ? "Create rule" : "Save rule",
      cancel: close,
      done: () => {
        close();
        fill(said, "Saved.");
        void part.refresh();
      },
    });
    fill(editor, form);
    form.scrollIntoView({ block: "nearest" });
    /** @type {HTMLElement | null} */ (form.querySelector("select, input"))?.focus();
  }

  /** @param {Rule | null} rule */
  function channelControl(rule) {
    const known = channels() ?? [];
    const options = known.map(({ id, name }) => /** @type {[string, string]} */ ([String(id), name]));
    const ids = (/** @type {string[]} */ chosen) => known.map(({ id }) => id).filter((id) => chosen.includes(String(id)));
    return setControl("channels", "Channels", options, (rule?.channels ?? []).map(String), (chosen) => (chosen.length === 0 ? null : ids(chosen)), known.length === 0 ? "No channel yet: with none chosen it goes to every one there will be." : "None chosen is every channel of the project.");
  }

  return part;
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
