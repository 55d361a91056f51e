//! Arbitrary searches over arbitrary events, and the naive matcher to compare with. Tests only.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::cursor::Position;
use super::event_filter::{Criteria, LevelSet};
use super::query::TextQuery;
use crate::block::EncodedBatch;
use crate::block::arbitrary::{NOON, batch_id, batch_of, event, searched_texts};
use crate::block::case::lowercase;
use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::event::{Event, EventId, Level, uuid_at};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// An event and its id.
#[derive(Clone, Debug)]
pub struct SampleEvent {
    /// Its id.
    pub id: EventId,
    /// What was sent.
    pub event: Event<'static>,
}

impl SampleEvent {
    /// Its place.
    pub fn position(&self) -> Position {
        Position { ts: self.event.ts, id: self.id }
    }
}

/// Events by batch, and encoded.
#[derive(Clone, Debug)]
pub struct Sample {
    /// In the order of the block.
    pub events: Vec<SampleEvent>,
    /// The same, encoded.
    pub batches: Vec<EncodedBatch>,
}

impl Sample {
    /// The body before compression.
    pub fn body(&self) -> Vec<u8> {
        let parts: Vec<_> = self.batches.iter().map(Part::whole).collect();
        let id = uuid_at(Timestamp::from_millis(NOON));
        let block = BlockEncoder::default().encode_block(id, 1, &parts, CompressionLevel::Ingest);
        crate::block::decode::inflate_body(block.header.codec, block.header.raw_bytes, &block.body)
            .expect("own body")
    }

    /// The lines of the body.
    pub fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        let body = self.body();
        let lines: Vec<_> = crate::block::decode::lines(&body).map(<[u8]>::to_vec).collect();
        lines.into_iter()
    }
}

