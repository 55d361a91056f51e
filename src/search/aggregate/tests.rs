use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use super::tally::Test;
use super::*;
use crate::block::arbitrary::NOON;
use crate::block::case::lowercase;
use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::event::{Event, Level, uuid_at};
use crate::fingerprint::Fingerprinter;
use crate::search::event_filter::LevelSet;
use crate::search::facets::FacetField;
use crate::search::histogram::{HistogramCounter, HistogramSpec};
use crate::search::samples::{Sample, SampleEvent, naive, sample, search};

const FIELDS: [&str; 10] =
    ["level", "source", "env", "user_id", "request_id", "tags", "release", "project", "ctx.a", "ctx.B.c"];

fn fields() -> Vec<FacetField> {
    FIELDS.iter().map(|name| FacetField::parse(name).unwrap()).collect()
}

fn buckets(from: i64, to: i64, most: usize, zone: &str) -> Arc<Buckets> {
    let at = |millis| Timestamp::from_millis(millis);
    Arc::new(Buckets::new(&Zone::parse(zone).unwrap(), at(from), at(to), most))
}

/// The values at a path of `ctx`, found without the code under test.
fn at_path(value: &Value, path: &str, wanted: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            at_path(value, &below, wanted, out);
        }),
        Value::Array(items) => items.iter().for_each(|item| at_path(item, path, wanted, out)),
        Value::Null => {}
        _ if lowercase(path) != lowercase(wanted) => {}
        Value::String(text) => out.push(text.clone()),
        other => out.push(other.to_string()),
    }
}

fn values(field: &str, event: &Event<'_>) -> Vec<String> {
    let optional =
        |value: &Option<std::borrow::Cow<'_, str>>| value.iter().map(ToString::to_string).collect();
    match field {
        "level" => vec![event.level.name().to_owned()],
        "source" => vec![event.source.to_string()],
        "env" => vec![event.env.to_string()],
        "user_id" => optional(&event.user_id),
        "request_id" => optional(&event.request_id),
        "tags" => event.tags.iter().map(ToString::to_string).collect(),
        "release" => optional(&event.release),
        "project" => vec!["shop".to_owned()],
        path => {
            let mut found = Vec::new();
            if let Some(ctx) = &event.ctx {
                let ctx: Value = serde_json::from_str(ctx.get()).unwrap();
                at_path(&ctx, "", path.strip_prefix("ctx.").unwrap(), &mut found);
            }
            found
        }
    }
}

/// Visits a sample's body with everything wanted, in two halves on two tallies.
fn visited(sample: &Sample, criteria: &Criteria, by: Option<&str>, buckets: Arc<Buckets>) -> Tally {
    let spec = HistogramSpec { buckets, by: by.and_then(FacetField::parse) };
    let new = || Tally {
        histogram: Some(HistogramCounter::new(&spec)),
        facets: Some(FacetCounter::new(fields().into())),
        patterns: Some(PatternCounter::default()),
        uses_fields: true,
        ..Tally::default()
    };
    let filter = Arc::new(EventFilter::new(Criteria { project_id: Some(1), ..criteria.clone() }));
    let test = Test { filter, known: None, project: "shop".into() };
    let (first, second) = sample.batches.split_at(sample.batches.len() / 2);
    let mut tallies = [first, second].map(|batches| {
        let part = Sample { events: Vec::new(), batches: batches.to_vec() };
        let mut tally = new();
        tally.add_body(&part.body(), 1, &test);
        tally
    });
    let mut all = std::mem::take(&mut tallies[0]);
    all.merge(std::mem::take(&mut tallies[1]));
    all
}

/// Values by lower case with their counts, as a facet or a histogram's values show them.
fn by_lower_case<'a>(shown: impl Iterator<Item = (&'a str, u64)>) -> BTreeMap<String, u64> {
    shown.map(|(value, count)| (lowercase(value), count)).collect()
}

