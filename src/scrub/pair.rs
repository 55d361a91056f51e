//! `key=value`, `key: value` and `"key":"value"` in free text, JSON inside strings at any depth of escaping
//! included, when the key is secret-like.

use std::ops::Range;

use super::key::is_secret;
use super::{SCRUBBED, token};

/// Values that tell more than they hide.
const HARMLESS: [&str; 6] = ["null", "nil", "none", "undefined", "true", "false"];
/// Schemes of an `Authorization` value that have one token after them.
const SCHEMES: [&str; 7] = ["bearer", "basic", "token", "negotiate", "ntlm", "apikey", "key"];
/// Schemes of an `Authorization` value with a list of parameters to the end of the line.
const PARAMETER_SCHEMES: [&str; 5] = ["digest", "oauth", "signature", "hawk", "aws4-hmac-sha256"];

/// The run of key characters around `at`, without the letter of an escape such as `\n` before it.
pub(super) fn key_around(bytes: &[u8], at: usize) -> Range<usize> {
    let before = bytes[..at].iter().rev().take_while(|byte| is_key(**byte)).count();
    let mut start = at - before;
    let end = at + bytes[at..].iter().take_while(|byte| is_key(**byte)).count();
    if start < at
        && start > 0
        && bytes[start - 1] == b'\\'
        && matches!(bytes[start], b'n' | b't' | b'r' | b'b' | b'f')
    {
        start += 1;
    }
    // Two words that stand apart in prose and headings.
    let spaced = [("api", " key"), ("private", " key")];
    let joined = spaced.iter().find(|(first, second)| {
        bytes[start..end].eq_ignore_ascii_case(first.as_bytes())
            && bytes
                .get(end..end + second.len())
                .is_some_and(|next| next.eq_ignore_ascii_case(second.as_bytes()))
            && !bytes.get(end + second.len()).is_some_and(|byte| is_key(*byte))
    });
    start..end + joined.map_or(0, |(_, second)| second.len())
}

const fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || byte >= 0x80
}

/// True when the key is secret-like by itself.
pub(super) fn is_secret_key(text: &str, key: &Range<usize>) -> bool {
    text.get(key.clone()).is_some_and(|key| is_secret(key, &[]))
}

/// The value of the secret-like key, when a value follows it; never the replacement itself.
pub(super) fn value_of(text: &str, key: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (value, quoted_key) = value_start(bytes, key.end)?;
    if !is_secret_key(text, key) {
        return None;
    }
    let range = value_at(text, value, &text[key.clone()])?;
    let content = text.get(range.clone())?;
    let port =
        !quoted_key && bytes[key.end] == b':' && value == key.end + 1 && is_port(&text[key.clone()], content);
    let harmless = HARMLESS.iter().any(|word| word.eq_ignore_ascii_case(content));
    (!content.is_empty() && content != SCRUBBED && !port && !harmless).then_some(range)
}

/// `auth:8080` is a host and its port.
fn is_port(key: &str, value: &str) -> bool {
    let host = key.eq_ignore_ascii_case("auth") || key.eq_ignore_ascii_case("session");
    host && (2..=5).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where the value begins, and whether the key was quoted.
fn value_start(bytes: &[u8], key_end: usize) -> Option<(usize, bool)> {
    let mut at = skip(bytes, key_end, |byte| byte == b'\\');
    let quoted = matches!(bytes.get(at), Some(b'"' | b'\''));
    at = if quoted { at + 1 } else { key_end };
    if quoted && bytes.get(at) == Some(&b']') {
        at += 1;
    }
    at = skip(bytes, at, is_blank);
    let separator = at;
    at = skip(bytes, at, |byte| byte == b'=');
    if at == separator {
        if bytes.get(at) != Some(&b':') {
            return None;
        }
        at += 1;
        // `auth::login` is a path of code, `auth://` a scheme.
        if bytes.get(at) == Some(&b':') || bytes[at..].starts_with(b"//") {
            return None;
        }
        at += usize::from(bytes.get(at) == Some(&b'='));
    } else {
        at += usize::from(bytes.get(at) == Some(&b'>'));
    }
    Some((skip(bytes, at, is_blank), quoted))
}

const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn skip(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    from + bytes[from..].iter().take_while(|byte| belongs(**byte)).count()
}

fn value_at(text: &str, at: usize, key: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let quote = skip(bytes, at, |byte| byte == b'\\');
    match bytes.get(quote)? {
        b'"' | b'\'' => Some(quote + 1..string_end(bytes, quote + 1, bytes[quote], quote - at)),
        b'{' | b'[' if quote == at => Some(at..bracket_end(bytes, at)),
        b'-' if bytes[at..].starts_with(b"-----BEGIN ") => {
            token::pem(bytes, at + 4, at).or(Some(at..bare_end(bytes, at)))
        }
        _ => Some(at..plain_end(text, at, key)),
    }
}

/// The end of a quoted value: before the quote that closes it, with the backslashes of its depth, or before a
/// quote of a lesser depth, or the end of the text.
fn string_end(bytes: &[u8], from: usize, quote: u8, depth: usize) -> usize {
    let mut at = from;
    while let Some(found) = memchr::memchr(quote, &bytes[at..]) {
        let end = at + found;
        let slashes = bytes[from..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        // At a depth of n backslashes a literal backslash takes n + 1; an odd number of those escapes the quote.
        let escaped = slashes > depth && ((slashes - depth) / (depth + 1)) % 2 == 1;
        if !escaped {
            return end - slashes.min(depth);
        }
        at = end + 1;
    }
    bytes.len()
}

/// The end of a bracketed value, after the bracket that closes it or at the end of the text.
fn bracket_end(bytes: &[u8], from: usize) -> usize {
    let (mut open, mut at) = (0_usize, from);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            b'"' => {
                let depth = bytes[from..at - 1].iter().rev().take_while(|byte| **byte == b'\\').count();
                let end = string_end(bytes, at, b'"', depth);
                at = skip(bytes, end, |byte| byte == b'\\').min(bytes.len());
                at += usize::from(bytes.get(at) == Some(&b'"'));
            }
            _ => {}
        }
        if open == 0 {
            return at;
        }
    }
    bytes.len()
}

fn bare_end(bytes: &[u8], from: usize) -> usize {
    skip(bytes, from, |byte| !byte.is_ascii_whitespace() && !b",;&\"'`)]}<>\\|".contains(&byte))
}

/// The end of a value without quotes; the values of the two HTTP headers may have blanks in them.
fn plain_end(text: &str, at: usize, key: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = bare_end(bytes, at);
    let word = &text[at..end];
    let listed = |words: &[&str]| words.iter().any(|listed| listed.eq_ignore_ascii_case(word));
    if listed(&PARAMETER_SCHEMES) {
        return skip(bytes, end, |byte| !matches!(byte, b'\n' | b'\r' | b'\'' | b'\\'));
    }
    if listed(&SCHEMES) {
        let next = skip(bytes, end, is_blank);
        return if next > end { bare_end(bytes, next) } else { end };
    }
    let tail = key.len().checked_sub(6).and_then(|start| key.get(start..));
    while tail.is_some_and(|tail| tail.eq_ignore_ascii_case("cookie")) && bytes.get(end) == Some(&b';') {
        let name = skip(bytes, end + 1, is_blank);
        let name_end = skip(bytes, name, |byte| is_key(byte) || byte == b'.');
        if name_end == name || (bytes.get(name_end) != Some(&b'=') && !key.eq_ignore_ascii_case("set-cookie"))
        {
            break;
        }
        end = bare_end(bytes, name_end);
    }
    end
}
