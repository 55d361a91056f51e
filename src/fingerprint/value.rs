//! Where values end: after `key=`, in brackets of any depth, in quotes of any script.

/// Longest value in brackets that is taken for one, in bytes.
const MAX_BRACKETED_BYTES: usize = 512;
/// Longest quoted text, in bytes.
const MAX_QUOTED_BYTES: usize = 512;

/// The end of the value that begins at `start`, after `key=`: up to the next blank or closing mark, with what is in
/// brackets in it.
pub(super) fn end(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'[' | b'{' | b'(' | b'<' => match bracketed_end(bytes, end) {
                Some(after) => end = after,
                None => end += 1,
            },
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' | b'&' | b')' | b'}' | b']' | b'>' | b'"' | b'\'' => break,
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
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
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

/// The end of an object as JSON, JavaScript, Python or Ruby print it, which begins at `start` with `{`, if nothing in it
/// says what happened.
pub(super) fn context_end(bytes: &[u8], start: usize) -> Option<usize> {
    let inside = bytes[start + 1..].trim_ascii_start();
    if !matches!(inside.first(), Some(b'"' | b'\'')) {
        return None;
    }
    let end = bracketed_end(bytes, start)?;
    let object = &bytes[..end];
    let tells = memchr::memchr_iter(b':', &object[start..])
        .any(|colon| super::word::is_telling_value(&object[..=start + colon]));
    let is_object = memchr::memchr(b':', &object[start..]).is_some();
    (is_object && !tells).then_some(end)
}

/// Marks that open and close quoted text in other scripts.
const QUOTES: [(&str, &[&str]); 6] = [
    ("„", &["“", "”"]),
    ("“", &["”"]),
    ("‘", &["’"]),
    ("«", &["»"]),
    ("「", &["」"]),
    ("『", &["』"]),
];

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
