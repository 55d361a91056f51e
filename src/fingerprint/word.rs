//! What a word of a message is: a unit, a path, a file, a name of a date, a key of a value.

use super::context::{METHODS, is_status};

/// Whether what follows is the value of a key that says what happened, as in `msg="…"`, `"error":"…"`, `level=error`.
pub(super) fn is_telling_value(before: &[u8]) -> bool {
    const KEYS: [&str; 17] = [
        "msg",
        "message",
        "error",
        "err",
        "exception",
        "reason",
        "level",
        "lvl",
        "severity",
        "event",
        "code",
        "errorcode",
        "error_code",
        "errmsg",
        "detail",
        "errortype",
        "error_type",
    ];
    let (rest, quoted) = match before {
        [rest @ .., b'='] => (rest, false),
        [rest @ .., b'"', b':'] | [rest @ .., b'"', b':', b' '] => (rest, true),
        _ => return false,
    };
    let in_key = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = rest.iter().rev().take(16).take_while(in_key).count();
    let (start, key) = rest.split_at(rest.len() - length);
    let whole =
        if quoted { start.last() == Some(&b'"') } else { start.last().is_none_or(u8::is_ascii_whitespace) };
    whole && KEYS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(key))
}

/// The method of a request in quotes, `GET /a HTTP/1.1`, with the blank after it.
pub(super) fn request_method(quoted: &[u8]) -> Option<usize> {
    let length = METHODS.iter().find(|method| quoted.starts_with(method.as_bytes()))?.len();
    let rest = &quoted[length..];
    (rest.starts_with(b" /") || rest.starts_with(b" http")).then_some(length + 1)
}

/// A request as access logs have it in quotes, with a status after it: `"GET /a HTTP/1.1" 404`.
pub(super) fn is_request_line(quoted: &[u8], rest: &[u8]) -> bool {
    request_method(quoted).is_some()
        && rest.len() >= 4
        && rest[0] == b' '
        && is_status(&rest[1..4])
        && rest.get(4).is_none_or(|next| *next == b' ')
}

/// A unit of time, size or share, alone after a number.
pub(super) fn is_unit(word: &[u8]) -> bool {
    const UNITS: [&str; 30] = [
        "ns",
        "us",
        "ms",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "min",
        "mins",
        "minute",
        "minutes",
        "h",
        "hour",
        "hours",
        "day",
        "days",
        "b",
        "byte",
        "bytes",
        "kb",
        "mb",
        "gb",
        "tb",
        "kib",
        "mib",
        "gib",
        "%",
        "msec",
        "milliseconds",
    ];
    // Zones after a time, currencies after an amount.
    const CAPITALS: [&str; 20] = [
        "UTC", "GMT", "CET", "CEST", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "JST", "IST",
        "BST", "EUR", "USD", "GBP", "CHF", "JPY",
    ];
    if word.len() <= 4 && CAPITALS.iter().any(|one| one.as_bytes() == word) {
        return true;
    }
    word.len() <= 12 && UNITS.iter().any(|unit| unit.as_bytes().eq_ignore_ascii_case(word))
}

/// Two currencies, `EUR/USD`.
pub(super) fn is_rate(word: &[u8]) -> bool {
    matches!(word, [from @ .., b'/', _, _, _] if from.len() == 3 && is_unit(from) && is_unit(&word[4..]))
}

/// Something rooted, or of several segments; `and/or` and `text/html` are words.
pub(super) fn is_path(word: &[u8]) -> bool {
    let slashes = word.iter().filter(|byte| matches!(byte, b'/' | b'\\')).count();
    let rooted = matches!(word, [b'/' | b'~' | b'\\', ..] | [b'.', b'/' | b'.', ..]);
    // `shop/cart.csv`, `com.shop.app/.Main`, `kube-system/cert-manager`
    let named = slashes == 1 && word.iter().any(|byte| matches!(byte, b'.' | b'-' | b'_'));
    word.len() > 1 && (rooted || slashes > 1 || named)
}

/// An account's name after `user`, as far as what follows it says so.
pub(super) fn is_account(word: &[u8], rest: &[u8]) -> bool {
    const NOUNS: [&str; 12] = [
        "unknown", "request", "input", "agent", "error", "data", "id", "name", "account", "session", "login",
        "action",
    ];
    let ends = rest.is_empty()
        || rest == b"."
        || matches!(rest, [b' ', b'0'..=b'9', ..])
        || [" from ", " by ", " at ", " [", " (", "("].iter().any(|next| rest.starts_with(next.as_bytes()));
    ends && !NOUNS.iter().any(|noun| noun.as_bytes().eq_ignore_ascii_case(word))
}

