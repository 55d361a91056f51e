//! The values of a stored line as raw JSON, found by walking it once without parsing what is in them.
//!
//! Meant for counting many lines: a text that isn't asked for is passed over at the speed of memory. Lines are trusted
//! to be as an encoder writes them; on any other bytes some values are missing, and nothing panics.

use std::borrow::Cow;

use memchr::memchr;

use super::decode::LineHead;
use super::json::{scalar_end, string_end, string_text};
use crate::fingerprint::Fingerprint;

/// What a line has after its level, each as it is spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineFields<'a> {
    /// Which program or logger.
    pub source: Option<&'a [u8]>,
    /// Environment.
    pub env: Option<&'a [u8]>,
    /// What happened.
    pub message: Option<&'a [u8]>,
    /// Any JSON.
    pub ctx: Option<&'a [u8]>,
    /// Who.
    pub user_id: Option<&'a [u8]>,
    /// Which request.
    pub request_id: Option<&'a [u8]>,
    /// Labels, an array of texts.
    pub tags: Option<&'a [u8]>,
    /// Release or version.
    pub release: Option<&'a [u8]>,
    /// The issue it belongs to.
    pub fingerprint: Option<&'a [u8]>,
}

impl<'a> LineFields<'a> {
    /// Of a line as [`super::decode::lines`] gives it, whose start has been read.
    #[must_use]
    pub fn of(line: &'a [u8], head: &LineHead<'_>) -> Self {
        let mut fields = Self::default();
        let mut rest = line.get(head.length..).unwrap_or_default();
        while let Some((name, value, after)) = split_member(rest) {
            rest = after;
            let place = match name {
                b"source" => &mut fields.source,
                b"env" => &mut fields.env,
                b"message" => &mut fields.message,
                b"ctx" => &mut fields.ctx,
                b"user_id" => &mut fields.user_id,
                b"request_id" => &mut fields.request_id,
                b"tags" => &mut fields.tags,
                b"release" => &mut fields.release,
                b"fingerprint" => &mut fields.fingerprint,
                _ => continue,
            };
            *place = Some(value);
        }
        fields
    }
}

/// The text of a value that is a JSON string.
#[must_use]
pub fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(value).ok().filter(|value| value.starts_with('"')).map(string_text)
}

/// The fingerprint at the end of a line, read from there.
#[must_use]
pub fn line_fingerprint(line: &[u8]) -> Option<Fingerprint> {
    let end = line.strip_suffix(b"}")?;
    let end = end.strip_suffix(br#","truncated":true"#).unwrap_or(end).strip_suffix(b"\"")?;
    let (before, digits) = end.split_at_checked(end.len().checked_sub(16)?)?;
    if !before.ends_with(br#","fingerprint":""#) {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(u64::from(byte - b'0')),
        b'a'..=b'f' => Some(u64::from(byte - b'a') + 10),
        _ => None,
    };
    digits.iter().try_fold(0, |sum, &byte| Some(sum << 4 | digit(byte)?)).map(Fingerprint)
}

/// Takes `,"name":value` off the start: name, value and what follows.
fn split_member(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let rest = bytes.strip_prefix(b",\"")?;
    let (name, rest) = rest.split_at(memchr(b'"', rest)?);
    let rest = rest.strip_prefix(b"\":")?;
    let (value, after) = rest.split_at(value_end(rest));
    (!value.is_empty()).then_some((name, value, after))
}

/// Where the value at the start of `bytes` ends.
fn value_end(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(b'"') => string_end(bytes, 0).0,
        Some(b'{' | b'[') => container_end(bytes),
        Some(_) => scalar_end(bytes, 0),
        None => 0,
    }
}

fn container_end(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at).0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary::{NOON, batch_id, batch_of, event};
    use super::super::decode::StoredEvent;
    use super::*;

    proptest! {
        #[test]
        fn the_fields_of_a_line_are_those_of_its_event(events in proptest::collection::vec(event(), 1..6)) {
            let batch = batch_of(batch_id(NOON, 1), &events);
            let raw = batch.lines;
            let mut start = 0;
            for head in &batch.heads {
                let line = &raw[start..start + head.line_bytes as usize];
                start += head.line_bytes as usize;
                let event = StoredEvent::parse(line).unwrap();
                let fields = LineFields::of(line, &LineHead::parse(line).unwrap());
                let text_of = |value: Option<&'_ [u8]>| value.and_then(text).map(Cow::into_owned);
                let owned = |value: &Option<Cow<'_, str>>| value.as_deref().map(str::to_owned);
                prop_assert_eq!(text_of(fields.source), Some(event.source.to_string()));
                prop_assert_eq!(text_of(fields.env), Some(event.env.to_string()));
                prop_assert_eq!(text_of(fields.message), Some(event.message.to_string()));
                prop_assert_eq!(text_of(fields.user_id), owned(&event.user_id));
                prop_assert_eq!(text_of(fields.request_id), owned(&event.request_id));
                prop_assert_eq!(text_of(fields.release), owned(&event.release));
                prop_assert_eq!(fields.ctx, event.ctx.map(|ctx| ctx.get().as_bytes()));
                prop_assert_eq!(fields.tags.is_some(), !event.tags.is_empty());
                prop_assert_eq!(text_of(fields.fingerprint), Some(event.fingerprint.to_string()));
                prop_assert_eq!(line_fingerprint(line), Some(event.fingerprint));
            }
        }

        #[test]
        fn any_bytes_give_fields_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let line = [br#"{"id":"00000000000000000000000000-0","ts":1,"level":"info""#, bytes.as_slice()].concat();
            let head = LineHead::parse(&line).unwrap();
            let fields = LineFields::of(&line, &head);
            let inside = |value: Option<&[u8]>| value.is_none_or(|value| value.len() <= bytes.len());
            prop_assert!(inside(fields.source) && inside(fields.ctx) && inside(fields.fingerprint));
            prop_assert!(line_fingerprint(&line).is_none() || bytes.len() > 16);
        }
    }
}
