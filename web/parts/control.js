// Forms made of a list of controls: each knows its value in the API's terms and takes the complaint about it.

import { change, Problem } from "../api.js";
import { fill, h, shown } from "../lib/h.js";
import { fieldOf, members } from "../lib/rules.js";
import { field } from "./field.js";
import { button, loadingPanel, problemText } from "./state.js";

/**
 * @typedef {object} Control
 * @property {string} name the field of the API
 * @property {HTMLElement} element
 * @property {() => unknown} value undefined is left out
 * @property {(text: string) => void} complain empty for none; else it gets the focus
 */

/** Tells the forms that may be open side by side apart. */
let serial = 0;
const idOf = (/** @type {string} */ name) => `form-${(serial += 1)}-${name.replaceAll(".", "-")}`;

/**
 * One line of text.
 * @param {string} name
 * @param {string} label
 * @param {import("../lib/h.js").Props} props
 * @param {string} [hint]
 * @param {(text: string) => unknown} [read] what the API gets
 * @returns {Control}
 */
export function textControl(name, label, props, hint, read = (text) => text) {
  const { input, ...made } = field(label, { id: idOf(name), ...props }, hint);
  return { ...made, name, value: () => read(input.value.trim()) };
}

/**
 * A number, in the unit shown; the API has `scale` of them. Empty is null where that is allowed.
 * @param {string} name
 * @param {string} label
 * @param {number | null | undefined} value
 * @param {import("../lib/h.js").Props & { scale?: number }} [props]
 * @param {string} [hint]
 */
export function numberControl(name, label, value, { scale = 1, ...props } = {}, hint) {
  const shownValue = value === null || value === undefined ? "" : String(Number((value * scale).toFixed(4)));
  const usual = { type: "number", min: "1", step: "1", inputmode: "numeric", required: true, defaultValue: shownValue };
  return textControl(name, label, { ...usual, ...props }, hint, (text) => (text === "" ? null : Number(text) / scale));
}

/**
 * A list in one line.
 * @param {string} name
 * @param {string} label
 * @param {string[]} value
 * @param {string} [hint]
 * @param {import("../lib/h.js").Props} [props]
 */
export function listControl(name, label, value, hint, props) {
  return textControl(name, label, { defaultValue: value.join(", "), ...props }, hint, members);
}

/**
 * A choice of one.
 * @param {string} name
 * @param {string} label
 * @param {readonly (readonly [string, string])[]} options value and label
 * @param {string} chosen
 * @param {(value: string) => unknown} read
 * @param {(value: string) => void} [onChange]
 * @returns {Control}
 */
export function choiceControl(name, label, options, chosen, read, onChange) {
  const { input, ...made } = field(label, { id: idOf(name) }, "", h("select", { onchange: () => onChange?.(input.value) },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text))));
  return { ...made, name, value: () => read(input.value) };
}

/**
 * Any number of a few. An option of no value is all of them.
 * @param {string} name
 * @param {string} label
 * @param {readonly (readonly [string, string])[]} options value and label
 * @param {readonly string[]} chosen
 * @param {(values: string[]) => unknown} read
 * @param {string} hint
 * @returns {Control}
 */
export function setControl(name, label, options, chosen, read, hint) {
  const wrong = h("p", { class: "form-error", role: "alert" });
  // It's either all or some.
  const boxes = options.map(([value]) => h("input", { type: "checkbox", value, checked: chosen.includes(value), onchange: () => boxes.forEach((box) => !box.value === !value || (box.checked = false)) }));
  return {
    name,
    element: h("fieldset", { class: "field" }, h("legend", null, label),
      h("div", { class: "levels" }, options.map(([, text], index) => h("label", { class: "chip" }, boxes[index], h("span", null, shown(text))))),
      h("p", { class: "hint" }, hint), wrong),
    value: () => read(boxes.filter((box) => box.checked).map((box) => box.value)),
    complain(text) {
      fill(wrong, text);
      if (text !== "") boxes[0]?.focus();
    },
  };
}

/**
 * A form of controls. `include.x` and the like go into objects of their own.
 * @param {object} what
 * @param {string} what.title
 * @param {Control[]} what.controls
 * @param {"POST" | "PUT"} what.method
 * @param {string} what.address
 * @param {string} what.submit
 * @param {(reply: any) => void} what.done
 * @param {() => void} [what.cancel] a form that stays has none, and its section's heading
 * @param {(sent: any, loaded: any) => string | false} [what.ask] what to ask before it is sent; empty for nothing
 */