/// The name of a source file, but not of a built one with a hash in its name.
pub(super) fn is_source_file(name: &[u8]) -> bool {
    source_file(name) == Some(0)
}

/// The name of a file as people write, set up and build programs: a number after its colon is a line.
pub(super) fn is_file(name: &[u8]) -> bool {
    const EXTENSIONS: [&str; 25] = [
        "cfg", "conf", "config", "cshtml", "css", "dart", "erb", "fs", "htm", "html", "ini", "json", "less",
        "log", "m", "md", "mm", "scss", "sh", "sql", "svelte", "toml", "vue", "yaml", "yml",
    ];
    let Some(dot) = memchr::memrchr(b'.', name) else { return false };
    is_source_file(name) || EXTENSIONS.iter().any(|extension| extension.as_bytes() == &name[dot + 1..])
}

/// Where a source file's name begins in a path, when it is one.
pub(super) fn source_file(path: &[u8]) -> Option<usize> {
    const EXTENSIONS: [&str; 24] = [
        "c", "cc", "cpp", "cs", "erl", "ex", "exs", "go", "h", "java", "js", "jsx", "kt", "lua", "mjs",
        "php", "pl", "py", "rb", "rs", "scala", "swift", "ts", "tsx",
    ];
    let name = path.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |slash| slash + 1);
    let dot = memchr::memrchr(b'.', &path[name..])? + name;
    let hashed = path[name..].iter().filter(|byte| byte.is_ascii_digit()).count() > 2;
    (!hashed && dot > name && EXTENSIONS.iter().any(|extension| extension.as_bytes() == &path[dot + 1..]))
        .then_some(name)
}

/// Where a path that begins at `start` ends if what has been read of it ends at `end`: `/orders/[id]` goes on in brackets,
/// `/cart?step=2` after the question mark.
pub(super) fn path_end(bytes: &[u8], start: usize, mut end: usize) -> usize {
    if bytes[start..end].contains(&b'?') {
        return url_end(bytes, start).max(end);
    }
    while matches!(bytes.get(end), Some(b'[' | b'{' | b'('))
        && matches!(bytes[end - 1], b'/' | b'\\')
        && let Some(after) = super::value::bracketed_end(bytes, end)
    {
        let more =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'\\' | b'.' | b'-' | b'_');
        end = after + bytes[after..].iter().take_while(more).count();
    }
    end
}

/// Where the URL, or path of one, that begins at `start` ends.
pub(super) fn url_end(bytes: &[u8], start: usize) -> usize {
    let in_url = |byte: &&u8| !byte.is_ascii_whitespace() && !b"\"'`<>()[]{},;|".contains(byte);
    start + bytes[start..].iter().take_while(in_url).count()
}

/// The name of a weekday or month with more of a date after it, as in `Sun Jul 10`.
pub(super) fn is_date_name(word: &[u8], rest: &[u8]) -> bool {
    const NAMES: [&[u8; 3]; 19] = [
        b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun", b"Jan", b"Feb", b"Mar", b"Apr", b"May",
        b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
    ];
    let is_name = |word: &[u8]| word.len() >= 3 && NAMES.iter().any(|name| **name == word[..3]);
    if word.len() != 3 || !word[0].is_ascii_uppercase() || !is_name(word) {
        return false;
    }
    let next = rest.trim_ascii_start().strip_prefix(b", ").unwrap_or(rest.trim_ascii_start());
    next.first().is_some_and(u8::is_ascii_digit) || is_name(next)
}

/// A segment of a URL's path that varies.
pub(super) fn is_variable_segment(segment: &[u8]) -> bool {
    let version = matches!(segment, [b'v', b'0'..=b'9'] | [b'v', b'0'..=b'9', b'0'..=b'9']);
    !version
        && (segment.len() > 40 || segment.iter().any(u8::is_ascii_digit) || super::host::is_email(segment))
}

/// A name in brackets, without blanks: its length.
pub(super) fn bracketed_name(text: &[u8]) -> Option<usize> {
    let inside = &text[1..];
    let closing = match text[0] {
        b'[' => b']',
        b'(' => b')',
        _ => return None,
    };
    let length =
        inside.iter().take(128).take_while(|byte| **byte != closing && !byte.is_ascii_whitespace()).count();
    (length > 0 && inside.get(length) == Some(&closing)).then_some(length)
}

