//! The same rules over raw JSON, without parsing it into a tree: the text is walked once and copied, so the
//! order of keys, blanks and the spelling of numbers stay. No recursion: a string is a key when `:` follows it.

use std::borrow::Cow;

use memchr::memchr2;
use serde_json::value::RawValue;

use super::{SCRUBBED, card, key, text};

/// The JSON without its secrets, or `None` when there are none in it. `raw` is valid JSON.
pub(super) fn scrub(raw: &str, extra: &[String]) -> Option<Box<RawValue>> {
    // Extra keys may be shorter than a tell-tale, so they need the walk.
    if extra.is_empty() && !text::is_suspect_json(raw) {
        return None;
    }
    let mut walk = Walk { raw, extra, at: 0, copied: 0, out: String::new() };
    walk.run();
    if walk.copied == 0 {
        return None;
    }
    walk.out.push_str(&raw[walk.copied..]);
    // The copy is valid JSON as the input is; should that be wrong, nothing of it is kept.
    RawValue::from_string(walk.out).or_else(|_| RawValue::from_string(format!("\"{SCRUBBED}\""))).ok()
}

struct Walk<'a> {
    raw: &'a str,
    extra: &'a [String],
    at: usize,
    copied: usize,
    out: String,
}

impl Walk<'_> {
    fn run(&mut self) {
        let bytes = self.raw.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => self.string(),
                b'-' | b'0'..=b'9' => self.number(),
                _ => self.at += 1,
            }
        }
    }

    fn replace(&mut self, start: usize, end: usize, with: &str) {
        self.out.push_str(&self.raw[self.copied..start]);
        self.out.push_str(with);
        self.copied = end;
    }

    fn number(&mut self) {
        let start = self.at;
        self.at = scalar_end(self.raw.as_bytes(), start);
        if card::is_card_number(&self.raw.as_bytes()[start..self.at]) {
            self.replace(start, self.at, &format!("\"{SCRUBBED}\""));
        }
    }

    fn string(&mut self) {
        let bytes = self.raw.as_bytes();
        let start = self.at;
        let end = string_end(bytes, start);
        self.at = end;
        let mut content = decoded(&self.raw[start + 1..(end - 1).max(start + 1)]);
        if let Some(clean) = text::scrub(&content) {
            self.replace(start, end, &serde_json::Value::String(clean.clone()).to_string());
            content = Cow::Owned(clean);
        }
        let colon = skip_blanks(bytes, end);
        if bytes.get(colon) == Some(&b':') && key::is_secret(&content, self.extra) {
            let value = skip_blanks(bytes, colon + 1);
            self.at = value_end(bytes, value);
            if &bytes[value..self.at] != b"\"[scrubbed]\"" {
                self.replace(value, self.at, &format!("\"{SCRUBBED}\""));
            }
        }
    }
}

fn skip_blanks(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// After the closing quote of the string that opens at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

fn scalar_end(bytes: &[u8], start: usize) -> usize {
    start
        + bytes[start..]
            .iter()
            .take_while(|byte| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace())
            .count()
}

fn value_end(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => return string_end(bytes, start),
        Some(b'{' | b'[') => {}
        _ => return scalar_end(bytes, start),
    }
    let (mut open, mut at) = (0_usize, start);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if open == 0 {
            return at;
        }
    }
    bytes.len()
}

/// A JSON string's text. A half of a surrogate pair reads as the replacement character.
fn decoded(content: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', content.as_bytes()) else { return Cow::Borrowed(content) };
    let mut text = String::with_capacity(content.len());
    text.push_str(&content[..first]);
    let mut units: Vec<u16> = Vec::new();
    let mut rest = &content[first..];
    while let Some(letter) = rest.chars().next() {
        let unit = rest.strip_prefix("\\u").and_then(|hex| u16::from_str_radix(hex.get(..4)?, 16).ok());
        if let Some(unit) = unit {
            units.push(unit);
            rest = &rest[6..];
            continue;
        }
        flush(&mut units, &mut text);
        let escaped = rest[letter.len_utf8()..].chars().next().filter(|_| letter == '\\');
        rest = &rest[letter.len_utf8() + escaped.map_or(0, char::len_utf8)..];
        text.push(match escaped {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(other) => other,
            None => letter,
        });
    }
    flush(&mut units, &mut text);
    Cow::Owned(text)
}

fn flush(units: &mut Vec<u16>, text: &mut String) {
    text.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}
