use proptest::prelude::*;

use super::*;
use crate::block::arbitrary::NOON;
use crate::event::Event;
use crate::search::event_filter::Criteria;
use crate::search::language::Query;
use crate::search::samples;
use crate::timestamp::Timestamp;

fn all() -> Criteria {
    Criteria::between(Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX))
}

fn text(query: &str) -> EventFilter {
    EventFilter::new(Criteria { text: Query::parse(query, Timestamp::from_millis(NOON)).unwrap().0, ..all() })
}

fn found(raw: &[u8], filter: &EventFilter) -> (usize, Scanned) {
    let mut top = TopEvents::new(Order::Descending, None, 1000);
    let scanned = scan_block(raw, filter, &mut top, &Stop::default());
    (top.len(), scanned)
}

#[test]
fn windows_end_after_newlines_and_lose_nothing() {
    let mut raw = b"[\n".to_vec();
    for length in [10, 70_000, 200_000, 65_000, 1, 0, 64 << 10] {
        raw.extend(std::iter::repeat_n(b'x', length));
        raw.push(b'\n');
    }
    raw.extend_from_slice(b"]");
    let pieces: Vec<_> = windows(&raw).collect();
    assert_eq!(pieces.concat(), raw);
    let (last, others) = pieces.split_last().unwrap();
    assert!(others.iter().all(|piece| piece.ends_with(b"\n")));
    assert_eq!(*last, b"]");
    assert!(pieces.len() >= 5);
}

#[test]
fn a_needle_is_found_in_every_window() {
    let long: &'static str = "x".repeat(30_000).leak();
    let events: Vec<_> =
        (0..20).map(|_| samples::plain(long)).chain([samples::plain("Needle")]).rev().collect();
    let mut middle = events.clone();
    middle.swap(0, 11);
    for events in [&events, &middle] {
        let raw = samples::of(&[events]).body();
        let (count, scanned) = found(&raw, &text("nEEDLE"));
        assert_eq!((count, scanned.events, scanned.unreadable), (1, 21, 0));
        assert_eq!(scanned.bytes, raw.len() as u64);
    }
}

#[test]
fn a_char_whose_lower_case_is_shorter_or_ascii_is_found() {
    let events =
        ["5 \u{212A}elvin", "\u{130}stanbul \u{1E9E}", "plain", "\u{1E9E} kelvin"].map(samples::plain);
    let raw = samples::of(&[&events]).body();
    for (query, count) in
        [("kelvin", 2), ("istanbul", 0), ("stanbul", 1), ("i\u{307}s", 1), ("ß", 2), ("-k", 2)]
    {
        assert_eq!(found(&raw, &text(query)).0, count, "{query}");
        let matched = lines(&raw).filter(|line| text(query).matches(line).is_some()).count();
        assert_eq!(matched, count, "{query}");
    }
}

#[test]
fn a_needle_that_is_also_a_key_finds_values_only() {
    let raw = samples::of(&[&[samples::plain("x"), samples::plain("the message")]]).body();
    assert_eq!(found(&raw, &text("message")).0, 1);
}

#[test]
fn lines_that_are_no_events_are_counted() {
    let good = samples::of(&[&[samples::plain("fine")]]).body();
    let mut raw = good.strip_suffix(b"\n]").unwrap().to_vec();
    raw.extend_from_slice(b",\n{\"fine\":1}\n]");
    for filter in [text("fine"), text("")] {
        let (count, scanned) = found(&raw, &filter);
        assert_eq!((count, scanned.events, scanned.unreadable), (1, 2, 1));
    }
    assert_eq!(found(b"", &text("")).1, Scanned::default());
}

#[test]
fn events_are_parsed_only_while_they_could_be_taken() {
    // The older line is damaged behind its start: it would be counted if it were parsed.
    let events =
        [Event { ts: Timestamp::from_millis(NOON - 5), ..samples::plain("old") }, samples::plain("new")];
    let mut raw = samples::of(&[&events]).body();
    let at = raw.windows(3).position(|part| part == b"old").unwrap();
    raw[at] = 0;
    let mut top = TopEvents::new(Order::Descending, None, 1);
    assert_eq!(scan_block(&raw, &text(""), &mut top, &Stop::default()).unreadable, 0);
    let mut top = TopEvents::new(Order::Ascending, None, 1);
    assert_eq!(scan_block(&raw, &text(""), &mut top, &Stop::default()).unreadable, 1);
    assert_eq!(top.len(), 1);
}

