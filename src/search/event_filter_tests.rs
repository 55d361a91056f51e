use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::block::arbitrary::NOON;
use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::block::filter::build;
use crate::block::trigram::TrigramSet;
use crate::event::uuid_at;
use crate::search::samples::{self, Sample};

/// The header with both filters, also where the encoder leaves out that of so little text.
fn header(sample: &Sample) -> BlockHeader {
    let parts: Vec<_> = sample.batches.iter().map(Part::whole).collect();
    let id = uuid_at(Timestamp::from_millis(NOON));
    let mut header = BlockEncoder::default().encode_block(id, 1, &parts, CompressionLevel::Ingest).header;
    let (mut set, mut tokens) = (TrigramSet::default(), Vec::new());
    for line in sample.lines() {
        set.add(&line[LineHead::parse(&line).unwrap().length..]);
    }
    set.drain(&mut tokens);
    header.text_filter = build(&tokens);
    header
}

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOON + millis)
}

/// A block of one error and one debug event, a minute apart.
fn two_events() -> Sample {
    samples::of(&[&[
        Event {
            ts: at(0),
            level: Level::Error,
            user_id: Some("User_7".into()),
            ..samples::plain("payment failed")
        },
        Event { ts: at(60_000), level: Level::Debug, ..samples::plain("cache miss") },
    ]])
}

use crate::event::Event;

#[test]
fn the_range_of_time_is_half_open() {
    let header = header(&two_events());
    let admits = |from, to| EventFilter::new(Criteria::between(at(from), at(to))).admits(&header);
    assert!(admits(0, 1) && admits(60_000, 60_001) && admits(-5, 100_000));
    assert!(!admits(-5, 0), "the end is not in the range");
    assert!(!admits(60_001, 100_000));
}

#[test]
fn levels_count_in_the_minutes_asked_for_only() {
    let header = header(&two_events());
    let admits = |level, from, to| {
        let levels = Some([level].into_iter().collect());
        EventFilter::new(Criteria { levels, ..Criteria::between(at(from), at(to)) }).admits(&header)
    };
    assert!(admits(Level::Error, 0, 60_000) && admits(Level::Debug, 0, 60_001));
    assert!(!admits(Level::Debug, 0, 60_000));
    assert!(!admits(Level::Error, 60_000, 70_000));
    assert!(!admits(Level::Info, 0, 70_000));
}

#[test]
fn ids_rule_a_block_out() {
    let header = header(&two_events());
    let admits = |user_id: &str| {
        let user_id = Some(user_id.to_owned());
        EventFilter::new(Criteria { user_id, ..Criteria::between(at(0), at(70_000)) }).admits(&header)
    };
    assert!(admits("user_7") && admits("USER_7"));
    let strangers = (0..200).filter(|number| admits(&format!("stranger-{number}"))).count();
    assert!(strangers <= 10, "{strangers}");
}

#[test]
fn what_was_received_before_the_bound_is_not_seen() {
    let sample = two_events();
    let received = sample.batches[0].batch.received_at();
    let line = sample.lines().next().unwrap();
    for (bound, seen) in [(received, true), (received.plus_millis(1), false)] {
        let filter =
            EventFilter::new(Criteria { received_after: bound, ..Criteria::between(at(0), at(70_000)) });
        assert_eq!(filter.admits(&header(&sample)), seen);
        assert_eq!(filter.matches(&line).is_some(), seen);
    }
}

