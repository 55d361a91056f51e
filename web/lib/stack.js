// The application's own frames of a stack trace. What counts as a library is told as in src/fingerprint/frames.rs.

const FRAME = /^\s*(?:at |File "|#\d+ |from |\d+: )|:in [\x60']|^[^\s@]*@\S+:\d|\n\t\S+:\d|^created by /;
const FILES = /node_modules\/|\bnode:|internal\/|-packages\/|\/lib\/(?:python|ruby\/)|<frozen|\/rustc\/|\.cargo\/registry\/|\/vendor\/|\/gems\/|\/pkg\/mod\/|\/usr\/local\/go\/|\/go\/src\/|<anonymous>|\[internal function\]|webpack\/bootstrap/;
const FUNCTIONS = new RegExp(
  "^\\s*(?:(?:at|\\d+:|created by) (?:async )?)?(?:" +
    "(?:javax?|jakarta|jdk|(?:com\\.)?sun|kotlinx?|scala|groovy|org\\.(?:springframework|apache|hibernate|eclipse|junit)" +
    "|io\\.netty|reactor|com\\.(?:fasterxml|google\\.common)|System|Microsoft|Npgsql|runtime|net/http|testing)\\." +
    "|java\\.base/|<?(?:core|std|alloc)::|(?:tokio|hyper)::|__rust|rust_begin_unwind|_main|panic\\()",
);

/**
 * A trace without frames of libraries; a run of them becomes one line that counts them. Null when that would leave
 * everything out, or nothing.
 * @param {string} stack
 */
export function ownFrames(stack) {
  /** @type {string[]} */
  const kept = [];
  let own = 0;
  let hidden = 0;
  let run = 0;
  const close = () => {
    if (run > 0) kept.push(`    … ${run} of libraries`);
    run = 0;
  };
  for (const frame of frames(stack)) {
    const is = FRAME.test(frame);
    if (is && (FILES.test(frame) || FUNCTIONS.test(frame))) {
      run += 1;
      hidden += 1;
      continue;
    }
    if (is) own += 1;
    close();
    kept.push(frame);
  }
  close();
  return own > 0 && hidden > 0 ? kept.join("\n") : null;
}

/**
 * The lines of a trace, those of one frame together: Python's code below its file, the place below the function in Rust and Go.
 * @param {string} stack
 */
function frames(stack) {
  /** @type {string[]} */
  const found = [];
  for (const line of stack.split("\n")) {
    const last = found.at(-1) ?? "";
    const place = /^\s+at /.test(line) && /^\s*\d+: [^\n]*$/.test(last);
    const go = /^\t\S+\.(?:go|s):\d/.test(line) && !last.includes("\n");
    const python = /^\s*File "/.test(last) && !/^\s*File "/.test(line) && indent(line) > indent(last);
    if (place || go || python) found[found.length - 1] = `${last}\n${line}`;
    else found.push(line);
  }
  return found;
}

/** @param {string} line */
function indent(line) {
  return /^\s*/.exec(line)?.[0].length ?? 0;
}
