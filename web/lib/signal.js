// A value that tells its readers when it changes. Nothing is batched: readers run at once, in order.

/**
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
export function signal(initial) {
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
