//! Text out of JSON strings and back into them, repaired and cut to size on the way.
//!
//! Lone surrogates and NUL become U+FFFD: no server's JSON functions stumble over the text later. Text that needs
//! nothing done to it is borrowed.

use std::borrow::Cow;

use super::scan::{Kind, Scanner, Value, next_special};

/// Text and whether something was cut off its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut<'a> {
    /// What fits.
    pub text: Cow<'a, str>,
    /// There was more.
    pub cut: bool,
}

/// How much of a text is kept; a cut never splits a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// This many bytes.
    Bytes(usize),
    /// This many characters.
    Chars(usize),
}

impl Room {
    /// Bytes that are certainly enough.
    const fn most_bytes(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Chars(chars) => chars.saturating_mul(4),
        }
    }

    /// The length in bytes of what may stay of `text`.
    fn fitting(self, text: &str) -> usize {
        match self {
            Self::Bytes(bytes) | Self::Chars(bytes) if text.len() <= bytes => text.len(),
            Self::Bytes(bytes) => text.floor_char_boundary(bytes),
            Self::Chars(chars) => text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at),
        }
    }

    /// Cuts `text` to fit.
    #[must_use]
    pub fn cut(self, text: Cow<'_, str>) -> Cut<'_> {
        let length = self.fitting(&text);
        let cut = length < text.len();
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..length]),
            Cow::Owned(mut text) => {
                text.truncate(length);
                Cow::Owned(text)
            }
        };
        Cut { text, cut }
    }
}

/// A value as text: a string's characters, else its JSON text.
///
/// No more is decoded than there is room for.
#[must_use]
pub fn text_of<'a>(value: &Value<'a>, room: Room) -> Cut<'a> {
    if value.kind == Kind::String {
        if value.traits.escaped || value.traits.untidy {
            return decoded(value.inner(), room);
        }
        return room.cut(Cow::Borrowed(value.inner()));
    }
    if !value.traits.untidy || value.kind == Kind::Number {
        return room.cut(Cow::Borrowed(value.raw));
    }
    // Six bytes of an escape may become one.
    let start = &value.raw[..value.raw.floor_char_boundary(room.most_bytes().saturating_mul(6))];
    let mut tidy = String::with_capacity(start.len());
    write_tidy(start, &mut tidy);
    // A string that was cut in two is not tidied.
    let tidy = if tidy.contains('\0') { tidy.replace('\0', "\u{FFFD}") } else { tidy };
    let Cut { text, cut } = room.cut(Cow::Owned(tidy));
    Cut { text, cut: cut || start.len() < value.raw.len() }
}

/// A string's characters in full; what is between the quotes was checked by a [`Scanner`].
#[must_use]
pub fn decode<'a>(string: &Value<'a>) -> Cow<'a, str> {
    text_of(string, Room::Bytes(usize::MAX)).text
}

fn decoded(inner: &str, room: Room) -> Cut<'_> {
    let most = room.most_bytes();
    let mut text = String::with_capacity(inner.len().min(most));
    let mut rest = inner;
    while text.len() <= most {
        let plain = next_special(rest.as_bytes(), 0);
        if plain > most {
            // Four bytes more hold at least one character more than there is room for.
            let enough = rest.floor_char_boundary(plain.min(most.saturating_add(4)));
            text.push_str(&rest[..enough]);
            rest = &rest[enough..];
            break;
        }
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
        match rest.as_bytes() {
            [] => break,
            [b'\\', ..] => {
                let (character, length) = unescaped(rest);
                text.push(character);
                rest = &rest[length..];
            }
            [control, ..] => {
                text.push(if *control == 0 { char::REPLACEMENT_CHARACTER } else { char::from(*control) });
                rest = &rest[1..];
            }
        }
    }
    let more = !rest.is_empty();
    let Cut { text, cut } = room.cut(Cow::Owned(text));
    Cut { text, cut: cut || more }
}

/// The character an escape at the start of `text` stands for, and the escape's length.
fn unescaped(text: &str) -> (char, usize) {
    let character = match text.as_bytes().get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{C}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescaped_unicode(text),
        Some(other) => char::from(*other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, text.len().min(2))
}

fn unescaped_unicode(text: &str) -> (char, usize) {
    let unit = |text: &str| text.get(2..6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let first = unit(text).unwrap_or(0);
    let rest = text.get(6..).unwrap_or_default();
    if (0xD800..0xDC00).contains(&first)
        && rest.starts_with("\\u")
        && let Some(second @ 0xDC00..0xE000) = unit(rest)
    {
        let character = char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        return (character.unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    let character = char::from_u32(first).filter(|character| *character != '\0');
    (character.unwrap_or(char::REPLACEMENT_CHARACTER), text.len().min(6))
}

/// Appends `text` as a JSON string with the fewest escapes.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    loop {
        let plain = next_special(rest.as_bytes(), 0);
        out.push_str(&rest[..plain]);
        let Some(special) = rest.as_bytes().get(plain) else { break };
        push_escaped(char::from(*special), out);
        rest = &rest[plain + 1..];
    }
    out.push('"');
}

/// Appends a scanned value's JSON text as it may be stored: no line breaks between tokens, strings repaired and with
/// the fewest escapes, numbers no double can hold (`1e999`, `NaN`) as strings.
pub fn write_tidy(raw: &str, out: &mut String) {
    let bytes = raw.as_bytes();
    // What is before `done` has been written; what is between it and `at` can be copied as it is.
    let (mut done, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        let scalar = matches!(byte, b'"' | b'-' | b'0'..=b'9' | b'N' | b'I');
        let value = if scalar { Scanner::starting_at(raw, at).value().ok() } else { None };
        let length = value.map_or(1, |value| value.raw.len());
        let untidy = value.map_or(*byte < b' ', |value| value.traits.untidy);
        if untidy {
            out.push_str(&raw[done..at]);
            match value {
                Some(value) if value.kind == Kind::String => write_repaired(value.inner(), out),
                Some(value) => write_string(value.raw, out),
                None => {}
            }
            done = at + length;
        }
        at += length;
    }
    out.push_str(&raw[done..]);
}

/// Appends the inside of a scanned JSON string as a JSON string with the fewest escapes.
fn write_repaired(inner: &str, out: &mut String) {
    out.push('"');
    let (mut done, mut at) = (0, 0);
    loop {
        at = next_special(inner.as_bytes(), at);
        let length = match inner.as_bytes().get(at..) {
            None | Some([]) => break,
            Some([b'\\', b'u' | b'/', ..]) => {
                let (character, length) = unescaped(&inner[at..]);
                out.push_str(&inner[done..at]);
                push_escaped(character, out);
                length
            }
            Some([b'\\', ..]) => {
                at += 2;
                continue;
            }
            Some([control, ..]) => {
                out.push_str(&inner[done..at]);
                push_escaped(char::from(*control), out);
                1
            }
        };
        at += length;
        done = at;
    }
    out.push_str(&inner[done..]);
    out.push('"');
}

/// Appends a character of a JSON string, escaped if it must be.
fn push_escaped(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0' => out.push(char::REPLACEMENT_CHARACTER),
        '\u{1}'..'\u{20}' => {
            out.push_str("\\u00");
            out.push(if character < '\u{10}' { '0' } else { '1' });
            out.push(char::from_digit(u32::from(character) & 15, 16).unwrap_or('0'));
        }
        other => out.push(other),
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