/// A message that is JSON as a whole and says in it what happened: its other fields are beside.
pub(super) fn has_message(json: &[u8]) -> bool {
    let head = &json[..json.len().min(2048)];
    [b"\"msg\":".as_slice(), b"\"message\":"].iter().any(|key| memchr::memmem::find(head, key).is_some())
}

/// What ends with a key of a value: `key=`, `"key":`, `, key: `.
pub(super) fn is_pair(text: &[u8]) -> bool {
    key(text).is_some()
}

/// A further key of a list: blanks, a comma or both before it, and nothing else.
pub(super) fn is_next_key(text: &[u8]) -> bool {
    key(text).is_some_and(|(before, colon)| {
        let separator = before.trim_ascii();
        !before.is_empty() && (separator == b"," || separator == b";" || (separator.is_empty() && !colon))
    })
}

/// What is before the key a text ends with, and whether a colon and a blank follow it.
fn key(text: &[u8]) -> Option<(&[u8], bool)> {
    let (rest, colon) = match text {
        [rest @ .., b'='] | [rest @ .., b'"', b':'] | [rest @ .., b'"', b':', b' '] => (rest, false),
        [rest @ .., b':', b' '] => (rest, true),
        _ => return None,
    };
    let in_key = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let length = rest.iter().rev().take(64).take_while(in_key).count();
    let before = &rest[..rest.len() - length];
    let before = if text.contains(&b'"') { before.strip_suffix(b"\"")? } else { before };
    (length > 0).then_some((before, colon))
}

/// A truth value, or what stands for none.
pub(super) fn is_truth(word: &[u8]) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "null", "nil", "none", "yes", "no", "on", "off", "_"];
    word.len() <= 5 && WORDS.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(word))
}

/// A truth value may follow, if it is not the beginning of a sentence: `charging: true`, `is now on for all`.
pub(super) fn awaits_value(before: &[u8], rest: &[u8]) -> bool {
    let after_colon = before.ends_with(b": ") && rest.first() != Some(&b' ');
    after_colon || [" now ", " turned ", " set to "].iter().any(|end| before.ends_with(end.as_bytes()))
}

/// A verb after which `from` one state `to` another may follow.
pub(super) fn is_change(word: &[u8]) -> bool {
    const VERBS: [&str; 9] = [
        "changed",
        "changes",
        "changing",
        "flipped",
        "switched",
        "toggled",
        "transition",
        "transitioned",
        "went",
    ];
    VERBS.iter().any(|verb| verb.as_bytes().eq_ignore_ascii_case(word))
}

/// A word that begins another thought.
pub(super) fn ends_change(word: &[u8]) -> bool {
    matches!(word, b"and" | b"but" | b"because" | b"after" | b"in" | b"at" | b"by" | b"for")
}

/// A state's name in small letters. In capitals people write states of a machine whose changes they tell apart.
pub(super) fn is_state(word: &[u8]) -> bool {
    !matches!(word, b"the" | b"a" | b"an" | b"be" | b"use")
        && word.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'))
}

/// A word of English in the plural, as far as its end tells, that is no key.
pub(super) fn is_plural(word: &[u8], rest: &[u8]) -> bool {
    word.len() > 3
        && word.ends_with(b"s")
        && !["ss", "us", "is"].iter().any(|end| word.ends_with(end.as_bytes()))
        && word.iter().all(u8::is_ascii_lowercase)
        && matches!(rest.first(), None | Some(b' ' | b',' | b'.' | b')' | b';'))
}

/// A parser names the character it didn't expect: `Unexpected token < in JSON`.
pub(super) fn has_token(word: &[u8], rest: &[u8]) -> bool {
    word == b"token" && matches!(rest, [b' ', one, b' ' | b',', ..] if one.is_ascii_punctuation())
}

/// Where a path of Windows ends that begins at `start` with its first backslash.
pub(super) fn file_path_end(bytes: &[u8], start: usize) -> usize {
    let in_path = |byte: &&u8| !byte.is_ascii_whitespace() && !b"\"'`<>()[]{},;|:".contains(byte);
    let end = start + bytes[start..].iter().take_while(in_path).count();
    path_end(bytes, start, end)
}