#[test]
fn what_finds_no_room_is_not_forgotten() {
    let events = ["a", "b", "c"].map(samples::plain);
    let raw = samples::of(&[&events]).body();
    for (limit, more) in [(2, true), (3, false)] {
        let mut top = TopEvents::new(Order::Descending, None, limit);
        scan_block(&raw, &text(""), &mut top, &Stop::default());
        assert_eq!((top.len(), top.has_more()), (limit, more));
    }
    // A page that is full before the block is read.
    let mut full = TopEvents::new(Order::Descending, None, 1);
    let later = Event { ts: Timestamp::from_millis(NOON + 5), ..samples::plain("later") };
    scan_block(&samples::of(&[&[later]]).body(), &text(""), &mut full, &Stop::default());
    assert!(!full.has_more());
    scan_block(&raw, &text(""), &mut full, &Stop::default());
    assert!(full.has_more());
}

proptest! {
    #[test]
    fn a_scan_finds_what_the_naive_matcher_finds(
        (sample, criteria) in samples::search(),
        ascending in any::<bool>(),
        limit in 1..12_usize,
        page in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let order = if ascending { Order::Ascending } else { Order::Descending };
        let after = page.filter(|_| !sample.events.is_empty()).map(|page| page.get(&sample.events).position());
        let mut expected: Vec<_> = sample.events.iter()
            .filter(|event| samples::naive(&criteria, event))
            .map(samples::SampleEvent::position)
            .filter(|position| after.is_none_or(|after| after.precedes(position, order)))
            .collect();
        expected.sort();
        if !ascending {
            expected.reverse();
        }
        let beyond = expected.len() > limit;
        expected.truncate(limit);
        let mut top = TopEvents::new(order, after, limit);
        let scanned = scan_block(&sample.body(), &EventFilter::new(criteria), &mut top, &Stop::default());
        prop_assert_eq!((scanned.events, scanned.unreadable), (sample.events.len() as u64, 0));
        prop_assert!(top.has_more() || !beyond, "the page would seem to be the last");
        let hits = top.into_hits();
        for (position, hit) in &hits {
            prop_assert_eq!(StoredEvent::parse(&hit.line).unwrap().id, position.id);
        }
        let found: Vec<_> = hits.into_iter().map(|(position, _)| position).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_bytes_make_a_scan_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), query in "[a-zİK\"]{0,2}") {
        let _ = found(&bytes, &text(&query));
        let framed = [&b"[\n{\"id\":"[..], &bytes, b"\n]"].concat();
        let _ = found(&framed, &text(&query));
    }
}

#[test]
#[ignore = "prints speeds; run with --release or an optimised test profile and --nocapture"]
#[allow(clippy::cast_precision_loss, reason = "speeds are printed to the whole megabyte")]
fn the_speed_of_scans_that_find_nothing() {
    let mut random = crate::block::yardstick::Random(7);
    let events = crate::block::yardstick::events(&mut random, 2_000, NOON);
    let raw = samples::of(&[&events]).body();
    for query in [
        "unfindable",
        "unfindable other",
        "user unfindable",
        "unfindable OR nowhere OR nothing",
        "-GET -POST -user unfindable",
        "message:/unfindable [0-9]+/",
        "/un[f]ind(able)?/i",
        "/[0-9]{9}x/",
        "ctx.duration_ms:>5000",
        "ctx.region:eu-west-9",
        "ctx.region:eu*9",
        "user_id:nobody",
        "level:trace",
        "-level:>=trace",
        "-has:ctx.region",
    ] {
        let filter = text(query);
        let started = std::time::Instant::now();
        let rounds = 20;
        for _ in 0..rounds {
            assert_eq!(found(&raw, &filter).0, 0, "{query}");
        }
        let seconds = started.elapsed().as_secs_f64();
        println!("{query:40} {:8.0} MB/s", (raw.len() * rounds) as f64 / seconds / 1e6);
    }
}
