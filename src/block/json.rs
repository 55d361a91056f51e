//! The JSON pieces of a stored line: writing text, copying `ctx` in its one canonical spelling, walking its values.
//!
//! A stored string escapes exactly `"`, `\` and the control characters below U+0020, each in one fixed spelling, and
//! nothing else. So a text contains a needle only if its stored form contains the needle's stored form, which is
//! what filters and scans test. Strings of `ctx` are rewritten to that spelling (`\u00e9` becomes `é`).

use std::borrow::Cow;
use std::ops::ControlFlow;

use memchr::memchr2;

/// Appends `text` as a JSON string with its quotes.
pub fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    push_escaped(text.as_bytes(), out);
    out.push(b'"');
}

/// Appends the stored form of `text`, without quotes.
pub fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Appends valid JSON without the whitespace between its tokens and with its strings in the stored spelling.
///
/// The result is never longer than `json` and has no raw newline. A lone surrogate's escape becomes U+FFFD, as one
/// would make a server refuse the whole body.
pub fn push_compact(json: &str, out: &mut Vec<u8>) {
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            b'"' => {
                let (end, escaped) = string_end(bytes, at);
                if escaped {
                    push_respelled(&json[at..end], out);
                } else {
                    out.extend_from_slice(&bytes[at..end]);
                }
                at = end;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

fn push_respelled(quoted: &str, out: &mut Vec<u8>) {
    match decoded(quoted) {
        Some(text) => push_string(&text, out),
        None => out.extend_from_slice(quoted.as_bytes()),
    }
}

/// The text of a JSON string with its quotes, lone surrogates replaced; `None` if it is no JSON string.
fn decoded(quoted: &str) -> Option<String> {
    serde_json::from_str(quoted).or_else(|_| serde_json::from_str(&without_lone_surrogates(quoted))).ok()
}

fn without_lone_surrogates(quoted: &str) -> String {
    let mut out = String::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let length = match escaped_unit(escape) {
            Some(0xD800..0xDC00)
                if matches!(escape.get(6..).and_then(escaped_unit), Some(0xDC00..0xE000)) =>
            {
                12
            }
            Some(0xD800..0xE000) => {
                out.push('\u{FFFD}');
                rest = &escape[6..];
                continue;
            }
            Some(_) => 6,
            None => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    out + rest
}

/// The number of a `\uXXXX` at the start of `text`.
fn escaped_unit(text: &str) -> Option<u16> {
    let digits = text
        .strip_prefix("\\u")?
        .get(..4)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

/// Where the string that starts at `start` (a quote) ends, past its closing quote, and whether it has escapes.
/// The end of `bytes` if it isn't closed.
pub(super) fn string_end(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut at = start + 1;
    let mut escaped = false;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return (at + 1, escaped);
        }
        escaped = true;
        at += 2;
    }
    (bytes.len(), escaped)
}

/// Calls `visit(path, text)` for each string, number, `true` and `false` in `json`, in order, until it breaks.
///
/// The path is the keys joined by `.`; an array's elements have the path of their array; a root value has the empty
/// path. The text is a string's decoded text or the others as spelled. `null` and keys are no values. On text that is
/// not JSON it visits something or nothing, and doesn't panic.
pub fn for_each_value(json: &str, mut visit: impl FnMut(&str, &str) -> ControlFlow<()>) {
    let bytes = json.as_bytes();
    let mut walk = Walk::default();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b'"' => string_end(bytes, at).0,
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => {
                walk.step(byte);
                at += 1;
                continue;
            }
            _ => scalar_end(bytes, at),
        };
        let token = &json[at..end];
        at = end;
        if byte == b'"' && walk.key_next {
            walk.enter_key(&string_text(token));
        } else if byte == b'"' {
            if visit(&walk.path, &string_text(token)).is_break() {
                return;
            }
        } else if token != "null" && visit(&walk.path, token).is_break() {
            return;
        }
    }
}

pub(super) fn scalar_end(bytes: &[u8], start: usize) -> usize {
    let stop = |byte: &u8| {
        matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\n' | b'\r' | b'\t')
    };
    bytes[start..].iter().position(stop).map_or(bytes.len(), |length| start + length)
}

/// A quoted string's text; what is between the quotes if it doesn't decode.
pub(super) fn string_text(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').unwrap_or(quoted);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    decoded(quoted).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// Where a walk stands: the path of the current value and how to return from each open container.
#[derive(Default)]
struct Walk {
    path: String,
    /// Per open container: the path's length outside its keys, and whether it is an object.
    open: Vec<(usize, bool)>,
    /// The next string is a key.
    key_next: bool,
}

impl Walk {
    fn step(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                self.open.push((self.path.len(), byte == b'{'));
                self.key_next = byte == b'{';
            }
            b'}' | b']' => {
                let (length, _) = self.open.pop().unwrap_or_default();
                self.path.truncate(length);
                self.key_next = false;
            }
            b',' => self.key_next = self.open.last().is_some_and(|&(_, object)| object),
            _ => {}
        }
    }

    fn enter_key(&mut self, key: &str) {
        let base = self.open.last().map_or(0, |&(length, _)| length);
        self.path.truncate(base);
        if base > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        self.key_next = false;
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
