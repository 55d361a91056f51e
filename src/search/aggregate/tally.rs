//! What a request counts, and the one visit of a matching line that counts all of it.

use std::sync::Arc;

use super::runs::EventRuns;
use crate::block::BlockHeader;
use crate::block::decode::{Inflater, LineHead, StoredEvent};
use crate::block::fields::LineFields;
use crate::search::cursor::Position;
use crate::search::event_filter::EventFilter;
use crate::search::facets::{FacetCounter, Line};
use crate::search::histogram::{ByHeader, HistogramCounter};
use crate::search::patterns::PatternCounter;
use crate::search::scan::{Scanned, for_each_admitted_line};
use crate::search::top::TopEvents;

/// Counts so far.
#[derive(Default)]
pub(super) struct Tally {
    /// Events that match.
    pub total: u64,
    /// Per bucket of time.
    pub histogram: Option<HistogramCounter>,
    /// Per value.
    pub facets: Option<FacetCounter>,
    /// Per template.
    pub patterns: Option<PatternCounter>,
    /// The first of them.
    pub top: Option<TopEvents>,
    /// Those of a store that others may have too.
    pub noted: Option<EventRuns>,
    /// Whether a counter looks at fields.
    pub uses_fields: bool,
}

/// What the lines of a body are tested by.
#[derive(Clone)]
pub(super) struct Test {
    pub filter: Arc<EventFilter>,
    /// Counted already.
    pub known: Option<Arc<EventRuns>>,
    /// The slug of the block's project.
    pub project: Arc<str>,
}

impl Tally {
    /// Counts a block by its header, if that is enough for everything that is counted.
    pub fn add_header(&mut self, header: &BlockHeader, filter: &EventFilter) -> bool {
        let Some(histogram) = &mut self.histogram else { return false };
        let levels = filter.criteria().levels;
        let asked = |level| levels.is_none_or(|levels| levels.contains(level));
        match histogram.add_header(header, asked) {
            ByHeader::Counted(events) => {
                self.total += events;
                true
            }
            ByHeader::NeedsBody => false,
        }
    }

    /// Counts the events of a block that match.
    pub fn add_block(
        &mut self,
        header: &BlockHeader,
        body: &[u8],
        test: &Test,
        inflater: &mut Inflater,
    ) -> Scanned {
        match inflater.inflate(header.codec, header.raw_bytes, body) {
            Ok(raw) => {
                let scanned = self.add_body(raw, header.project_id, test);
                if scanned.unreadable > 0 {
                    tracing::error!(lines = scanned.unreadable, block = %header.id, "lines that are no events");
                }
                scanned
            }
            Err(error) => {
                tracing::error!(%error, block = %header.id, "a block can't be read");
                Scanned { unreadable: 1, ..Scanned::default() }
            }
        }
    }

    pub(super) fn add_body(&mut self, raw: &[u8], project_id: i64, test: &Test) -> Scanned {
        let newlines = memchr::memchr_iter(b'\n', raw).count() as u64;
        let mut scanned =
            Scanned { events: newlines.saturating_sub(1), bytes: raw.len() as u64, ..Scanned::default() };
        if let Some(top) = &mut self.top {
            top.set_project(project_id);
        }
        let by_head = test.filter.is_of_heads();
        for_each_admitted_line(raw, &test.filter, &mut |line| {
            let Some(head) = LineHead::parse(line) else {
                scanned.unreadable += 1;
                return;
            };
            let is_known = || test.known.as_ref().is_some_and(|known| known.contains(&head));
            if !test.filter.admits_head(&head) || is_known() {
                return;
            }
            if !by_head {
                match StoredEvent::parse(line) {
                    Ok(event) if test.filter.matches_event(&event) => {}
                    Ok(_) => return,
                    Err(_) => {
                        scanned.unreadable += 1;
                        return;
                    }
                }
            }
            scanned.unreadable += u64::from(!self.add_line(raw, line, head, project_id, &test.project));
        });
        if let Some(patterns) = &mut self.patterns {
            patterns.end_body(raw);
        }
        scanned
    }

    /// Counts an event that matches; false when something of its line is missing.
    fn add_line(
        &mut self,
        raw: &[u8],
        bytes: &[u8],
        head: LineHead<'_>,
        project_id: i64,
        project: &str,
    ) -> bool {
        self.total += 1;
        if let Some(noted) = &mut self.noted {
            noted.add(&head);
        }
        let mut is_whole = true;
        if let Some(patterns) = &mut self.patterns {
            is_whole &= patterns.add(raw, bytes, &head, project_id);
        }
        if let Some(top) = &mut self.top {
            if top.may_take(head.ts, head.ts) {
                match head.id() {
                    Some(id) => top.offer(Position { ts: head.ts, id }, bytes),
                    None => is_whole = false,
                }
            } else {
                top.pass_over(head.ts);
            }
        }
        let fields = if self.uses_fields { LineFields::of(bytes, &head) } else { LineFields::default() };
        let line = Line { head, fields, project };
        if let Some(histogram) = &mut self.histogram {
            histogram.add(&line);
        }
        if let Some(facets) = &mut self.facets {
            facets.add(&line);
        }
        is_whole
    }

    /// Adds what another counted of the same.
    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        merge_option(&mut self.histogram, other.histogram, HistogramCounter::merge);
        merge_option(&mut self.facets, other.facets, FacetCounter::merge);
        merge_option(&mut self.patterns, other.patterns, PatternCounter::merge);
        merge_option(&mut self.top, other.top, TopEvents::merge);
        merge_option(&mut self.noted, other.noted, EventRuns::merge);
    }
}

fn merge_option<T>(own: &mut Option<T>, other: Option<T>, merge: fn(&mut T, T)) {
    match (own, other) {
        (Some(own), Some(other)) => merge(own, other),
        (own @ None, other) => *own = other,
        (Some(_), None) => {}
    }
}