/// A sample of these events, a batch each second from [`NOON`].
pub fn of(groups: &[&[Event<'static>]]) -> Sample {
    let mut sample = Sample { events: Vec::new(), batches: Vec::new() };
    for (number, group) in (0_u8..).zip(groups) {
        let batch = batch_id(NOON + i64::from(number) * 1000, 200 - number);
        let events = (0..).zip(group.iter());
        sample.events.extend(
            events.map(|(index, event)| SampleEvent { id: EventId { batch, index }, event: event.clone() }),
        );
        sample.batches.push(batch_of(batch, group));
    }
    sample
}

/// An event at [`NOON`] with little beside its message.
pub fn plain(message: &'static str) -> Event<'static> {
    Event {
        index: 0,
        ts: Timestamp::from_millis(NOON),
        level: Level::Info,
        message: Cow::Borrowed(message),
        source: Cow::Borrowed("shop"),
        env: Cow::Borrowed("production"),
        ctx: None,
        user_id: None,
        request_id: None,
        tags: Vec::new(),
        release: None,
        stack: None,
        client_fingerprint: None,
        fingerprint: Fingerprint(1),
        truncated: false,
    }
}

/// Some events, few enough to be looked through.
pub fn sample() -> impl Strategy<Value = Sample> {
    vec(vec(event(), 0..8), 1..4).prop_map(|groups| of(&groups.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Which event of the sample a part of the search is taken from, and how.
type Pick = (Index, Index, usize, usize, bool);

fn pick() -> impl Strategy<Value = Pick> {
    (any::<Index>(), any::<Index>(), 0..6_usize, 1..8_usize, any::<bool>())
}

/// A part of one of the sample's texts, in changed case if asked.
fn part_of(sample: &Sample, (event, text, from, length, swap): &Pick) -> String {
    if sample.events.is_empty() {
        return "none".to_owned();
    }
    let texts = searched_texts(&event.get(&sample.events).event);
    let part: String = text.get(&texts).chars().skip(*from).take(*length).collect();
    if *swap {
        part.chars()
            .map(|ch| if ch.is_ascii_uppercase() { ch.to_ascii_lowercase() } else { ch.to_ascii_uppercase() })
            .collect()
    } else {
        part
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A search that is likely to find something of its sample.
pub fn search() -> impl Strategy<Value = (Sample, Criteria)> {
    let terms = vec((pick(), prop::bool::weighted(0.2)), 0..3);
    let fields = [(); 4].map(|()| option::weighted(0.2, pick()));
    let bounds = (
        option::of(0..64_u8),
        -2_000_000..3_600_000_i64,
        0..4_000_i64,
        option::weighted(0.2, any::<Index>()),
    );
    (sample(), terms, fields, bounds).prop_map(|(sample, terms, fields, (levels, to, received, issue))| {
        let terms = terms
            .iter()
            .map(|(pick, not)| format!("{}{}", if *not { "-" } else { "" }, quoted(&part_of(&sample, pick))));
        let text = TextQuery::parse(&terms.collect::<Vec<_>>().join(" ")).expect("few and short terms").0;
        let event_of = |pick: &Option<Pick>| {
            let pick = pick.as_ref().filter(|_| !sample.events.is_empty())?;
            Some((pick.0.get(&sample.events).event.clone(), pick.4))
        };
        let cased = |(text, raise): (Cow<'static, str>, bool)| {
            if raise { text.to_ascii_uppercase() } else { text.into_owned() }
        };
        let [source, env, user, request] = fields.each_ref().map(event_of);
        let mut sources: Vec<String> =
            source.map(|(event, raise)| cased((event.source, raise))).into_iter().collect();
        if levels.is_some_and(|levels| levels % 2 == 0) && !sources.is_empty() {
            sources.push("another".to_owned());
        }
        let criteria = Criteria {
            levels: levels.map(|levels| {
                Level::ALL.into_iter().filter(|&level| levels & (1 << level as u8) != 0).collect::<LevelSet>()
            }),
            to: Timestamp::from_millis(NOON + to),
            sources,
            envs: env.map(|(event, raise)| cased((event.env, raise))).into_iter().collect(),
            user_id: user.and_then(|(event, raise)| Some(cased((event.user_id?, raise)))),
            request_id: request.and_then(|(event, raise)| Some(cased((event.request_id?, raise)))),
            fingerprint: issue
                .filter(|_| !sample.events.is_empty())
                .map(|issue| issue.get(&sample.events).event.fingerprint),
            text,
            received_after: Timestamp::from_millis(NOON + received - 1_500),
            ..Criteria::between(Timestamp::from_millis(NOON - 3_000_000), Timestamp::from_millis(0))
        };
        (sample, criteria)
    })
}

/// Whether an event is asked for, decided the plain way.
pub fn naive(criteria: &Criteria, sample: &SampleEvent) -> bool {
    let event = &sample.event;
    let same = |asked: &str, stored: &str| lowercase(asked) == lowercase(stored);
    let optional = |asked: &Option<String>, stored: &Option<Cow<'_, str>>| match (asked, stored) {
        (None, _) => true,
        (Some(asked), Some(stored)) => same(asked, stored),
        (Some(_), None) => false,
    };
    let texts = searched_texts(event);
    let contains = |text: &str| texts.iter().any(|stored| lowercase(stored).contains(text));
    (criteria.from.as_millis()..criteria.to.as_millis()).contains(&event.ts.as_millis())
        && sample.id.batch.received_at() >= criteria.received_after
        && criteria.levels.is_none_or(|levels| levels.contains(event.level))
        && (criteria.sources.is_empty() || criteria.sources.iter().any(|source| same(source, &event.source)))
        && (criteria.envs.is_empty() || criteria.envs.iter().any(|env| same(env, &event.env)))
        && optional(&criteria.user_id, &event.user_id)
        && optional(&criteria.request_id, &event.request_id)
        && criteria.fingerprint.is_none_or(|fingerprint| fingerprint == event.fingerprint)
        && criteria.text.terms().iter().all(|term| contains(term.text()) != term.is_negated())
}
