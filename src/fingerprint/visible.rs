//! A text without what can't be seen: colours of terminals, control characters, marks of writing direction, and what
//! stands for bytes that were no text. The same fault is printed with and without.

use std::borrow::Cow;

/// The text itself, unless something has to be left out.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r'))
        || !text.chars().any(is_hidden)
    {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if letter == '\u{1b}' {
            skip_sequence(&mut rest);
        } else if !is_hidden(letter) {
            plain.push(letter);
        }
    }
    Cow::Owned(plain)
}

fn is_hidden(letter: char) -> bool {
    match letter {
        '\t' | '\n' | '\r' => false,
        // Of direction, of no width, of byte order; and what replaces bytes that are no text.
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fffd}' => true,
        letter => letter.is_control(),
    }
}

/// What follows the escape character: `[1;31m`, `]8;;https://…` up to its end, or one letter.
fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    /// Longest sequence, in characters.
    const MAX: usize = 256;
    let mut ahead = rest.clone();
    let ends: fn(&char) -> bool = match ahead.next() {
        Some('[') => |letter| !('!'..='?').contains(letter),
        Some(']') => |letter| matches!(letter, '\u{7}' | '\u{1b}'),
        _ => return,
    };
    if ahead.by_ref().take(MAX).find(ends).is_some() {
        *rest = ahead;
    }
}