#[test]
fn a_field_is_not_taken_for_another_of_the_same_name_in_ctx() {
    let ctx = serde_json::value::RawValue::from_string(r#"{"user_id":"u1"}"#.to_owned()).unwrap();
    let sample = samples::of(&[&[Event { ctx: Some(std::borrow::Cow::Owned(ctx)), ..samples::plain("x") }]]);
    let line = sample.lines().next().unwrap();
    let user_id = Some("u1".to_owned());
    let filter = EventFilter::new(Criteria { user_id, ..Criteria::between(at(-1), at(1)) });
    assert!(filter.matches(&line).is_none());
}

#[test]
fn the_filters_of_a_block_rule_out_queries() {
    let header = header(&two_events());
    let admits = |query: &str| {
        let text = Query::parse(query, at(0)).unwrap().0;
        EventFilter::new(Criteria { text, ..Criteria::between(at(0), at(70_000)) }).admits(&header)
    };
    for query in [
        "payment",
        "user_id:USER_7",
        "-user_id:user_7",
        "refund OR payment",
        "level:debug miss",
        "level:(error OR trace) (refund OR -stranger)",
        "message:/pay(ment)?s? fail/",
        "ts:>=-1s",
        "-level:error",
    ] {
        assert!(admits(query), "{query}");
    }
    for query in [
        "refund",
        "payment refund",
        "refund OR stranger",
        "user_id:stranger-8",
        "(payment refund) OR user_id:stranger-8",
        "level:trace",
        "-level:(error OR debug)",
        "level:trace OR refund",
        "message:/pay(ment)?s? refund/",
        "source:kitchen*",
        "ctx.order_id:17-99",
        "ts:>=now+2h OR ts:>now+1h",
        "-ts:<now+1h",
        "has:release",
        "project:other",
    ] {
        assert!(!admits(query), "{query}");
    }
}

#[test]
fn what_a_query_says_of_levels_and_times_narrows_the_search() {
    let narrowed = |query: &str| {
        let text = Query::parse(query, at(0)).unwrap().0;
        let mut criteria = Criteria { text, ..Criteria::between(at(-5_000), at(5_000)) };
        criteria.narrow();
        criteria
    };
    let criteria = narrowed("level:>=error ts:>=-1s ts:<now x");
    assert_eq!((criteria.from, criteria.to), (at(-1000), at(0)));
    assert_eq!(criteria.levels, Some([Level::Error, Level::Fatal].into_iter().collect()));
    assert!(!criteria.text.is_empty());
    let criteria = narrowed("-level:trace");
    assert!(criteria.text.is_empty(), "the levels say it all");
    assert!(criteria.levels.is_some_and(|levels| !levels.contains(Level::Trace)));
    let criteria = narrowed("project:shop OR level:error");
    assert_eq!((criteria.levels, criteria.from, criteria.to), (None, at(-5_000), at(5_000)));
}

#[test]
fn arbitrary_searches_often_find_something() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let found = (0..300).filter(|_| {
        let (sample, criteria) = samples::search().new_tree(&mut runner).unwrap().current();
        !criteria.text.is_empty() && sample.events.iter().any(|event| samples::naive(&criteria, event))
    });
    let found = found.count();
    assert!(found >= 40, "{found}");
}

proptest! {
    #[test]
    fn a_line_matches_as_the_naive_matcher_says((sample, criteria) in samples::search()) {
        let filter = EventFilter::new(criteria.clone());
        let mut narrowed = criteria.clone();
        narrowed.narrow();
        let narrowed = EventFilter::new(narrowed);
        for (event, line) in sample.events.iter().zip(sample.lines()) {
            let expected = samples::naive(&criteria, event);
            for filter in [&filter, &narrowed] {
                prop_assert_eq!(filter.matches(&line).map(|event| event.id), expected.then_some(event.id));
            }
        }
    }

    #[test]
    fn a_block_with_a_match_is_admitted((sample, criteria) in samples::search()) {
        let any = sample.events.iter().any(|event| samples::naive(&criteria, event));
        let mut narrowed = criteria.clone();
        narrowed.narrow();
        let header = header(&sample);
        for criteria in [criteria, narrowed] {
            let filter = EventFilter::new(criteria);
            prop_assert!(filter.admits(&header) || !any);
            // What SQL tests.
            prop_assert!(filter.tokens().admits(&header.id_filter, &header.text_filter) || !any);
            let (first, last) = filter.receipts();
            prop_assert!((header.received_last >= first && header.received_first <= last) || !any);
        }
    }
}
