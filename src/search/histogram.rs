//! A histogram: how many events per bucket of time, apart by level or by the values of a field.
//!
//! Each event is counted once: by its first value where a field has several, under `none` where it has no value, under
//! `other` where the value is not among the most frequent. So all counts together are the number of events.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::buckets::Buckets;
use super::facets::{FacetField, Line, ValueMap};
use crate::block::BlockHeader;
use crate::event::Level;
use crate::timestamp::Timestamp;

/// Most values of a field that are counted one by one.
const MAX_SERIES: usize = 1_000;
/// Bytes they take at most, about, in each of two threads.
const MAX_BYTES: usize = 4 << 20;
/// What a value takes beside its text and counts, about.
const VALUE_OVERHEAD: usize = 128;
const MINUTE_MILLIS: i64 = 60_000;
const LEVELS: usize = Level::ALL.len();

/// What a histogram is to show.
#[derive(Clone, Debug)]
pub struct HistogramSpec {
    /// Its buckets.
    pub buckets: Arc<Buckets>,
    /// Events are told apart by this field; `None` is the level.
    pub by: Option<FacetField>,
}

impl HistogramSpec {
    /// Whether events are told apart by their level.
    #[must_use]
    pub fn is_by_level(&self) -> bool {
        self.by.as_ref().is_none_or(FacetField::is_level)
    }
}

/// Counts of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The value.
    pub value: Box<str>,
    /// One count a bucket.
    pub counts: Vec<u64>,
}

/// A finished histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// What it was told apart by.
    pub by: String,
    /// Its buckets.
    pub buckets: Arc<Buckets>,
    /// Levels from the least severe, or values from the most frequent; none without an event.
    pub series: Vec<Series>,
    /// Events with another value, per bucket; empty for levels.
    pub other: Vec<u64>,
    /// Events without a value, per bucket; empty for levels.
    pub none: Vec<u64>,
    /// There were more values than are counted one by one, so that some counts are in `other`.
    pub approximate: bool,
}

impl Histogram {
    /// All events in it.
    #[must_use]
    pub fn total(&self) -> u64 {
        let series = self.series.iter().flat_map(|series| &series.counts);
        series.chain(&self.other).chain(&self.none).sum()
    }
}

#[derive(Debug)]
enum Counts {
    Levels(Vec<[u64; LEVELS]>),
    Field { field: FacetField, values: ValueMap<Vec<u64>>, other: Vec<u64>, none: Vec<u64> },
}

/// What a block's header tells of a histogram by level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByHeader {
    /// All of its events asked for are counted: so many.
    Counted(u64),
    /// A minute of it lies on an edge: its lines must be looked at. Nothing was counted.
    NeedsBody,
}

/// Counts events.
#[derive(Debug)]
pub struct HistogramCounter {
    buckets: Arc<Buckets>,
    counts: Counts,
    /// The bucket found last: neighbours in time are neighbours in blocks.
    last: (Timestamp, Timestamp, usize),
}

impl HistogramCounter {
    /// Counts of nothing yet.
    #[must_use]
    pub fn new(spec: &HistogramSpec) -> Self {
        let buckets = spec.buckets.clone();
        let zeros = vec![0; buckets.len()];
        let counts = match &spec.by {
            Some(field) if !spec.is_by_level() => {
                let overhead = VALUE_OVERHEAD + 8 * buckets.len();
                let values = ValueMap::new(MAX_SERIES, MAX_BYTES, overhead);
                Counts::Field { field: field.clone(), values, other: zeros.clone(), none: zeros }
            }
            _ => Counts::Levels(vec![[0; LEVELS]; buckets.len()]),
        };
        Self { buckets, counts, last: (Timestamp::default(), Timestamp::default(), 0) }
    }

    fn find(&mut self, ts: Timestamp) -> Option<usize> {
        let (from, to, bucket) = self.last;
        if from <= ts && ts < to {
            return Some(bucket);
        }
        let bucket = self.buckets.find(ts)?;
        let (from, to) = self.buckets.span(bucket)?;
        self.last = (from.max(self.buckets.from()), to.min(self.buckets.to()), bucket);
        Some(bucket)
    }

