use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::block::arbitrary::{NOON, batch_id, batch_of, event, searched_texts};
use crate::block::case::lowercase;
use crate::block::decode::{inflate_body, lines};
use crate::block::filter::{id_token, may_contain, may_contain_ctx};
use crate::block::json::for_each_value;
use crate::block::summary::minute_of;
use crate::block::trigram::query_trigrams;
use crate::block::yardstick::{self, Random};
use crate::event::{Level, uuid_at};
use crate::timestamp::Timestamp;

fn encode(parts: &[Part<'_>]) -> Block {
    let id = uuid_at(Timestamp::from_millis(NOON));
    BlockEncoder::default().encode_block(id, 7, parts, CompressionLevel::Ingest)
}

fn yardstick_block(random: &mut Random, count: usize, level: CompressionLevel) -> Block {
    let batches: Vec<_> = (0..count / 250)
        .map(|number| {
            let id = batch_id(NOON + 100, u8::try_from(number).unwrap());
            batch_of(id, &yardstick::events(random, 250, NOON))
        })
        .collect();
    let id = uuid_at(Timestamp::from_millis(NOON));
    let parts: Vec<_> = batches.iter().map(Part::whole).collect();
    BlockEncoder::default().encode_block(id, 7, &parts, level)
}

#[test]
fn a_part_takes_its_events_and_no_others() {
    let mut random = Random(1);
    let batch = batch_of(batch_id(NOON, 3), &yardstick::events(&mut random, 10, NOON));
    let block = encode(&[Part { batch: &batch, events: 2..4 }, Part { batch: &batch, events: 9..10 }]);
    let raw = inflate_body(block.header.codec, block.header.raw_bytes, &block.body).unwrap();
    let indexes: Vec<u32> = lines(&raw).map(|line| LineHead::parse(line).unwrap().index).collect();
    assert_eq!(indexes, [2, 3, 9]);
    assert_eq!(block.header.event_count, 3);
}

#[test]
fn an_encoder_used_before_makes_the_same_block() {
    let mut random = Random(2);
    let first = batch_of(batch_id(NOON, 1), &yardstick::events(&mut random, 300, NOON));
    let second = batch_of(batch_id(NOON, 2), &yardstick::events(&mut random, 250, NOON));
    let mut encoder = BlockEncoder::default();
    let id = uuid_at(Timestamp::from_millis(NOON));
    encoder.encode_block(id, 7, &[Part::whole(&first)], CompressionLevel::Ingest);
    let again = encoder.encode_block(id, 7, &[Part::whole(&second)], CompressionLevel::Ingest);
    let fresh =
        BlockEncoder::default().encode_block(id, 7, &[Part::whole(&second)], CompressionLevel::Ingest);
    assert_eq!(again, fresh);
}

#[test]
fn small_bodies_have_no_text_filter() {
    let mut random = Random(3);
    let batch = batch_of(batch_id(NOON, 1), &yardstick::events(&mut random, 10, NOON));
    let header = encode(&[Part::whole(&batch)]).header;
    assert!(header.raw_bytes < 8 << 10 && header.text_filter.is_empty() && !header.id_filter.is_empty());
}

#[test]
fn a_text_filter_that_would_take_too_much_is_left_out() {
    let mut random = Random(4);
    let letters = |random: &mut Random| char::from(b'g' + u8::try_from(random.below(20)).unwrap());
    let mut events = yardstick::events(&mut random, 250, NOON);
    for event in &mut events {
        event.request_id = Some((0..21).map(|_| letters(&mut random)).collect());
    }
    let batch = batch_of(batch_id(NOON, 1), &events);
    assert!(encode(&[Part::whole(&batch)]).header.text_filter.is_empty());
}

#[test]
fn a_null_ctx_is_stored_as_none() {
    let mut event = yardstick::event(&mut Random(5), NOON);
    event.ctx =
        Some(std::borrow::Cow::Owned(serde_json::value::RawValue::from_string("null".to_owned()).unwrap()));
    let lines = batch_of(batch_id(NOON, 1), &[event]).lines;
    assert!(!String::from_utf8(lines).unwrap().contains("ctx"));
}

#[test]
fn filters_take_at_most_eight_percent_and_admit_at_most_one_in_a_hundred_strangers() {
    use CompressionLevel::{Compact, Ingest};
    let small = (20..40).map(|seed| (250, seed, Ingest));
    for (count, seed, level) in small.chain([(1000, 1, Ingest), (2000, 2, Ingest), (2000, 3, Compact)]) {
        let mut random = Random(seed);
        let header = yardstick_block(&mut random, count, level).header;
        let (ids, text) = (header.id_filter.len(), header.text_filter.len());
        let per_event =
            |bytes: usize| f64::from(u32::try_from(bytes).unwrap()) / f64::from(header.event_count);
        let stored = header.stored_bytes as usize;
        let admitted = |tokens: &mut dyn FnMut() -> Vec<u64>, filter: &[u8]| {
            (0..2000).filter(|_| tokens().iter().all(|&token| may_contain(filter, token))).count()
        };
        let id_hits =
            admitted(&mut || vec![id_token("request_id", &random.draw().to_string())], &header.id_filter);
        let mut random = Random(9);
        let mut word = || {
            let letter = |random: &mut Random| char::from(b'a' + u8::try_from(random.below(26)).unwrap());
            query_trigrams(&(0..6).map(|_| letter(&mut random)).collect::<String>())
        };
        let text_hits = admitted(&mut word, &header.text_filter);
        println!(
            "{count} events: stored {:.1} B an event, raw {:.1}, ids {:.2}, text {:.2}; admitted of 2000: ids {id_hits}, words {text_hits}",
            per_event(stored),
            per_event(header.raw_bytes as usize),
            per_event(ids),
            per_event(text),
        );
        assert!((ids + text) * 100 <= stored * 8, "{ids} + {text} of {stored}");
        assert!(text > 0, "typical events keep their text filter");
        assert!(id_hits <= 30 && text_hits <= 20, "{id_hits} ids, {text_hits} words");
    }
}

/// All ways to cut a part out of a text would be too many; these are its start, its end and one inside.
fn parts_of(text: &str) -> [String; 3] {
    let chars: Vec<char> = text.chars().collect();
    let third = chars.len() / 3;
    [&chars[..chars.len() - third], &chars[third..], &chars[third / 2..chars.len() - third / 2]]
        .map(|part| part.iter().collect())
}

proptest! {
    #[test]
    fn the_lines_have_the_trigrams_of_every_part_of_every_text(events in vec(event(), 1..5)) {
        let batch = batch_of(batch_id(NOON, 1), &events);
        let (raw, packed) = (vec![b' '; TEXT_FILTER_MIN_RAW], vec![0; 1 << 20]);
        let mut encoder = BlockEncoder { raw, packed, ..BlockEncoder::default() };
        let filter = encoder.text_filter(&[Part::whole(&batch)], 0);
        prop_assert!(!filter.is_empty());
        for text in events.iter().flat_map(searched_texts) {
            for part in parts_of(&text) {
                prop_assert!(query_trigrams(&part).iter().all(|&token| may_contain(&filter, token)), "{part:?}");
            }
        }
    }

    #[test]
    fn the_header_tells_the_truth(groups in vec(vec(event(), 1..5), 1..4)) {
        let batches: Vec<_> = (1..).zip(&groups)
            .map(|(number, events)| batch_of(batch_id(NOON + i64::from(number), number), events))
            .collect();
        let block = encode(&batches.iter().map(Part::whole).collect::<Vec<_>>());
        let header = &block.header;
        let events: Vec<_> = groups.iter().flatten().collect();
        prop_assert_eq!((header.project_id, header.event_count as usize), (7, events.len()));
        prop_assert_eq!(header.stored_bytes as usize, block.body.len());
        prop_assert_eq!(Some(header.ts_first), events.iter().map(|event| event.ts).min());
        prop_assert_eq!(Some(header.ts_last), events.iter().map(|event| event.ts).max());
        prop_assert_eq!(header.received_first, batches[0].batch.received_at());
        prop_assert_eq!(header.received_last, batches[batches.len() - 1].batch.received_at());
        for count in &header.counts {
            let same = |event: &&&Event<'_>| minute_of(event.ts) == count.minute && event.level == count.level;
            prop_assert_eq!(events.iter().filter(same).count(), count.count as usize);
        }
        prop_assert_eq!(header.counts.iter().map(|count| count.count).sum::<u32>(), header.event_count);
        prop_assert!(header.counts.is_sorted_by_key(|count| (count.minute, count.level)));
        for batch in &batches {
            prop_assert!(may_contain(&header.id_filter, id_token("batch", &batch.batch.to_string())));
        }
        for event in events {
            let fields = [("user_id", &event.user_id), ("request_id", &event.request_id)];
            for (field, value) in fields.into_iter().filter_map(|(field, value)| Some((field, value.as_ref()?))) {
                prop_assert!(may_contain(&header.id_filter, id_token(field, &lowercase(value))));
            }
            prop_assert!(may_contain(&header.id_filter, id_token("fingerprint", &event.fingerprint.to_string())));
            for_each_value(event.ctx.as_ref().map_or("", |ctx| ctx.get()), |path, text| {
                assert!(may_contain_ctx(&header.id_filter, path, text));
                std::ops::ControlFlow::Continue(())
            });
        }
    }
}

#[test]
fn an_encoder_can_move_to_another_thread() {
    fn movable<T: Send>() {}
    movable::<BlockEncoder>();
    assert!(Level::ALL.len() <= 8, "a byte holds the levels of a minute");
}
