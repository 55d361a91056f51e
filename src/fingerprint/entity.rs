//! Words after which a name stands: `container shop-db-1`, `topic orders.v1`, `View [emails.shipped]`.

/// What has names of its own in most systems, in order.
const NOUNS: [&str; 78] = [
    "account",
    "alias",
    "argument",
    "attribute",
    "backend",
    "bean",
    "branch",
    "broker",
    "bucket",
    "cache",
    "certificate",
    "channel",
    "client",
    "cluster",
    "collection",
    "column",
    "constraint",
    "container",
    "customer",
    "dag",
    "database",
    "dataset",
    "deployment",
    "dev",
    "device",
    "disk",
    "domain",
    "driver",
    "endpoint",
    "feature",
    "field",
    "group",
    "hook",
    "host",
    "image",
    "index",
    "interface",
    "job",
    "key",
    "lock",
    "machine",
    "master",
    "member",
    "model",
    "module",
    "namespace",
    "network",
    "node",
    "operation",
    "package",
    "parameter",
    "partition",
    "pipeline",
    "player",
    "plugin",
    "pod",
    "pool",
    "project",
    "property",
    "queue",
    "region",
    "relation",
    "replica",
    "repository",
    "resolver",
    "role",
    "route",
    "schema",
    "sensor",
    "service",
    "table",
    "team",
    "tenant",
    "topic",
    "variable",
    "view",
    "volume",
    "worker",
];

/// Whether names of what the word says follow it.
pub(super) fn is_noun(word: &[u8]) -> bool {
    let lower = |noun: &&str| noun.bytes().cmp(word.iter().map(u8::to_ascii_lowercase));
    word.len() <= 11 && NOUNS.binary_search_by(lower).is_ok()
}

/// Whether a word is a name, not one of a language: it has a dash, line, stop or capital inside, and says nothing by
/// itself.
pub(super) fn is_name(word: &[u8]) -> bool {
    const OUTCOMES: [&str; 7] = ["Denied", "Error", "Exception", "Failed", "Failure", "Found", "Timeout"];
    const PARTS: [&str; 26] = [
        "re", "un", "non", "pre", "read", "write", "only", "in", "out", "up", "down", "off", "on", "over",
        "self", "auto", "not", "is", "to", "by", "end", "back", "timed", "sync", "time", "error",
    ];
    let humps = word.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    if humps && word.iter().all(u8::is_ascii_alphanumeric) {
        return !OUTCOMES.iter().any(|end| word.ends_with(end.as_bytes()));
    }
    let inner = |byte: &u8| matches!(byte, b'-' | b'_' | b'.' | b'/');
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    if !word.iter().any(inner) || !ends(word.first()) || !ends(word.last()) {
        return false;
    }
    let capital = word.iter().all(|byte| !byte.is_ascii_lowercase());
    let says = |part: &[u8]| PARTS.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(part));
    !capital && !word.split(inner).any(says)
}

/// Whether a word of letters is a name because of what follows it: `container redis is unhealthy`, `endpoint db (…)`. Not
/// what a verb, a quality or another noun is: `queue full is`, `node added to`, `database connection is`.
pub(super) fn is_named(word: &[u8], rest: &[u8]) -> bool {
    const NEXT: [&str; 12] =
        [" is ", " was ", " has ", " does ", " on ", " of ", " from ", " (", ":", ", ", ")", "]"];
    const ENDS: [&str; 17] = [
        "ed", "ing", "ion", "ions", "able", "ible", "ment", "ure", "ity", "ance", "ence", "ful", "ent",
        "ant", "ive", "ess", "ly",
    ];
    const WORDS: [&str; 56] = [
        "and", "are", "as", "at", "but", "by", "can", "cert", "count", "data", "does", "down", "empty",
        "error", "exit", "exists", "file", "for", "found", "from", "full", "has", "health", "id", "ids",
        "in", "info", "into", "is", "limit", "list", "lost", "name", "names", "not", "of", "offline", "on",
        "or", "path", "pool", "port", "ready", "set", "size", "start", "state", "status", "stop", "that",
        "to", "type", "value", "was", "which", "with",
    ];
    let lower = word.iter().all(u8::is_ascii_lowercase);
    let next = NEXT.iter().any(|next| rest.starts_with(next.as_bytes()));
    let numbered = matches!(rest, [b' ', b'0'..=b'9', ..]);
    // `postgres:16` is one name, `host: down` is not.
    let glued = rest.first() == Some(&b':') && !rest.get(1).is_some_and(u8::is_ascii_alphanumeric);
    lower
        && word.len() > 1
        && (next || numbered)
        && !glued
        && !ENDS.iter().any(|end| word.ends_with(end.as_bytes()))
        && !WORDS.iter().any(|one| one.as_bytes() == word)
        && (!is_noun(word) || rest.starts_with(b" was "))
}

/// The end of a name that ends at `end` or has a tag after a colon.
pub(super) fn end(bytes: &[u8], end: usize) -> usize {
    if bytes.get(end) != Some(&b':') || !bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric) {
        return end;
    }
    let in_tag = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    let mut after = end + bytes[end..].iter().take_while(in_tag).count();
    while matches!(bytes[after - 1], b':' | b'.') {
        after -= 1;
    }
    after
}

/// Longest key of parts with colons between them, in bytes.
const MAX_KEY_BYTES: usize = 256;

/// The end of a key made of parts, `bull:mail:4821` or `arn:aws:iam::12:user/ann`, whose first part is from `start` to
/// `end`. What has one colon alone is a word and its value.
pub(super) fn key_end(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    let resource = matches!(&bytes[start..end], b"arn" | b"urn");
    let limit = bytes.len().min(start + MAX_KEY_BYTES);
    let in_key = |byte: &&u8| byte.is_ascii_alphanumeric() || b":_-./*#~+".contains(byte);
    let mut after = start + bytes[start..limit].iter().take_while(in_key).count();
    super::template::steps::take(after - start);
    while after > end && matches!(bytes[after - 1], b':' | b'.') {
        after -= 1;
    }
    let key = &bytes[start..after];
    if resource {
        return (after > end).then_some(after);
    }
    let parts = || key.split(|byte| *byte == b':');
    let lower = bytes[start..end].iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'));
    let digits = parts().next_back().is_some_and(|last| last.iter().any(u8::is_ascii_digit));
    (lower && digits && parts().count() > 2 && !parts().any(<[u8]>::is_empty)).then_some(after)
}
