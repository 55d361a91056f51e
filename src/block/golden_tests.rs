//! The stored format against files written when it was decided. If one of these fails, stored blocks are at stake:
//! don't rewrite the files without a new codec number or a migration.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::counts::encode_counts;
use super::decode::{StoredEvent, inflate_body, lines};
use super::encode::{BlockEncoder, CompressionLevel, Part};
use super::trigram::TrigramSet;
use super::{Block, filter};
use crate::block::arbitrary::{NOON, batch_id, batch_of};
use crate::event::{Event, Level};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

const BODY: &[u8] = include_bytes!("../../tests/fixtures/blocks/two-batches.json");
const HEADER: &str = include_str!("../../tests/fixtures/blocks/two-batches.header.txt");

fn event(message: &'static str, level: Level, ts: i64) -> Event<'static> {
    Event {
        source: Cow::Borrowed("web-shop"),
        fingerprint: Fingerprint(0x0123_4567_89ab_cdef),
        ..Event::plain(0, Timestamp::from_millis(ts), level, message)
    }
}

fn full_event() -> Event<'static> {
    let ctx = "{ \"order_id\": 4711,\n \"path\": \"C:\\\\temp\\/\\u00e9\", \"items\": [ {\"sku\":\"ab12cd34\"}, null, 1.50 ] }";
    Event {
        ctx: Some(Cow::Owned(RawValue::from_string(ctx.to_owned()).unwrap())),
        user_id: Some(Cow::Borrowed("User_7")),
        request_id: Some(Cow::Borrowed("4bf92f35-77b3-4da6-a3ce-929d0e0e4736")),
        tags: vec![Cow::Borrowed("checkout"), Cow::Borrowed("größe=\"XL\"")],
        release: Some(Cow::Borrowed("2.1.0")),
        stack: Some(Cow::Borrowed("Error: x\n\tat pay (a.js:1:2)\r\n\u{1}\u{8}\u{c}\u{7f}")),
        truncated: true,
        ..event("Zahlung \"abgelehnt\" \\ 日本 😀", Level::Error, NOON - 1)
    }
}

fn block() -> Block {
    let first = batch_of(batch_id(NOON + 250, 0xA7), &[full_event(), event("", Level::Info, NOON)]);
    let second = batch_of(batch_id(NOON + 900, 0x3C), &[event("late", Level::Info, NOON - 120_000)]);
    let id = uuid::Uuid::from_bytes([0x5A; 16]);
    BlockEncoder::default().encode_block(
        id,
        42,
        &[Part::whole(&first), Part::whole(&second)],
        CompressionLevel::Ingest,
    )
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// The header as text. The stored size is left out: it is the compressor's affair. The text filter is the one the
/// body would have if it were large enough for one.
fn header_text(block: &Block, raw: &[u8]) -> String {
    let header = &block.header;
    let mut trigrams = TrigramSet::default();
    lines(raw)
        .for_each(|line| trigrams.add(&line[line.windows(8).position(|at| at == b"\"source\"").unwrap()..]));
    let mut tokens = Vec::new();
    trigrams.drain(&mut tokens);
    let mut text = String::new();
    for (name, value) in [
        ("project_id", header.project_id.to_string()),
        ("id", header.id.to_string()),
        ("received_first", header.received_first.to_string()),
        ("received_last", header.received_last.to_string()),
        ("ts_first", header.ts_first.to_string()),
        ("ts_last", header.ts_last.to_string()),
        ("event_count", header.event_count.to_string()),
        ("raw_bytes", header.raw_bytes.to_string()),
        ("codec", (header.codec as i16).to_string()),
        ("counts", hex(&encode_counts(&header.counts))),
        ("id_filter", hex(&header.id_filter)),
        ("text_filter", hex(&header.text_filter)),
        ("text_filter_if_large", hex(&filter::build(&tokens))),
    ] {
        writeln!(text, "{name} {value}").unwrap();
    }
    text
}

fn inflated(block: &Block) -> Vec<u8> {
    inflate_body(block.header.codec, block.header.raw_bytes, &block.body).unwrap()
}

#[test]
fn a_body_has_the_bytes_it_always_had() {
    let raw = inflated(&block());
    assert_eq!(String::from_utf8(raw).unwrap(), String::from_utf8(BODY.to_vec()).unwrap());
}

#[test]
fn a_header_says_what_it_always_said() {
    let block = block();
    assert_eq!(header_text(&block, &inflated(&block)), HEADER);
}

#[test]
fn a_body_stored_long_ago_reads_back() {
    let events: Vec<_> = lines(BODY).map(|line| StoredEvent::parse(line).unwrap()).collect();
    let expected = full_event();
    assert_eq!(events.len(), 3);
    assert_eq!(events[0].message, expected.message);
    assert_eq!(events[0].stack, expected.stack);
    assert_eq!(events[0].tags, expected.tags);
    assert_eq!(
        events[0].ctx.unwrap().get(),
        r#"{"order_id":4711,"path":"C:\\temp/é","items":[{"sku":"ab12cd34"},null,1.50]}"#
    );
    assert_eq!(events[2].ts, Timestamp::from_millis(NOON - 120_000));
}

/// Writes the files anew: `cargo test --lib golden -- --ignored`, after a decided change of the format only.
#[test]
#[ignore = "writes the files the other tests compare with"]
fn rewrite_the_golden_files() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/blocks");
    let block = block();
    let raw = inflated(&block);
    std::fs::write(format!("{folder}/two-batches.header.txt"), header_text(&block, &raw)).unwrap();
    std::fs::write(format!("{folder}/two-batches.json"), raw).unwrap();
}
