//! What names a machine: addresses of IPv4, IPv6 and network cards, hosts, mail addresses, packages of applications.

use super::template::steps;

/// Longest address of hex digits and colons, in bytes; the longest of IPv6 has 45.
const MAX_COLON_HEX_BYTES: usize = 64;

/// Endings of hosts that no property of code has: `obj.it` is one of code, but rarer than the host.
const ENDINGS: [&str; 57] = [
    "com",
    "net",
    "org",
    "edu",
    "gov",
    "mil",
    "int",
    "info",
    "biz",
    "io",
    "cloud",
    "local",
    "internal",
    "lan",
    "localdomain",
    "cn",
    "de",
    "uk",
    "ru",
    "jp",
    "br",
    "tw",
    "it",
    "eu",
    "hk",
    "sg",
    "fr",
    "nl",
    "ca",
    "au",
    "kr",
    "es",
    "se",
    "fi",
    "dk",
    "pl",
    "ch",
    "nz",
    "za",
    "mx",
    "cz",
    "gr",
    "hu",
    "pt",
    "ro",
    "tr",
    "ua",
    "vn",
    "example",
    "invalid",
    "localhost",
    "arpa",
    "corp",
    "intranet",
    "onion",
    "svc",
    "consul",
];

/// Endings that are words of code too: those of a host only after two more parts, or one with a digit or dash.
const WORDS: [&str; 26] = [
    "app", "dev", "test", "home", "ai", "me", "co", "us", "tv", "be", "at", "no", "in", "il", "id", "shop",
    "site", "online", "store", "xyz", "tech", "page", "link", "live", "ie", "my",
];

/// Kinds of units of systemd: `backup.service: Failed`.
const UNITS: [&str; 8] = ["service", "timer", "socket", "scope", "slice", "mount", "swap", "path"];

/// Beginnings of an application's or package's name, as phones and Apple have them.
const REVERSED: [&str; 6] = ["com.", "org.", "net.", "io.", "dev.", "app."];

pub(super) fn is_email(word: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', word) else { return false };
    at > 0 && at + 1 < word.len()
}

/// A host's name in lower case, or an application's, `com.shop.app`. `rest` is what follows.
pub(super) fn is_host(word: &[u8], rest: &[u8]) -> bool {
    // `*.shop.example` of certificates
    let word = word.strip_prefix(b"*.").unwrap_or(word);
    let Some(dot) = memchr::memrchr(b'.', word) else { return word == b"localhost" };
    let plain =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    if dot == 0 || dot + 1 == word.len() || word[0] == b'.' || !word.iter().all(plain) {
        return false;
    }
    if rest.starts_with(b": ") && UNITS.iter().any(|unit| unit.as_bytes() == &word[dot + 1..]) {
        return true;
    }
    let dots = memchr::memchr_iter(b'.', word).count();
    let reversed = dots > 1 && REVERSED.iter().any(|start| word.starts_with(start.as_bytes()));
    let is = |list: &[&str]| list.iter().any(|ending| ending.as_bytes() == &word[dot + 1..]);
    if reversed || (is(&ENDINGS) && !word.contains(&b'_')) {
        return !word.starts_with(b"java.");
    }
    let telling = dots > 1 || word[..dot].iter().any(|byte| byte.is_ascii_digit() || *byte == b'-');
    (telling && is(&WORDS)) || (has_port(rest) && !super::word::is_file(word))
}

/// `:5432` and no more digits or another colon, as in `file:12:5`.
fn has_port(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b":") else { return false };
    let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    (2..=5).contains(&digits) && !matches!(rest.get(digits), Some(b':' | b'a'..=b'z' | b'A'..=b'Z'))
}

/// The end of groups of hex digits with colons between them: an address of IPv6 or of a network card.
pub(super) fn colon_hex_end(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut end, mut group, mut colons) = (start, 0, 0);
    let limit = bytes.len().min(start + MAX_COLON_HEX_BYTES);
    while let Some(byte) = bytes[..limit].get(end) {
        steps::take(1);
        match byte {
            b':' => (group, colons) = (0, colons + 1),
            _ if byte.is_ascii_hexdigit() && group < 5 => group += 1,
            _ if byte.is_ascii_alphanumeric() => return None,
            _ => break,
        }
        end += 1;
    }
    let address = &bytes[start..end];
    let open = address.ends_with(b":") && !address.ends_with(b"::");
    // All addresses are `::`, if it stands alone.
    let alone = end > start + 2 || matches!(bytes.get(end), None | Some(b' ' | b'\n' | b')'));
    (colons > 1 && alone && !open).then_some(end)
}

/// The end of `[::1]` or `[fe80::1%eth0]:8080`, which begins at `start` with the bracket.
pub(super) fn bracketed_end(bytes: &[u8], start: usize) -> Option<usize> {
    let limit = bytes.len().min(start + MAX_COLON_HEX_BYTES);
    let inside = start + 1;
    let length = memchr::memchr(b']', &bytes[inside.min(limit)..limit])?;
    let address = &bytes[inside..inside + length];
    let address = address.split(|byte| *byte == b'%').next().unwrap_or(address);
    let plain = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let colons = memchr::memchr_iter(b':', address).count();
    if colons < 2 || !address.iter().all(plain) {
        return None;
    }
    let end = inside + length + 1;
    let port = bytes[end..].strip_prefix(b":").unwrap_or_default();
    let digits = port.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    Some(if digits > 0 { end + 1 + digits } else { end })
}

/// An address in brackets follows directly: what is before it is its name, `unknown[10.0.0.1]`.
pub(super) fn names_address(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b"[") else { return false };
    let length = rest.iter().take(MAX_COLON_HEX_BYTES).take_while(|byte| **byte != b']').count();
    let address = &rest[..length];
    let count = |wanted: u8| memchr::memchr_iter(wanted, address).count();
    let of_four = count(b'.') == 3 && address.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let of_six = count(b':') > 1 && address.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b':');
    of_four || of_six
}
