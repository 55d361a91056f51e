//! Any bytes as a body of `POST /log`: read, scrubbed, named and encoded without a panic; what is accepted is within
//! its bounds, and every stored line reads back as the same event, in our reader and as plain JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tekno_logger::block::decode::{StoredEvent, inflate_body, lines};
use tekno_logger::block::encode::{BatchEncoder, BlockEncoder, CompressionLevel, Part};
use tekno_logger::event::{BatchId, Event, uuid_at};
use tekno_logger::fingerprint::Fingerprinter;
use tekno_logger::project::ScrubSettings;
use tekno_logger::protocol::{
    CTX_BYTES, FIELD_CHARS, MAX_TAGS, MESSAGE_BYTES, ParseRules, STACK_BYTES, cut_to_size, native,
};
use tekno_logger::scrub::Scrubber;
use tekno_logger::timestamp::Timestamp;

const MAX_EVENTS: usize = 250;

fn within_bounds(event: &Event<'_>, now: Timestamp) {
    assert!(event.ts <= now);
    assert!(!event.message.is_empty() && event.message.len() <= MESSAGE_BYTES);
    assert!(event.stack.as_ref().is_none_or(|stack| stack.len() <= STACK_BYTES));
    assert!(event.ctx.as_ref().is_none_or(|ctx| ctx.get().len() <= CTX_BYTES));
    assert!(event.tags.len() <= MAX_TAGS);
    let fields = [&event.user_id, &event.request_id, &event.release].into_iter().flatten();
    for field in fields.chain([&event.source, &event.env]).chain(&event.tags) {
        assert!(field.chars().count() <= FIELD_CHARS);
    }
}

fuzz_target!(|body: &[u8]| {
    let now = Timestamp::from_millis(1_780_272_000_000);
    let text = native::decode(body);
    let rules = ParseRules { received_at: now, project_slug: "web-shop", max_events: MAX_EVENTS };
    let Ok(mut batch) = native::parse(&text, &rules) else { return };
    assert_eq!(batch.received as usize, batch.events.len() + batch.rejected.len());
    assert!(batch.received as usize <= MAX_EVENTS);
    let (settings, mut names) = (ScrubSettings::default(), Fingerprinter::new());
    let scrubber = Scrubber::new(&settings);
    let mut encoder = BatchEncoder::new(BatchId::new(now));
    for event in &mut batch.events {
        scrubber.scrub(event);
        cut_to_size(event);
        within_bounds(event, now);
        event.fingerprint = names.fingerprint(event);
        names.title(&event.message);
        encoder.push(event);
    }
    if batch.events.is_empty() {
        return;
    }
    let encoded = encoder.finish();
    let mut blocks = BlockEncoder::default();
    let part = Part::whole(&encoded);
    let block = blocks.encode_block(uuid_at(now), 1, &[part], CompressionLevel::Ingest);
    let raw = inflate_body(block.header.codec, block.header.raw_bytes, &block.body).expect("our own block");
    let array: Vec<Value> = serde_json::from_slice(&raw).expect("a block is one JSON array");
    assert_eq!(array.len(), batch.events.len());
    for (line, event) in lines(&raw).zip(&batch.events) {
        let stored = StoredEvent::parse(line).expect("our own line");
        assert_eq!((stored.ts, stored.level), (event.ts, event.level));
        assert_eq!((&stored.message, &stored.source, &stored.env), (&event.message, &event.source, &event.env));
        assert_eq!((&stored.user_id, &stored.request_id), (&event.user_id, &event.request_id));
        assert_eq!((&stored.tags, &stored.release, &stored.stack), (&event.tags, &event.release, &event.stack));
        assert_eq!((stored.fingerprint, stored.truncated), (event.fingerprint, event.truncated));
    }
});
