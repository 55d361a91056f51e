//! Secrets that are known by their own shape: `Bearer` and `Basic` values, JWTs, private keys, passwords in
//! URLs, and tokens with a well-known prefix. Each function is given the place of its tell-tale.

use std::ops::Range;

use memchr::{memchr, memmem};

/// Furthest `@` from `://` that is taken for the end of a URL's user and password, in bytes.
const MAX_USERINFO: usize = 512;

/// Prefix, least bytes that follow, whether only letters and digits follow.
const PREFIXES: [(&str, usize, bool); 24] = [
    ("sk_live_", 8, false),
    ("sk_test_", 8, false),
    ("rk_live_", 8, false),
    ("ghp_", 10, true),
    ("gho_", 10, true),
    ("ghu_", 10, true),
    ("ghs_", 10, true),
    ("ghr_", 10, true),
    ("github_pat_", 10, false),
    ("xoxa-", 8, false),
    ("xoxb-", 8, false),
    ("xoxe-", 8, false),
    ("xoxe.", 8, false),
    ("xoxp-", 8, false),
    ("xoxr-", 8, false),
    ("xoxs-", 8, false),
    ("glpat-", 8, false),
    ("tkl_", 10, true),
    ("tkr_", 10, true),
    ("npm_", 30, true),
    ("AIza", 30, false),
    ("whsec_", 16, false),
    ("shpat_", 16, false),
    ("shpa_", 16, false),
];

/// Words that follow `Bearer` in prose.
const PROSE: [&str; 24] = [
    "and",
    "auth",
    "authentication",
    "authorization",
    "credentials",
    "error",
    "expected",
    "for",
    "format",
    "from",
    "has",
    "header",
    "in",
    "invalid",
    "is",
    "missing",
    "not",
    "of",
    "or",
    "realm",
    "required",
    "scheme",
    "token",
    "tokens",
];

/// True when nothing before `at` continues a word. The letter of an escape such as `\n` is no part of one.
pub(super) fn free_before(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|index| bytes[index]) else { return true };
    let escape = at > 1 && bytes[at - 2] == b'\\' && matches!(before, b'n' | b't' | b'r' | b'b' | b'f');
    escape || !(before.is_ascii_alphanumeric() || before >= 0x80)
}

fn run(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    from + bytes[from..].iter().take_while(|byte| belongs(**byte)).count()
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

const fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'~' | b'+' | b'/' | b'=' | b'%' | b':')
}

/// What follows `scheme` and at least one blank at `at`, as far as it can be a token.
fn after_scheme(bytes: &[u8], at: usize, scheme: &[u8]) -> Option<Range<usize>> {
    let end = at + scheme.len();
    if !free_before(bytes, at) || !bytes.get(at..end)?.eq_ignore_ascii_case(scheme) {
        return None;
    }
    let start = run(bytes, end, |byte| byte == b' ' || byte == b'\t');
    let mut stop = run(bytes, start, is_token68);
    // A sentence may go on with a full stop or colon.
    while stop > start && matches!(bytes[stop - 1], b'.' | b':') {
        stop -= 1;
    }
    (start > end && stop > start).then_some(start..stop)
}

/// The value after `Bearer`, unless it is a word of prose.
pub(super) fn bearer(text: &str, at: usize) -> Option<Range<usize>> {
    let value = after_scheme(text.as_bytes(), at, b"bearer")?;
    let word = &text[value.clone()];
    (!PROSE.iter().any(|prose| prose.eq_ignore_ascii_case(word))).then_some(value)
}

/// The value after `Basic` when it is base64 of something with a colon in it.
pub(super) fn basic(text: &str, at: usize) -> Option<Range<usize>> {
    let value = after_scheme(text.as_bytes(), at, b"basic")?;
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text[value.clone()].trim_end_matches('=').bytes() {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(sextet);
        held += 6;
        if held >= 8 {
            held -= 8;
            if (bits >> held) & 0xff == u32::from(b':') {
                return Some(value);
            }
        }
    }
    None
}

