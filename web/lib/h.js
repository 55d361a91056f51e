// Builds elements from data. Text always becomes a text node, so nothing a log says can become markup,
// and no Trusted Types sink is touched.

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Child | Child[]} Children */
/** @typedef {Record<string, unknown>} Props */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `on…` properties are listeners, `class` and the rest are attributes; `true` sets an empty
 * attribute, `false`, `null` and `undefined` leave it out. What `PROPERTIES` names
 * is set as a property.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props | null} [props]
 * @param {...Children} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  apply(element, props ?? {});
  element.append(...nodes(children));
  return element;
}

/**
 * A small picture from the symbols below: strokes on a 16 px grid, hidden from assistive software.
 * @param {keyof typeof PICTURES} name
 */
export function icon(name) {
  const props = { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" };
  return svg("svg", props, svg("path", { d: PICTURES[name] }));
}

const PICTURES = {
  close: "M4 4l8 8M12 4l-8 8",
  include: "M8 3.5v9M3.5 8h9",
  exclude: "M3.5 8h9",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9M10.4 10.4L13.5 13.5",
};

/**
 * An element of a picture.
 * @param {string} tag
 * @param {Props} [props]
 * @param {...Children} children
 * @returns {SVGElement}
 */
export function svg(tag, props, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  apply(element, props ?? {});
  element.append(...nodes(children));
  return element;
}

/**
 * Replaces what is in an element.
 * @param {Element} parent
 * @param {...Children} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...nodes(children));
}

/**
 * @param {Children[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  /** @type {(Node | string)[]} */
  const list = [];
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    list.push(child instanceof Node ? child : String(child));
  }
  return list;
}

const PROPERTIES = new Set(["value", "defaultValue", "disabled"]);

/**
 * @param {Element} element
 * @param {Props} props
 */
function apply(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (PROPERTIES.has(name)) {
      Reflect.set(element, name, value);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/**
 * Text as a person should see it: control characters are written as terminals do (`^[`) and characters that change
 * the direction of writing are named, so that a hostile line can't disguise itself. Line breaks and tabs stay.
 * @param {string} text
 */
export function shown(text) {
  return text.replace(UNSEEN, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return `^${String.fromCharCode(0x40 + code)}`;
    if (code === 0x7f) return "^?";
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * A value that tells its readers when it changes. Nothing is batched: readers run at once, in order.
 * @template T
 * @typedef {object} Signal
 * @property {() => T} get
 * @property {(value: T) => void} set does nothing when the value is the same
 * @property {(reader: (value: T) => void) => () => void} watch runs the reader now and after each change;
 *   the result stops it
 */

/**
 * @template T
 * @param {T} initial
 * @returns {Signal<T>}
 */
export function signalOf(initial) {
  let value = initial;
  /** @type {Set<(value: T) => void>} */
  const readers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const reader of [...readers]) reader(value);
    },
    watch(reader) {
      readers.add(reader);
      reader(value);
      return () => void readers.delete(reader);
    },
  };
}
