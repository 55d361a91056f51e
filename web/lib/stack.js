// The application's own frames of a stack trace. Which frames are of libraries the service says, as it groups by the others.

/**
 * A trace without frames of libraries; a run of them becomes one line that counts them. Null where there is none.
 * @param {string} stack
 * @param {readonly (readonly [number, number])[]} libraries the first and the last line of each frame, from 0 and in order
 */
export function ownFrames(stack, libraries) {
  const lines = stack.split("\n");
  /** @type {string[]} */
  const kept = [];
  let at = 0;
  let run = 0;
  for (const [first, last] of [...libraries, [Infinity, Infinity]]) {
    if (run > 0 && first > at) {
      kept.push(`    … ${run} of libraries`);
      run = 0;
    }
    kept.push(...lines.slice(at, first));
    at = last + 1;
    run += 1;
  }
  return libraries.length > 0 ? kept.join("\n") : null;
}