/// A JWT beginning at `at`, or where the first part ends when it is none.
pub(super) fn jwt(bytes: &[u8], at: usize) -> Result<Range<usize>, usize> {
    let header = run(bytes, at, is_base64url);
    let payload = part(bytes, header);
    let cut_short = bytes[header..].starts_with(b".eyJ");
    let Some(payload) = payload.filter(|_| free_before(bytes, at) && bytes[at..].starts_with(b"eyJ")) else {
        return Err(header);
    };
    let mut end = payload;
    // A JWE has five parts.
    for _ in 0..3 {
        if bytes.get(end) != Some(&b'.') {
            break;
        }
        end = run(bytes, end + 1, is_base64url);
    }
    let long_enough = header - at >= 8 && payload - header > 4;
    if long_enough && (end > payload + 1 || cut_short) { Ok(at..end) } else { Err(header) }
}

/// The end of the part after the point at `at`.
fn part(bytes: &[u8], at: usize) -> Option<usize> {
    (bytes.get(at) == Some(&b'.')).then(|| run(bytes, at + 1, is_base64url))
}

/// A private key in PEM, from its first dash to its end line, or to the end of the text when that is missing.
pub(super) fn pem(bytes: &[u8], at: usize, floor: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(4).filter(|start| *start >= floor)?;
    let label = bytes.get(start..)?.strip_prefix(b"-----BEGIN ")?;
    let label_length = label.iter().take(64).position(|byte| *byte == b'-')?;
    memmem::find(&label[..label_length], b"PRIVATE KEY")?;
    let Some(end_line) = memmem::find(label, b"-----END") else { return Some(start..bytes.len()) };
    let after_end = bytes.len() - label.len() + end_line + 8;
    let close = memmem::find(&bytes[after_end..], b"-----");
    Some(start..close.map_or(bytes.len(), |close| after_end + close + 5))
}

/// The password of the URL whose scheme ends at `at`. `next_at` remembers the next `@` between calls.
pub(super) fn url_password(bytes: &[u8], at: usize, next_at: &mut usize) -> Option<Range<usize>> {
    let start = at + 4;
    if *next_at < start {
        *next_at =
            bytes.get(start..).and_then(|rest| memchr(b'@', rest)).map_or(usize::MAX, |found| start + found);
    }
    if next_at.saturating_sub(start) > MAX_USERINFO {
        return None;
    }
    let limit = bytes.len().min(start + MAX_USERINFO);
    let authority_end =
        run(&bytes[..limit], start, |byte| !byte.is_ascii_whitespace() && !b"\"'<>\\`/?#".contains(&byte));
    let colon = start + memchr(b':', &bytes[start..authority_end])?;
    // Not only digits after the colon is no port: the password has a slash or a like character in it.
    let port = bytes[start] == b'[' || bytes[colon + 1..authority_end].iter().all(u8::is_ascii_digit);
    let mut end = authority_end;
    if !port && memchr(b'@', &bytes[colon..authority_end]).is_none() {
        end = run(&bytes[..limit], start, |byte| !byte.is_ascii_whitespace() && !b"\"'<>\\`".contains(&byte));
    }
    let password_end = memchr::memrchr(b'@', &bytes[colon..end])? + colon;
    (password_end > colon + 1).then_some(colon + 1..password_end)
}

/// A token with a well-known prefix at `at`.
pub(super) fn prefixed(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if !free_before(bytes, at) {
        return None;
    }
    if bytes[at..].starts_with(b"AKIA") || bytes[at..].starts_with(b"ASIA") {
        let end = run(bytes, at, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let ends = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        return (end - at == 20 && ends).then_some(at..end);
    }
    PREFIXES.iter().find_map(|(prefix, least, plain)| {
        bytes[at..].strip_prefix(prefix.as_bytes())?;
        let start = at + prefix.len();
        let end =
            run(bytes, start, |byte| byte.is_ascii_alphanumeric() || (!plain && matches!(byte, b'_' | b'-')));
        (end - start >= *least).then_some(at..end)
    })
}