proptest! {
    #[test]
    fn facets_count_what_a_plain_count_does((sample, criteria) in search()) {
        let wide = buckets(NOON - 9_000_000, NOON + 9_000_000, 10, "UTC");
        let tally = visited(&sample, &criteria, None, wide);
        let matching: Vec<&SampleEvent> = sample.events.iter().filter(|event| naive(&criteria, event)).collect();
        prop_assert_eq!(tally.total, matching.len() as u64);
        for (facet, name) in tally.facets.unwrap().finish(1_000).into_iter().zip(FIELDS) {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            let mut missing = 0;
            for event in &matching {
                let found: BTreeSet<String> = values(name, &event.event).iter().map(|value| lowercase(value)).collect();
                missing += u64::from(found.is_empty());
                for value in found {
                    *counts.entry(value).or_default() += 1;
                }
            }
            prop_assert_eq!(&facet.field, name);
            prop_assert_eq!((facet.missing, facet.other, facet.approximate), (missing, 0, false), "{}", name);
            prop_assert!(facet.values.windows(2).all(|pair| pair[0].1 >= pair[1].1));
            let shown = by_lower_case(facet.values.iter().map(|(value, count)| (&**value, *count)));
            prop_assert_eq!(shown, counts, "{}", name);
        }
    }

    #[test]
    fn a_histogram_holds_every_event_once_whatever_it_is_told_apart_by(
        (sample, criteria) in search(),
        by in proptest::sample::select(FIELDS.to_vec()),
        most in 1..40_usize,
        top in 1..4_usize,
    ) {
        let (from, to) = (criteria.from.as_millis(), criteria.to.as_millis());
        let edges = buckets(from, to, most, "America/St_Johns");
        let tally = visited(&sample, &criteria, Some(by), edges.clone());
        let histogram = tally.histogram.unwrap().finish(top);
        prop_assert_eq!(histogram.total(), tally.total);
        let mut counts: BTreeMap<(usize, Option<String>), u64> = BTreeMap::new();
        for SampleEvent { event, .. } in sample.events.iter().filter(|event| naive(&criteria, event)) {
            let value = values(by, event).first().map(|value| lowercase(value));
            *counts.entry((edges.find(event.ts).unwrap(), value)).or_default() += 1;
        }
        let mut rest = counts.clone();
        for series in &histogram.series {
            for (bucket, count) in series.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                prop_assert_eq!(rest.remove(&(bucket, Some(lowercase(&series.value)))), Some(*count));
            }
        }
        let sum = |wanted: fn(&Option<String>) -> bool| -> u64 {
            rest.iter().filter(|((_, value), _)| wanted(value)).map(|(_, count)| count).sum()
        };
        prop_assert_eq!(sum(Option::is_some), histogram.other.iter().sum::<u64>());
        prop_assert_eq!(sum(Option::is_none), histogram.none.iter().sum::<u64>());
        prop_assert!(by == "level" || histogram.series.len() <= top);
    }

    #[test]
    fn patterns_count_what_a_plain_count_does((sample, criteria) in search(), top in 1..5_usize) {
        let wide = buckets(NOON - 9_000_000, NOON + 9_000_000, 10, "UTC");
        let tally = visited(&sample, &criteria, None, wide);
        let patterns = tally.patterns.unwrap().finish(top);
        let matching: Vec<&SampleEvent> = sample.events.iter().filter(|event| naive(&criteria, event)).collect();
        // Events of one fingerprint are of the template that the newest of them has.
        let mut newest: BTreeMap<u64, &SampleEvent> = BTreeMap::new();
        for event in &matching {
            let known = newest.entry(event.event.fingerprint.0).or_insert(event);
            if event.position() > known.position() {
                *known = event;
            }
        }
        let mut counts: BTreeMap<String, Vec<&SampleEvent>> = BTreeMap::new();
        for event in &matching {
            let message = &newest[&event.event.fingerprint.0].event.message;
            counts.entry(Fingerprinter::new().template(message).to_owned()).or_default().push(event);
        }
        prop_assert_eq!(patterns.distinct, counts.len());
        prop_assert_eq!(patterns.patterns.len(), counts.len().min(top));
        for pattern in &patterns.patterns {
            let is_of_it = |events: &[&SampleEvent]| events.iter().any(|event| event.position() == pattern.newest);
            let template = counts.iter().find(|(_, events)| is_of_it(events)).unwrap().0.clone();
            let events = counts.remove(&template).unwrap();
            prop_assert_eq!(Some(pattern.newest), events.iter().map(|event| event.position()).max());
            let newest = events.iter().find(|event| event.position() == pattern.newest).unwrap();
            let mut fingerprinter = Fingerprinter::new();
            prop_assert_eq!(pattern.template.as_str(), fingerprinter.shown(&newest.event.message));
            prop_assert_eq!(pattern.count, events.len() as u64);
            prop_assert_eq!(Some(pattern.first_seen), events.iter().map(|event| event.event.ts).min());
            prop_assert_eq!(Some(pattern.level()), events.iter().map(|event| event.event.level).max());
            let all: BTreeSet<_> = events.iter().map(|event| event.event.fingerprint).collect();
            prop_assert_eq!(pattern.fingerprints.iter().copied().collect::<BTreeSet<_>>(), all);
        }
        prop_assert_eq!(patterns.other, counts.values().map(|events| events.len() as u64).sum::<u64>());
        prop_assert!(!patterns.approximate);
    }

    #[test]
    fn a_header_counts_what_its_lines_do(
        sample in sample(),
        levels in 0..64_u8,
        (from, length) in (-5_000_000..5_000_000_i64, 1..6_000_000_i64),
        (round_from, round_to) in (any::<bool>(), any::<bool>()),
        most in 1..300_usize,
        zone in proptest::sample::select(vec!["UTC", "Asia/Kathmandu", "+00:01", "Europe/Berlin"]),
    ) {
        let round = |at: i64, round: bool| if round { at.div_euclid(60_000) * 60_000 } else { at };
        let (from, to) = (round(NOON + from, round_from), round(NOON + from + length, round_to));
        let edges = buckets(from, to, most, zone);
        let levels: LevelSet = Level::ALL.into_iter().filter(|level| levels & (1 << *level as u8) != 0).collect();
        let criteria = Criteria {
            levels: Some(levels),
            ..Criteria::between(Timestamp::from_millis(from), Timestamp::from_millis(to))
        };
        let by_lines = visited(&sample, &criteria, None, edges.clone());
        let parts: Vec<_> = sample.batches.iter().map(Part::whole).collect();
        if sample.events.is_empty() {
            return Ok(());
        }
        let id = uuid_at(Timestamp::from_millis(NOON));
        let header = BlockEncoder::default().encode_block(id, 1, &parts, CompressionLevel::Ingest).header;
        let spec = HistogramSpec { buckets: edges.clone(), by: None };
        let mut by_header = Tally { histogram: Some(HistogramCounter::new(&spec)), ..Tally::default() };
        let filter = EventFilter::new(criteria);
        if by_header.add_header(&header, &filter) {
            prop_assert_eq!(by_header.total, by_lines.total);
            prop_assert_eq!(by_header.histogram.unwrap().finish(9), by_lines.histogram.unwrap().finish(9));
        } else {
            prop_assert_eq!(by_header.histogram.unwrap().finish(9).total(), 0, "nothing is half counted");
            let cuts = |at: i64| at % 60_000 != 0 && (header.ts_first.as_millis()..=header.ts_last.as_millis()).contains(&at);
            let edges = edges.spans().flat_map(|(from, to)| [from.as_millis(), to.as_millis()]);
            prop_assert!(edges.chain([from, to]).any(cuts), "only an edge within a minute asks for lines");
        }
    }
}