    /// Counts an event; one outside of the buckets is left out.
    pub fn add(&mut self, line: &Line<'_>) {
        let Some(bucket) = self.find(line.head.ts) else { return };
        match &mut self.counts {
            Counts::Levels(levels) => levels[bucket][line.head.level as usize] += 1,
            Counts::Field { field, values, other, none } => {
                let (mut is_missing, length) = (true, self.buckets.len());
                field.for_each(line, |value| {
                    is_missing = false;
                    let counts = values.entry(value).unwrap_or(&mut *other);
                    counts.resize(length, 0);
                    counts[bucket] += 1;
                    ControlFlow::Break(())
                });
                none[bucket] += u64::from(is_missing);
            }
        }
    }

    /// Counts a block's events of some levels by its header, where no minute of it is on an edge. All of its events
    /// must be asked for but for level and time.
    pub fn add_header(&mut self, header: &BlockHeader, asked: impl Fn(Level) -> bool) -> ByHeader {
        let range = (self.buckets.from().as_millis(), self.buckets.to().as_millis());
        let mut found = Vec::with_capacity(header.counts.len());
        for count in header.counts.iter().filter(|count| asked(count.level)) {
            let start = count.minute.saturating_mul(MINUTE_MILLIS);
            let first = start.max(header.ts_first.as_millis());
            let last = start.saturating_add(MINUTE_MILLIS - 1).min(header.ts_last.as_millis());
            if last < range.0 || first >= range.1 {
                continue;
            }
            let bucket = self.find(Timestamp::from_millis(first));
            match bucket.filter(|_| self.find(Timestamp::from_millis(last)) == bucket) {
                Some(bucket) => found.push((bucket, count)),
                None => return ByHeader::NeedsBody,
            }
        }
        let Counts::Levels(levels) = &mut self.counts else { return ByHeader::NeedsBody };
        if header.counts.is_empty() {
            return ByHeader::NeedsBody;
        }
        let mut counted = 0;
        for (bucket, count) in found {
            levels[bucket][count.level as usize] += u64::from(count.count);
            counted += u64::from(count.count);
        }
        ByHeader::Counted(counted)
    }

    /// Adds what another counted for the same histogram.
    pub fn merge(&mut self, other: Self) {
        match (&mut self.counts, other.counts) {
            (Counts::Levels(own), Counts::Levels(other)) => {
                for (own, other) in own.iter_mut().flatten().zip(other.into_iter().flatten()) {
                    *own += other;
                }
            }
            (
                Counts::Field { values, other, none, .. },
                Counts::Field { values: more, other: more_other, none: more_none, .. },
            ) => {
                add_all(other, &more_other);
                add_all(none, &more_none);
                values.merge(more, |own, counts| add_all(own, &counts), |counts| add_all(other, &counts));
            }
            _ => {}
        }
    }

    /// The histogram, with the `top` most frequent values where it is of a field.
    #[must_use]
    pub fn finish(self, top: usize) -> Histogram {
        let buckets = self.buckets;
        match self.counts {
            Counts::Levels(levels) => {
                let series = |level: Level| {
                    let counts: Vec<u64> = levels.iter().map(|counts| counts[level as usize]).collect();
                    Series { value: level.name().into(), counts }
                };
                let has_some = |series: &Series| series.counts.iter().any(|count| *count > 0);
                let series = Level::ALL.into_iter().map(series).filter(has_some).collect();
                let by = "level".to_owned();
                Histogram { by, buckets, series, other: Vec::new(), none: Vec::new(), approximate: false }
            }
            Counts::Field { field, values, mut other, none } => {
                let approximate = values.is_full();
                let mut series: Vec<(u64, Series)> = values
                    .into_values()
                    .map(|(value, counts)| (counts.iter().sum(), Series { value, counts }))
                    .collect();
                series.sort_unstable_by(|left, right| {
                    right.0.cmp(&left.0).then_with(|| left.1.value.cmp(&right.1.value))
                });
                for (_, beyond) in series.drain(top.min(series.len())..) {
                    add_all(&mut other, &beyond.counts);
                }
                let series = series.into_iter().map(|(_, series)| series).collect();
                Histogram { by: field.name().to_owned(), buckets, series, other, none, approximate }
            }
        }
    }
}

/// Adds counts, of which `own` may have fewer.
fn add_all(own: &mut Vec<u64>, counts: &[u64]) {
    own.resize(own.len().max(counts.len()), 0);
    for (own, count) in own.iter_mut().zip(counts) {
        *own += count;
    }
}
