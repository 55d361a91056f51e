// Just enough of Rust's syntax to count lines and look for names: blanks out comments, strings and test modules,
// and finds where functions begin and end. It keeps every line break, so that line numbers stay true.
'use strict';

const RAW_STRING = /b?r(#*)"/y;
const CHAR = /'(?:\\(?:u\{[0-9a-fA-F_]+\}|x[0-9a-fA-F]{2}|.)|[^\\'\n])'/y;

/** Where the token that begins at `at` ends, when it is a comment, a string or a character; else `at`. */
function opaqueEnd(text, at) {
  if (text.startsWith('//', at)) {
    const end = text.indexOf('\n', at);
    return end < 0 ? text.length : end;
  }
  if (text.startsWith('/*', at)) return blockCommentEnd(text, at);
  const before = at > 0 ? text[at - 1] : ' ';
  if ((text[at] === 'r' || text[at] === 'b') && !/[\w]/.test(before)) {
    RAW_STRING.lastIndex = at;
    const raw = RAW_STRING.exec(text);
    if (raw) {
      const end = text.indexOf(`"${raw[1]}`, RAW_STRING.lastIndex);
      return end < 0 ? text.length : end + 1 + raw[1].length;
    }
  }
  if (text[at] === '"') return stringEnd(text, at);
  if (text[at] === "'") {
    CHAR.lastIndex = at;
    return CHAR.test(text) ? CHAR.lastIndex : at;
  }
  return at;
}

function blockCommentEnd(text, at) {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    if (text.startsWith('/*', i)) {
      depth += 1;
      i += 1;
    } else if (text.startsWith('*/', i)) {
      depth -= 1;
      i += 1;
      if (depth === 0) return i + 1;
    }
  }
  return text.length;
}

function stringEnd(text, at) {
  for (let i = at + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

const blank = (text) => text.replace(/[^\n]/g, ' ');

/** The source with comments, strings and characters blanked out. */
function codeOnly(text) {
  let out = '';
  for (let at = 0; at < text.length; ) {
    const end = opaqueEnd(text, at);
    out += end > at ? blank(text.slice(at, end)) : text[at];
    at = Math.max(end, at + 1);
  }
  return out;
}

/** Where the brace at `open` closes (index after it). `code` has no comments or strings left. */
function braceEnd(code, open) {
  let depth = 0;
  for (let i = open; i < code.length; i += 1) {
    if (code[i] === '{') depth += 1;
    else if (code[i] === '}') {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return code.length;
}

/** Blanks out inline `#[cfg(test)] mod … { … }`. */
function withoutTests(code) {
  const test = /#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{/g;
  let out = code;
  for (let found = test.exec(out); found; found = test.exec(out)) {
    const end = braceEnd(out, test.lastIndex - 1);
    out = out.slice(0, found.index) + blank(out.slice(found.index, end)) + out.slice(end);
  }
  return out;
}

const lineAt = (text, index) => text.slice(0, index).split('\n').length;

/** Every function with a body: its name, first line and length in lines. */
function functions(code) {
  const found = [];
  const head = /\bfn\s+(\w+)/g;
  for (let match = head.exec(code); match; match = head.exec(code)) {
    const open = bodyStart(code, head.lastIndex);
    if (open < 0) continue;
    const first = lineAt(code, match.index);
    found.push({ name: match[1], line: first, lines: lineAt(code, braceEnd(code, open) - 1) - first + 1 });
  }
  return found;
}

/** The brace that opens a function's body, or -1 for a declaration that ends with a semicolon. */
function bodyStart(code, from) {
  let depth = 0;
  for (let i = from; i < code.length; i += 1) {
    if (code[i] === '(' || code[i] === '[') depth += 1;
    else if (code[i] === ')' || code[i] === ']') depth -= 1;
    else if (depth === 0 && code[i] === '{') return i;
    else if (depth === 0 && code[i] === ';') return -1;
  }
  return -1;
}

/** Every `allow` or `expect` attribute of a lint: its line, its text. */
function lintExceptions(code) {
  const found = [];
  const head = /#!?\[\s*(?:cfg_attr\([^\]]*,\s*)?(?:allow|expect)\s*\(/g;
  for (let match = head.exec(code); match; match = head.exec(code)) {
    const end = code.indexOf(']', match.index);
    found.push({ line: lineAt(code, match.index), text: code.slice(match.index, end < 0 ? code.length : end) });
  }
  return found;
}

module.exports = { codeOnly, withoutTests, functions, lintExceptions, lineAt };
