//! Lines of a stack trace that name an exception: its type, what it said, and how it stands to the one before.

use super::line::is_number;

/// How an exception stands to the one printed before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing says.
    None,
    /// It caused that one.
    Cause,
    /// It came of that one.
    Effect,
    /// It is told beside: it changes with what happens to run at the same time.
    Aside,
}

/// An exception's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub link: Link,
    pub kind: &'a str,
    /// What it said, on this line.
    pub said: &'a str,
}

/// What stands before a type, and what that means.
const MARKS: [(&str, Link); 17] = [
    ("Caused by: ", Link::Cause),
    ("[cause]: ", Link::Cause),
    ("---> (Inner Exception #", Link::Aside),
    ("---> ", Link::Cause),
    ("Suppressed: ", Link::Aside),
    ("[errors]: ", Link::Aside),
    ("Wrapped by: ", Link::Effect),
    ("Next ", Link::Effect),
    ("Exception in thread ", Link::None),
    ("Unhandled exception. ", Link::None),
    ("Unhandled Exception: ", Link::None),
    ("Uncaught (in promise) ", Link::None),
    ("Uncaught ", Link::None),
    ("PHP Fatal error:  Uncaught ", Link::None),
    ("Fatal error: Uncaught ", Link::None),
    ("PHP Fatal error: Uncaught ", Link::None),
    ("[uncaught] ", Link::None),
];

/// Reads an exception's line. `certain`: the place says that it is one, whatever the type is called.
pub(super) fn read(line: &str, certain: bool) -> Option<Header<'_>> {
    let mark = MARKS.iter().find_map(|(mark, link)| Some((line.strip_prefix(mark)?, *mark, *link)));
    let Some((rest, mark, stands)) = mark else {
        return kind(line, certain).map(|(kind, said)| Header { link: Link::None, kind, said });
    };
    let rest = match mark {
        // `"main" `
        "Exception in thread " => rest.strip_prefix('"')?.split_once("\" ")?.1,
        "---> (Inner Exception #" => rest.split_once(") ")?.1,
        _ => rest,
    };
    // `Next` begins sentences too.
    let (kind, said) = kind(rest, mark != "Next ")?;
    Some(Header { link: stands, kind, said })
}

/// The type at the beginning of a line, and what follows it.
pub(super) fn kind(line: &str, certain: bool) -> Option<(&str, &str)> {
    let bytes = line.as_bytes();
    let mut end = 0;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'$' | b'\\' => end += 1,
            b':' if bytes[end..].starts_with(b"::") && end > 0 => end += 2,
            _ => break,
        }
    }
    let name = line[..end].trim_end_matches('.');
    let rest = &line[name.len()..];
    let begins =
        name.starts_with(|letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | '\\'));
    if !begins || name.len() > 200 {
        return None;
    }
    // A code of Node, `TypeError [ERR_X]: …`, belongs to the type.
    if let Some(code) = rest.strip_prefix(" [").and_then(|rest| rest.split_once(']')) {
        let is_code =
            code.0.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit());
        if is_code && (code.1.is_empty() || code.1.starts_with(':')) {
            let length = name.len() + 3 + code.0.len();
            return Some((&line[..length], said(&line[length..])));
        }
    }
    let told = rest.starts_with(": ") || rest == ":" || rest.is_empty() || rest.starts_with(":\t");
    let bracketed = rest.starts_with(" (") && (line.ends_with("):") || certain);
    let php = rest.starts_with(" in /") && certain;
    ((told || bracketed || php) && (certain || is_type(name))).then(|| (name, said(rest)))
}

fn said(rest: &str) -> &str {
    rest.trim_start_matches([':', ' '])
}

/// Whether a name is one that types of exceptions have.
fn is_type(name: &str) -> bool {
    const ENDS: [&str; 9] =
        ["Error", "Exception", "Fault", "Exit", "Interrupt", "Warning", "Failure", "Timeout", "Throwable"];
    let last = name.rsplit(['.', ':', '\\']).next().unwrap_or(name);
    let capital = last.starts_with(|letter: char| letter.is_ascii_uppercase());
    let qualified = last.len() < name.len();
    capital && last.len() > 1 && (qualified || ENDS.iter().any(|end| last.ends_with(end)))
}

/// The type at the end of what Ruby says of an error: `undefined method (NoMethodError)`.
pub(super) fn ruby_kind(rest: &str) -> Option<(&str, &str)> {
    let (said, kind) = rest.strip_prefix(": ")?.strip_suffix(')')?.rsplit_once(" (")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    (kind.starts_with(|letter: char| letter.is_ascii_uppercase()) && kind.bytes().all(plain))
        .then_some((kind, said))
}

/// What a panic of Go or Rust said. In Rust it may stand on the line after, `next`.
pub(super) fn panic<'a>(line: &'a str, next: Option<&'a str>) -> Option<&'a str> {
    if let Some(said) = line.strip_prefix("panic: ").or_else(|| line.strip_prefix("fatal error: ")) {
        return Some(said.trim_end_matches(" [recovered]"));
    }
    // `2026/11/20 10:12:33 http: panic serving 10.0.0.7:51234: said`
    if let Some((_, said)) = line.split_once("http: panic serving ") {
        return said.split_once(": ").map(|(_, said)| said);
    }
    let (before, place) = line.split_once(" panicked at ")?;
    if !before.starts_with("thread '") {
        return None;
    }
    // Until Rust 1.72 the message came before the place, in quotes.
    if let Some(said) = place.strip_prefix('\'') {
        return said.rsplit_once("', ").map(|(said, _)| said);
    }
    let placed =
        place.ends_with(':') && place.trim_end_matches(':').rsplit(':').next().is_some_and(is_number);
    next.filter(|_| placed)
}
