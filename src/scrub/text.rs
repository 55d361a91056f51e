//! All rules over one text: suspects in order, each shown to its rule, what a rule finds is replaced.
//!
//! A place is looked at once: what a rule has read in vain is remembered, so work is linear in the text.

use std::ops::Range;

use super::suspect::{self, Kind, Suspect};
use super::{SCRUBBED, card, pair, token};

/// How far each rule has read without finding anything.
#[derive(Default)]
struct Read {
    words: usize,
    jwt: usize,
    digits: usize,
    next_at: usize,
}

/// Passes over one text: a replacement may bring together what then looks like another secret.
const MAX_PASSES: usize = 4;

/// The text without its secrets, or `None` when there are none in it. What it returns has none by its own rules.
pub(super) fn scrub(text: &str) -> Option<String> {
    let mut clean = pass(text)?;
    for _ in 1..MAX_PASSES {
        match pass(&clean) {
            Some(cleaner) => clean = cleaner,
            None => return Some(clean),
        }
    }
    // Only a text made for it gets here; nothing of it is worth keeping.
    Some(SCRUBBED.to_owned())
}

fn pass(text: &str) -> Option<String> {
    let mut read = Read::default();
    let mut from = 0;
    while let Some(suspect) = suspect::next(text.as_bytes(), from) {
        if let Some(first) = look(text, suspect, &mut read, 0) {
            return Some(replace_from(text, first, &mut read));
        }
        from = suspect.after();
    }
    None
}

/// True when the rules, or a decoded look, could find something in this raw JSON.
pub(super) fn is_suspect_json(raw: &str) -> bool {
    let mut read = Read::default();
    let mut from = 0;
    while let Some(suspect) = suspect::next(raw.as_bytes(), from) {
        let met = match suspect.kind {
            Kind::Word | Kind::Bearer if suspect.at >= read.words => {
                let key = pair::key_around(raw.as_bytes(), suspect.at);
                read.words = key.end;
                pair::is_secret_key(raw, &key) || token::bearer(raw, suspect.at).is_some()
            }
            Kind::Escape => true,
            _ => look(raw, suspect, &mut read, 0).is_some(),
        };
        if met {
            return true;
        }
        from = suspect.after();
    }
    false
}

fn replace_from(text: &str, first: Range<usize>, read: &mut Read) -> String {
    let mut out = String::with_capacity(text.len() + SCRUBBED.len());
    let mut found = Some(first);
    let mut copied = 0;
    let mut from = 0;
    loop {
        if let Some(range) = found.take() {
            out.push_str(&text[copied..range.start]);
            out.push_str(SCRUBBED);
            copied = range.end;
            from = range.end;
        }
        let Some(suspect) = suspect::next(text.as_bytes(), from) else { break };
        found = look(text, suspect, read, copied);
        from = suspect.after();
    }
    out.push_str(&text[copied..]);
    out
}

/// What the suspect's rule takes out, on character boundaries and not before `floor`.
fn look(text: &str, suspect: Suspect, read: &mut Read, floor: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let at = suspect.at;
    let found = match suspect.kind {
        Kind::Word => pair_at(text, at, read),
        Kind::Bearer => token::bearer(text, at).or_else(|| pair_at(text, at, read)),
        Kind::Basic => token::basic(text, at),
        Kind::Jwt if at >= read.jwt => token::jwt(bytes, at).map_err(|end| read.jwt = end).ok(),
        Kind::Pem => token::pem(bytes, at, floor),
        Kind::Url => {
            token::url_password(bytes, at, &mut read.next_at).filter(|range| &text[range.clone()] != SCRUBBED)
        }
        Kind::Prefix => token::prefixed(bytes, at),
        Kind::Digits if at >= read.digits => {
            card::find(bytes, at, floor).map_err(|end| read.digits = end).ok()
        }
        Kind::Jwt | Kind::Digits | Kind::Escape => None,
    };
    found.filter(|range| text.get(range.clone()).is_some())
}

fn pair_at(text: &str, at: usize, read: &mut Read) -> Option<Range<usize>> {
    if at < read.words {
        return None;
    }
    let key = pair::key_around(text.as_bytes(), at);
    read.words = key.end;
    pair::value_of(text, &key)
}
