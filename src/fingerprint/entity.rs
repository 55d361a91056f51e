//! Words after which a name stands: `container shop-db-1`, `topic orders.v1`, `View [emails.shipped]`.

/// What has names of its own in most systems.
const NOUNS: [&str; 62] = [
    "account", "alias", "bean", "branch", "broker", "bucket", "cache", "certificate", "channel", "client",
    "cluster", "collection", "column", "constraint", "container", "customer", "database", "deployment",
    "device", "dev", "disk", "domain", "driver", "endpoint", "feature", "group", "host", "image", "index",
    "interface", "job", "key", "lock", "machine", "master", "model", "module", "namespace", "network", "node",
    "package", "partition", "pipeline", "plugin", "pod", "project", "queue", "region", "relation", "replica",
    "repository", "role", "route", "schema", "sensor", "service", "table", "tenant", "topic", "view", "volume",
    "worker",
];

/// Whether names of what the word says follow it.
pub(super) fn is_noun(word: &[u8]) -> bool {
    word.len() <= 11 && NOUNS.iter().any(|noun| noun.as_bytes().eq_ignore_ascii_case(word))
}

/// Whether a word is a name, not one of a language: it has a dash, line or stop inside, and says nothing by itself.
pub(super) fn is_name(word: &[u8]) -> bool {
    const PARTS: [&str; 26] = [
        "re", "un", "non", "pre", "read", "write", "only", "in", "out", "up", "down", "off", "on", "over", "self",
        "auto", "not", "is", "to", "by", "end", "back", "timed", "sync", "time", "error",
    ];
    let inner = |byte: &u8| matches!(byte, b'-' | b'_' | b'.' | b'/');
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    if !word.iter().any(inner) || !ends(word.first()) || !ends(word.last()) {
        return false;
    }
    let capital = word.iter().all(|byte| !byte.is_ascii_lowercase());
    let says = |part: &[u8]| PARTS.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(part));
    !capital && !word.split(inner).any(says)
}
