//! Arbitrary events for property tests of blocks and searches. Tests only.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::EncodedBatch;
use super::encode::BatchEncoder;
use crate::event::{BatchId, Event, Level};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// 2026-06-01T00:00:00Z, around which arbitrary events happen.
pub const NOON: i64 = 1_780_272_000_000;

/// Text with what is hard: quotes, escapes, control characters, letters whose lower case has another length.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-cA-CkKiI0-3 ]{0,12}",
        3 => "[abKk \"\\\\\n\u{1}\u{7f}nu0/İK\u{1E9E}ßΣσ日本😀]{0,12}",
        1 => any::<String>(),
    ]
}

/// Any JSON value, small.
pub fn json() -> impl Strategy<Value = Value> {
    let key = prop_oneof!["[a-c]{1,2}", Just("user_id".to_owned()), text()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        text().prop_map(Value::from),
        "[a-f0-9]{6,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key.clone(), inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// `ctx` as sent: spelled with or without spaces and escapes.
fn ctx() -> impl Strategy<Value = Cow<'static, RawValue>> {
    (json(), any::<bool>(), any::<bool>()).prop_map(|(value, spaced, escaped)| {
        let mut text =
            if spaced { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }
                .expect("a value prints");
        if escaped {
            text = text.replace('a', "\\u0061").replace('é', "\\u00E9").replace("false", "f\\u0061lse");
            text = text.replace("f\\u0061lse", "false");
        }
        let raw = RawValue::from_string(text)
            .unwrap_or_else(|_| RawValue::from_string(value.to_string()).expect("JSON"));
        Cow::Owned(raw)
    })
}

fn cow() -> impl Strategy<Value = Cow<'static, str>> {
    text().prop_map(Cow::Owned)
}

/// Any event within two hours of [`NOON`]. Its index is 0.
pub fn event() -> impl Strategy<Value = Event<'static>> {
    let place = (-3_600_000..3_600_000_i64, 0..6_usize, 0..4_u64, any::<bool>());
    let texts = (cow(), cow(), cow());
    let more = (option::of(ctx()), option::of(cow()), option::of(cow()), vec(cow(), 0..3));
    (place, texts, more, option::of(cow()), option::of(cow())).prop_map(
        |((offset, level, issue, truncated), (message, source, env), more, release, stack)| {
            let (ctx, user_id, request_id, tags) = more;
            Event {
                index: 0,
                ts: Timestamp::from_millis(NOON + offset),
                level: Level::ALL[level],
                message,
                source,
                env,
                ctx,
                user_id,
                request_id,
                tags,
                release,
                stack,
                client_fingerprint: None,
                fingerprint: Fingerprint(issue.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
                truncated,
            }
        },
    )
}

/// A batch id received at a time, the same each run.
pub fn batch_id(received: i64, number: u8) -> BatchId {
    let mut bytes = [number; 16];
    bytes[..6].copy_from_slice(&received.to_be_bytes()[2..]);
    BatchId::from_bytes(bytes)
}

/// The events as one batch, numbered in order.
pub fn batch_of(id: BatchId, events: &[Event<'static>]) -> EncodedBatch {
    let mut encoder = BatchEncoder::new(id);
    for (index, event) in (0..).zip(events) {
        encoder.push(&Event { index, ..event.clone() });
    }
    encoder.finish()
}

/// Every text of an event that a search for text looks into, found without the code under test.
pub fn searched_texts(event: &Event<'_>) -> Vec<String> {
    let mut texts = vec![event.message.to_string(), event.source.to_string()];
    let optional = [&event.user_id, &event.request_id, &event.release, &event.stack];
    texts.extend(optional.into_iter().flatten().map(ToString::to_string));
    texts.extend(event.tags.iter().map(ToString::to_string));
    if let Some(ctx) = &event.ctx {
        push_scalars(&serde_json::from_str(ctx.get()).expect("ctx is JSON"), &mut texts);
    }
    texts
}

/// The texts of a value's scalars, in order, without `null`.
pub fn push_scalars(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::String(text) => out.push(text.clone()),
        Value::Bool(_) | Value::Number(_) => out.push(value.to_string()),
        Value::Array(items) => items.iter().for_each(|item| push_scalars(item, out)),
        Value::Object(fields) => fields.values().for_each(|item| push_scalars(item, out)),
    }
}
