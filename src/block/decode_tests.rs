use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::block::arbitrary::{NOON, batch_id, batch_of, event};
use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::event::{Event, uuid_at};

fn same(event: &Event<'_>, stored: &StoredEvent<'_>) {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(stored.ts, event.ts);
    assert_eq!(stored.level, event.level);
    assert_eq!(stored.message, event.message);
    assert_eq!(stored.source, event.source);
    assert_eq!(stored.env, event.env);
    let sent = event.ctx.as_ref().map(|ctx| json(ctx.get())).filter(|value| !value.is_null());
    assert_eq!(stored.ctx.map(|ctx| json(ctx.get())), sent);
    assert_eq!(stored.user_id, event.user_id);
    assert_eq!(stored.request_id, event.request_id);
    assert_eq!(stored.tags, event.tags);
    assert_eq!(stored.release, event.release);
    assert_eq!(stored.stack, event.stack);
    assert_eq!(stored.fingerprint, event.fingerprint);
    assert_eq!(stored.truncated, event.truncated);
}

#[test]
fn plain_text_is_borrowed_from_the_line() {
    let line = br#"{"id":"00000000000000000000000000-0","ts":1,"level":"info","source":"a","env":"b","message":"c","user_id":"u","tags":["t"],"fingerprint":"00000000000000ff"}"#;
    let event = StoredEvent::parse(line).unwrap();
    assert!(matches!(event.message, Cow::Borrowed("c")));
    assert!(matches!(event.user_id, Some(Cow::Borrowed("u"))));
    assert!(matches!(event.tags[..], [Cow::Borrowed("t")]));
    assert_eq!(event.fingerprint, Fingerprint(255));
}

#[test]
fn a_body_is_refused_for_what_is_wrong_with_it() {
    let batch = batch_of(batch_id(NOON, 1), &[]);
    let block = BlockEncoder::default().encode_block(
        uuid_at(Timestamp::from_millis(NOON)),
        1,
        &[Part::whole(&batch)],
        CompressionLevel::Ingest,
    );
    let (raw, body) = (block.header.raw_bytes, block.body);
    let inflate = |raw, body: &[u8]| inflate_body(Codec::Zlib, raw, body);
    assert_eq!(inflate(raw, &body).unwrap(), b"[\n]");
    assert_eq!(inflate(raw, &body[..3]), Err(BlockError::Short));
    assert_eq!(inflate(raw + 1, &body), Err(BlockError::LengthDiffers));
    assert_eq!(inflate(raw, &body[..body.len() - 1]), Err(BlockError::Deflate));
    let mut longer = body.clone();
    longer[0] += 1;
    assert_eq!(inflate(raw + 1, &longer), Err(BlockError::Deflate));
    longer[0] -= 2;
    assert_eq!(inflate(raw - 1, &longer), Err(BlockError::Deflate));
    let huge = (16 << 20) + 1_u32;
    assert_eq!(inflate(huge, &[&huge.to_le_bytes(), &body[4..]].concat()), Err(BlockError::TooLarge));
}

#[test]
fn the_head_of_a_line_is_read_without_parsing_it() {
    let line = br#"{"id":"0123456789abcdefghijklmnop-42","ts":-17,"level":"fatal","source":"x"}"#;
    let head = LineHead::parse(line).unwrap();
    assert_eq!(head.batch, b"0123456789abcdefghijklmnop");
    assert_eq!((head.index, head.ts.as_millis(), head.level), (42, -17, Level::Fatal));
    assert_eq!(&line[head.length..], br#","source":"x"}"#);
    for damaged in [
        &br#"{"id":"0123456789abcdefghijklmnop-","ts":1,"level":"info"}"#[..],
        br#"{"id":"0123456789abcdefghijklmnop-1","ts":99999999999999999999,"level":"info"}"#,
        br#"{"id":"0123456789abcdefghijklmnop-1","ts":1,"level":"notice"}"#,
        br#"{"id":"0123456789abcdefghijklmnop-9999999999","ts":1,"level":"info"}"#,
        br#"{"ts":1}"#,
    ] {
        assert_eq!(LineHead::parse(damaged), None, "{}", String::from_utf8_lossy(damaged));
    }
}

proptest! {
    #[test]
    fn events_read_back_as_they_were_written(
        groups in vec(vec(event(), 0..6), 1..4),
        compact in any::<bool>(),
    ) {
        let batches: Vec<_> =
            (1..).zip(&groups).map(|(number, events)| batch_of(batch_id(NOON, number), events)).collect();
        let parts: Vec<_> = batches.iter().map(Part::whole).collect();
        let level = if compact { CompressionLevel::Compact } else { CompressionLevel::Ingest };
        let id = uuid_at(Timestamp::from_millis(NOON));
        let block = BlockEncoder::default().encode_block(id, 7, &parts, level);
        let raw = inflate_body(block.header.codec, block.header.raw_bytes, &block.body).unwrap();
        serde_json::from_slice::<Vec<Value>>(&raw).expect("a body is a JSON array");
        let expected: Vec<_> = batches.iter().zip(&groups)
            .flat_map(|(batch, events)| (0..).zip(events).map(|(index, event)| (batch.batch, index, event)))
            .collect();
        prop_assert_eq!(lines(&raw).count(), expected.len());
        for (line, (batch, index, event)) in lines(&raw).zip(expected) {
            let stored = StoredEvent::parse(line).unwrap();
            same(event, &stored);
            prop_assert_eq!(stored.id, EventId { batch, index });
            let head = LineHead::parse(line).unwrap();
            prop_assert_eq!((head.id(), head.ts, head.level), (Some(stored.id), stored.ts, stored.level));
        }
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in vec(any::<u8>(), 0..200), raw_bytes in 0..300_u32) {
        let _ = inflate_body(Codec::Zlib, raw_bytes, &bytes);
        let framed = [&raw_bytes.to_le_bytes()[..], &[0x78, 0x01], &bytes].concat();
        let _ = inflate_body(Codec::Zlib, raw_bytes, &framed);
        for line in lines(&bytes) {
            prop_assert_eq!(line[0], b'{');
            let _ = (StoredEvent::parse(line), LineHead::parse(line));
        }
        let _ = (StoredEvent::parse(&bytes), LineHead::parse(&bytes));
    }

    #[test]
    fn a_damaged_line_does_not_make_reading_panic(event in event(), at in 0..400_usize, byte in any::<u8>()) {
        let mut line = batch_of(batch_id(NOON, 1), &[event]).lines;
        let at = at % line.len();
        line[at] = byte;
        let _ = (StoredEvent::parse(&line), LineHead::parse(&line).and_then(|head| head.id()));
    }
}