#[test]
#[ignore = "prints speeds; run with --release or an optimised test profile and --nocapture"]
#[allow(clippy::cast_precision_loss, reason = "speeds are printed to the nanosecond")]
fn the_speed_of_counting() {
    let mut random = crate::block::yardstick::Random(7);
    let events = crate::block::yardstick::events(&mut random, 1_000, NOON);
    let sample = crate::search::samples::of(&[&events]);
    let parts: Vec<_> = sample.batches.iter().map(Part::whole).collect();
    let id = uuid_at(Timestamp::from_millis(NOON));
    let block = BlockEncoder::default().encode_block(id, 1, &parts, CompressionLevel::Compact);
    let day = buckets(NOON - 86_400_000, NOON + 86_400_000, 120, "Europe/Berlin");
    let criteria = Criteria::between(day.from(), day.to());
    let filter = Arc::new(EventFilter::new(Criteria { project_id: Some(1), ..criteria }));
    let test = Test { filter, known: None, project: "shop".into() };
    let time = |what: &str, count: u64, work: &mut dyn FnMut()| {
        let started = Instant::now();
        (0..200).for_each(|_| work());
        println!("{what:30} {:8.1} ns each", started.elapsed().as_secs_f64() * 1e9 / (200 * count) as f64);
    };
    let histogram = |by: Option<&str>| {
        let spec = HistogramSpec { buckets: day.clone(), by: by.and_then(FacetField::parse) };
        Tally { histogram: Some(HistogramCounter::new(&spec)), uses_fields: by.is_some(), ..Tally::default() }
    };
    let names = ["level", "source", "env", "release", "user_id"].map(|name| FacetField::parse(name).unwrap());
    let facets = FacetCounter::new(names.to_vec().into());
    let path = FacetCounter::new(vec![FacetField::parse("ctx.region").unwrap()].into());
    let cases = [
        ("inflate and count", Tally::default()),
        ("histogram by level, lines", histogram(None)),
        ("histogram by source", histogram(Some("source"))),
        ("five facets", Tally { facets: Some(facets), uses_fields: true, ..Tally::default() }),
        ("a facet of a path", Tally { facets: Some(path), uses_fields: true, ..Tally::default() }),
        ("patterns", Tally { patterns: Some(PatternCounter::default()), ..Tally::default() }),
    ];
    let mut inflater = crate::block::decode::Inflater::default();
    for (what, mut tally) in cases {
        time(what, 1_000, &mut || {
            let scanned = tally.add_block(&block.header, &block.body, &test, &mut inflater);
            assert_eq!(scanned.unreadable, 0);
        });
        assert_eq!(tally.total, 200_000);
    }
    let mut by_header = histogram(None);
    time("a header", 1, &mut || assert!(by_header.add_header(&block.header, &test.filter)));
}