export function changeForm({ title, controls, method, address, submit, done, cancel, ask }) {
  const said = h("p", { class: "form-error", role: "alert" });
  const saved = h("span", { role: "status", class: "muted" });
  const send = h("button", { type: "submit", class: "primary" }, submit);
  const usual = [send, cancel && button("Cancel", cancel), saved];
  const actions = h("div", { class: "actions" }, usual);

  function values() {
    /** @type {Record<string, any>} */
    const made = {};
    for (const control of controls) {
      const value = control.value();
      if (value === undefined) continue;
      const [outer = "", inner] = control.name.split(".");
      if (inner) made[outer] = { ...made[outer], [inner]: value };
      else made[outer] = value;
    }
    return made;
  }

  /** Of what exists. @type {any} */
  const loaded = method === "PUT" && values();

  function rest() {
    send.disabled = false;
    if (send.isConnected) return;
    fill(actions, usual);
    send.focus();
  }

  /** @param {unknown} error */
  function refuse(error) {
    const code = error instanceof Problem && error.code;
    const [name, why] = code === "invalid_field" ? fieldOf(problemText(error)) : code === "slug_taken" ? ["slug", "Another project has this slug."] : ["", ""];
    const control = controls.find((one) => one.name.split(".")[0] === name);
    if (!control) return fill(said, problemText(error));
    control.complain(why);
  }

  /** @param {Record<string, any>} sent */
  async function save(sent) {
    send.disabled = true;
    try {
      const reply = await change(method, address, sent);
      rest();
      Object.assign(loaded, sent);
      fill(saved, loaded && "Saved.");
      done(reply);
    } catch (error) {
      rest();
      refuse(error);
    }
  }

  /** @param {Event} event */
  function onsubmit(event) {
    event.preventDefault();
    if (send.disabled) return;
    fill(said);
    fill(saved);
    controls.forEach((control) => control.complain(""));
    // Only what differs from what was loaded: others may have changed the rest since.
    const sent = Object.fromEntries(Object.entries(values()).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(loaded[name])));
    const text = ask?.(sent, loaded);
    if (text) question(actions, text, "Save", () => save(sent), rest);
    else void save(sent);
  }

  // What was asked was about what is no longer there.
  return h("form", { class: "card", "aria-label": title, onsubmit, oninput: () => send.isConnected || fill(actions, usual) },
    cancel && h("h3", null, title),
    h("div", { class: "form-grid" }, controls.map((control) => control.element)),
    said, actions);
}

/**
 * A place where forms open, one at a time.
 * @param {HTMLElement} opener gets the focus back
 * @param {{ ready: Promise<unknown> }} [names] that the forms offer, and wait for
 */
export function formPlace(opener, names) {
  const element = h("div");
  let turn = 0;
  return {
    element,
    close() {
      turn += 1;
      fill(element);
      opener.focus();
    },
    /** @param {() => HTMLElement} make */
    async open(make) {
      const mine = (turn += 1);
      fill(element, loadingPanel("Loading…").element);
      await names?.ready;
      if (mine !== turn) return;
      const form = make();
      fill(element, form);
      form.scrollIntoView({ block: "nearest" });
      /** @type {HTMLElement | null} */ (form.querySelector("select, input"))?.focus();
    },
  };
}

/**
 * Does things, one after the other, and says how each ended.
 * @param {Element} said
 * @param {() => Promise<void>} refresh shows what came of it
 */
export function acting(said, refresh) {
  return async (/** @type {() => Promise<unknown>} */ work, /** @type {string} */ text) => {
    fill(said, "Working…");
    try {
      await work();
      fill(said, text);
      await refresh();
    } catch (error) {
      fill(said, problemText(error));
    }
  };
}

/**
 * Buttons of which one asks a second time.
 * @param {Node[]} usual
 * @param {{ label: string, ask: string, sure: string, act: () => Promise<unknown> }} twice
 */
export function actionsWith(usual, { label, ask, sure, act }) {
  const actions = h("div", { class: "actions" });
  const first = button(label, () => question(actions, ask, sure, act, () => {
    fill(actions, usual, first);
    first.focus();
  }));
  fill(actions, usual, first);
  return actions;
}

/**
 * Asks in place of buttons. What was asked for runs once at a time, and the focus goes to the heading meanwhile: not to a
 * button of something else when this one is gone.
 * @param {HTMLElement} actions
 * @param {string} ask
 * @param {string} sure
 * @param {() => Promise<unknown>} act
 * @param {() => void} keep
 */
function question(actions, ask, sure, act, keep) {
  const yes = h("button", { type: "button", class: "danger" }, sure);
  yes.addEventListener("click", () => {
    actions.closest("section")?.querySelector("h2")?.focus({ preventScroll: true });
    yes.disabled = true;
    void act().finally(() => (yes.disabled = false));
  });
  fill(actions, h("span", null, ask), yes, button("Keep it", keep));
  yes.focus();
}

/**
 * The last step before what can't be undone: a word is typed.
 * @param {object} what
 * @param {string} what.label
 * @param {string} what.text what will be done
 * @param {string} what.word
 * @param {string} what.sure
 * @param {() => Promise<void>} what.act
 * @param {() => void} what.cancel
 */
export function typedConfirm({ label, text, word, sure: name, act, cancel }) {
  const sure = h("button", { type: "submit", class: "danger", disabled: true }, name);
  const { element, input } = field(["Type ", h("code", null, shown(word)), " to confirm"], { id: idOf("word"), autocapitalize: "off", oninput: () => {
    sure.disabled = input.value.trim() !== word;
  } });
  return h("form", { class: "confirm", "aria-label": label, onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    if (sure.disabled) return;
    sure.disabled = true;
    void act().finally(() => (sure.disabled = false));
  } },
  h("p", null, h("b", null, text)),
  element,
  h("div", { class: "actions" }, sure, button("Cancel", cancel)));
}
