//! Where values end: after `key=`, in brackets of any depth, in quotes of any script.

use super::template::steps;

/// Longest value in brackets that is taken for one, in bytes.
const MAX_BRACKETED_BYTES: usize = 512;
/// Longest quoted text, in bytes.
const MAX_QUOTED_BYTES: usize = 512;

/// The end of the value that begins at `start`, after `key=`: up to the next blank or closing mark, with what is in
/// brackets in it.
pub(super) fn end(bytes: &[u8], start: usize) -> usize {
    let (mut end, mut closed) = (start, true);
    while let Some(byte) = bytes.get(end) {
        steps::take(1);
        match byte {
            b'[' | b'{' | b'(' | b'<' if closed => match bracketed_end(bytes, end) {
                Some(after) => end = after,
                // Looked for once: each bracket would read the same again.
                None => closed = false,
            },
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' | b'&' | b')' | b'}' | b']' | b'>' | b'"' | b'\'' => {
                break;
            }
            _ => end += 1,
        }
    }
    end
}

/// What follows the bracket that closes the one at `start`.
pub(super) fn bracketed_end(bytes: &[u8], start: usize) -> Option<usize> {
    let limit = bytes.len().min(start + MAX_BRACKETED_BYTES);
    let (mut depth, mut quote) = (0_usize, None);
    for (at, byte) in bytes[..limit].iter().enumerate().skip(start) {
        steps::take(1);
        match (quote, byte) {
            (Some(open), byte) => quote = Some(open).filter(|open| *open != byte),
            (None, b'"') => quote = Some(byte),
            (None, b'[' | b'{' | b'(' | b'<') => depth += 1,
            (None, b'>') if matches!(bytes[at - 1], b'-' | b'=') => {}
            (None, b']' | b'}' | b')' | b'>') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The end of an object as programs print it, `{"id": 1}`, `{ id: 1 }`, `{id=1}`, which begins at `start`, if nothing in
/// it says what happened.
pub(super) fn context_end(bytes: &[u8], start: usize) -> Option<usize> {
    let inside = bytes[start + 1..].trim_ascii_start();
    let quoted = matches!(inside.first(), Some(b'"' | b'\''));
    let length = inside.iter().take(64).take_while(|byte| is_in_key(**byte)).count();
    let bare = length > 0 && matches!(inside[length..], [b':', b' ', ..] | [b'=', ..]);
    if !quoted && !bare {
        return None;
    }
    let end = bracketed_end(bytes, start)?;
    let object = &bytes[start..end];
    let mut keys = memchr::memchr2_iter(b':', b'=', object).map(|at| before(&object[..at])).peekable();
    keys.peek()?;
    (!keys.any(says_what)).then_some(end)
}

/// The end of what is between `[` at `start` and its bracket, if that is a list of words with commas between them.
pub(super) fn list_end(bytes: &[u8], start: usize) -> Option<usize> {
    let after_key = bytes[..start].ends_with(b": ") || bytes[..start].ends_with(b"=");
    let end = bracketed_end(bytes, start).filter(|_| after_key)? - 1;
    let plain = |byte: &u8| is_in_key(*byte) || matches!(byte, b',' | b' ' | b'"' | b'\'');
    let words = bytes[start + 1..end].split(|byte| *byte == b',');
    let mut words = words.map(<[u8]>::trim_ascii);
    (end > start + 1 && bytes[start + 1..end].iter().all(plain) && words.all(|word| !word.contains(&b' ')))
        .then_some(end)
}

/// Whether a key in quotes may stand here: after a brace or comma.
pub(super) fn is_key_place(before: &[u8]) -> bool {
    matches!(before.trim_ascii_end().last(), Some(b'{' | b','))
}

const fn is_in_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The key that ends a text.
fn before(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\"").or_else(|| text.strip_suffix(b"'")).unwrap_or(text);
    let length = text.iter().rev().take(32).take_while(|byte| is_in_key(**byte)).count();
    &text[text.len() - length..]
}

/// A key whose value says what happened.
fn says_what(key: &[u8]) -> bool {
    const KEYS: [&str; 20] = [
        "code",
        "detail",
        "err",
        "errmsg",
        "errno",
        "error",
        "errorcode",
        "event",
        "exception",
        "hresult",
        "kind",
        "level",
        "message",
        "msg",
        "name",
        "reason",
        "severity",
        "status",
        "statuscode",
        "type",
    ];
    KEYS.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(key))
}

/// Marks that open and close quoted text in other scripts.
const QUOTES: [(&str, &[&str]); 6] =
    [("„", &["“", "”"]), ("“", &["”"]), ("‘", &["’"]), ("«", &["»"]), ("「", &["」"]), ("『", &["』"])];

/// The end of a text quoted by marks beyond ASCII that begins at `start`.
pub(super) fn quoted_end(text: &str, start: usize) -> Option<usize> {
    let rest = &text[start..];
    let (open, closing) = QUOTES.iter().find(|(open, _)| rest.starts_with(open))?;
    let inside = open.len();
    let mut limit = rest.len().min(inside + MAX_QUOTED_BYTES);
    while !rest.is_char_boundary(limit) {
        limit -= 1;
    }
    let ends = closing.iter().filter_map(|close| Some(rest[inside..limit].find(close)? + close.len()));
    Some(start + inside + ends.min()?)
}
