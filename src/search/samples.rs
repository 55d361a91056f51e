//! Arbitrary searches over arbitrary events, and the naive matcher to compare with. Tests only.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::cursor::Position;
use super::event_filter::{Criteria, LevelSet};
use super::language::Query;
use super::language::arbitrary::{self, NOW, Recipe};
use super::language::tree::Node;
use crate::block::EncodedBatch;
use crate::block::arbitrary::{NOON, batch_id, batch_of, event};
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
        source: Cow::Borrowed("shop"),
        fingerprint: Fingerprint(1),
        ..Event::plain(0, Timestamp::from_millis(NOON), Level::Info, message)
    }
}

/// Some events, few enough to be looked through.
pub fn sample() -> impl Strategy<Value = Sample> {
    vec(vec(event(), 0..8), 1..4).prop_map(|groups| of(&groups.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// How a part of a search is taken from an event: another event's index if not the one most parts are taken from,
/// which text, from which char, how many, and whether its ASCII letters change case.
type Pick = (Option<Index>, Index, usize, usize, bool);

fn pick() -> impl Strategy<Value = Pick> {
    (option::weighted(0.15, any::<Index>()), any::<Index>(), 0..6_usize, 1..8_usize, any::<bool>())
}

fn swap_case(text: &str) -> String {
    let swap =
        |ch: char| if ch.is_ascii_uppercase() { ch.to_ascii_lowercase() } else { ch.to_ascii_uppercase() };
    text.chars().map(swap).collect()
}

fn cased(text: &str, swap: bool) -> String {
    if swap { swap_case(text) } else { text.to_owned() }
}

/// A test to ask for: of which event, how it is made, whether it is negated, and whether OR joins it to those before.
type Clause = (Option<Index>, Recipe, bool, bool);

fn clause() -> impl Strategy<Value = Clause> {
    let other = option::weighted(0.15, any::<Index>());
    (other, arbitrary::recipe(), prop::bool::weighted(0.2), prop::bool::weighted(0.3))
}

/// The clauses as a query; those before an OR are one side of it.
fn query(sample: &Sample, focus: Index, clauses: &[Clause]) -> Query {
    let mut tree: Option<Node> = None;
    for (other, recipe, not, or) in clauses {
        let event = other.unwrap_or(focus).get(&sample.events);
        let term = Node::Term(arbitrary::term_of(event, recipe));
        let node = if *not { !term } else { term };
        let nodes = tree.into_iter().chain([node]).collect();
        tree = if *or { Node::any(nodes) } else { Node::all(nodes) };
    }
    let text = tree.map(|tree| tree.to_string()).unwrap_or_default();
    Query::parse(&text, NOW).map(|(query, _)| query).unwrap_or_default()
}

/// A search that often finds something of its sample: most of what it asks for is taken from one event.
pub fn search() -> impl Strategy<Value = (Sample, Criteria)> {
    let terms = vec(clause(), 0..4);
    let fields = [(); 5].map(|()| option::weighted(0.2, pick()));
    let levels = option::weighted(0.3, 0..64_u8);
    let to = prop_oneof![2 => Just(4_000_000), 1 => -3_600_000..3_600_000_i64];
    let received = prop_oneof![2 => Just(0), 1 => 0..4_000_i64];
    (sample(), any::<Index>(), terms, fields, (levels, to, received)).prop_map(
        |(sample, focus, terms, fields, (levels, to, received))| {
            let mut criteria = if sample.events.is_empty() {
                Criteria::between(Timestamp::from_millis(0), Timestamp::from_millis(0))
            } else {
                asked(&sample, focus, &terms, &fields)
            };
            let level_set =
                |set: u8| Level::ALL.into_iter().filter(|&level| set & (1 << level as u8) != 0).collect();
            criteria.levels = levels.map(|set| -> LevelSet { level_set(set) });
            criteria.from = Timestamp::from_millis(NOON - 3_500_000);
            criteria.to = Timestamp::from_millis(NOON + to);
            criteria.received_after = Timestamp::from_millis(NOON + received);
            (sample, criteria)
        },
    )
}

/// Text and fields to ask for, taken from events of the sample.
fn asked(sample: &Sample, focus: Index, terms: &[Clause], fields: &[Option<Pick>; 5]) -> Criteria {
    let event = |pick: &Pick| &pick.0.unwrap_or(focus).get(&sample.events).event;
    let [source, env, user, request, issue] = fields.each_ref().map(Option::as_ref);
    let mut sources: Vec<String> =
        source.map(|pick| cased(&event(pick).source, pick.4)).into_iter().collect();
    if source.is_some_and(|pick| pick.2 % 2 == 0) {
        sources.push("another".to_owned());
    }
    Criteria {
        sources,
        envs: env.map(|pick| cased(&event(pick).env, pick.4)).into_iter().collect(),
        user_id: user.and_then(|pick| Some(cased(event(pick).user_id.as_ref()?, pick.4))),
        request_id: request.and_then(|pick| Some(cased(event(pick).request_id.as_ref()?, pick.4))),
        fingerprint: issue.map(|pick| event(pick).fingerprint),
        text: query(sample, focus, terms),
        ..Criteria::between(Timestamp::from_millis(0), Timestamp::from_millis(0))
    }
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
    (criteria.from.as_millis()..criteria.to.as_millis()).contains(&event.ts.as_millis())
        && sample.id.batch.received_at() >= criteria.received_after
        && criteria.levels.is_none_or(|levels| levels.contains(event.level))
        && (criteria.sources.is_empty() || criteria.sources.iter().any(|source| same(source, &event.source)))
        && (criteria.envs.is_empty() || criteria.envs.iter().any(|env| same(env, &event.env)))
        && optional(&criteria.user_id, &event.user_id)
        && optional(&criteria.request_id, &event.request_id)
        && criteria.fingerprint.is_none_or(|fingerprint| fingerprint == event.fingerprint)
        && criteria.text.tree().is_none_or(|tree| arbitrary::naive(tree, sample))
}
