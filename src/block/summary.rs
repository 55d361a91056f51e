//! What a block's header says of its events: times, and counts per minute and level.

use std::collections::BTreeMap;

use super::{EventHead, MinuteCount};
use crate::event::{BatchId, Level};
use crate::timestamp::Timestamp;

const MINUTE_MILLIS: i64 = 60_000;

/// Times and counts of a block's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// First and last receipt.
    pub received: (Timestamp, Timestamp),
    /// Least and greatest `ts`.
    pub ts: (Timestamp, Timestamp),
    /// How many.
    pub events: u32,
    /// Per minute of `ts` and level, ordered.
    pub counts: Vec<MinuteCount>,
}

impl Summary {
    /// Of events by batch. All zero if there are none.
    pub(super) fn of<'a>(parts: impl Iterator<Item = (BatchId, &'a [EventHead])>) -> Self {
        let mut summary = Self::default();
        let mut counts: BTreeMap<(i64, Level), u32> = BTreeMap::new();
        for (batch, heads) in parts.filter(|(_, heads)| !heads.is_empty()) {
            let first = summary.events == 0;
            summary.received = widen(summary.received, batch.received_at(), first);
            for (position, head) in heads.iter().enumerate() {
                summary.ts = widen(summary.ts, head.ts, first && position == 0);
                summary.events += 1;
                *counts.entry((minute_of(head.ts), head.level)).or_default() += 1;
            }
        }
        let entry = |((minute, level), count)| MinuteCount { minute, level, count };
        summary.counts = counts.into_iter().map(entry).collect();
        summary
    }
}

fn widen(range: (Timestamp, Timestamp), at: Timestamp, first: bool) -> (Timestamp, Timestamp) {
    if first { (at, at) } else { (range.0.min(at), range.1.max(at)) }
}

/// Minutes from the Unix epoch to the minute `ts` is in.
#[must_use]
pub const fn minute_of(ts: Timestamp) -> i64 {
    ts.as_millis().div_euclid(MINUTE_MILLIS)
}
