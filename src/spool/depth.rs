//! What is in the spool, and what became of what was.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::block::Block;
use crate::store::{SpoolTotals, SpooledBatch};
use crate::timestamp::Timestamp;

/// Time over which the rate of draining is told.
const RATE_OVER: Duration = Duration::from_mins(1);

/// What waits in the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Groups.
    pub groups: i64,
    /// Blocks.
    pub blocks: i64,
    /// Events.
    pub events: i64,
    /// Bytes of the blocks as stored.
    pub bytes: i64,
    /// Receipt of the oldest batch.
    pub oldest: Option<Timestamp>,
    /// Groups that the database refused for themselves; they are tried again each hour.
    pub held: i64,
}

impl Depth {
    /// As counted from the file.
    #[must_use]
    pub fn of(totals: SpoolTotals) -> Self {
        let SpoolTotals { groups, blocks, events, bytes, oldest_ms, held } = totals;
        Self { groups, blocks, events, bytes, oldest: oldest_ms.map(Timestamp::from_millis), held }
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.groups == 0
    }

    pub(super) fn add(&mut self, blocks: &[Block], batches: &[SpooledBatch]) {
        self.groups += 1;
        self.blocks += i64::try_from(blocks.len()).unwrap_or(i64::MAX);
        self.events += blocks.iter().map(|block| i64::from(block.header.event_count)).sum::<i64>();
        self.bytes += blocks.iter().map(|block| i64::from(block.header.stored_bytes)).sum::<i64>();
        let oldest = batches.iter().map(|batch| batch.batch.received_at()).min();
        self.oldest = [self.oldest, oldest].into_iter().flatten().min();
    }
}

/// Why events in the spool did not come into the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// Their project was deleted meanwhile.
    ProjectDeleted,
    /// The key they were signed with is revoked.
    KeyRevoked,
    /// The file was damaged where they were.
    Damaged,
}

impl DropReason {
    const fn name(self) -> &'static str {
        match self {
            Self::ProjectDeleted => "project_deleted",
            Self::KeyRevoked => "key_revoked",
            Self::Damaged => "damaged",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Events by what became of them when a part of the spool was drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Came into the database.
    pub drained: u64,
    /// Were there already.
    pub stored_before: u64,
    /// Their project was deleted.
    pub project_deleted: u64,
    /// Their key is revoked.
    pub key_revoked: u64,
    /// Could not be read.
    pub damaged: u64,
}

/// Counters of one instance since its start.
#[derive(Debug, Default)]
pub struct SpoolCounters {
    /// Events committed to the spool.
    pub spooled: Counter,
    drained: Counter,
    stored_before: Counter,
    dropped: Family<Reason, Counter>,
    lost_groups: Counter,
    recent: Mutex<VecDeque<(Instant, u64)>>,
}

impl SpoolCounters {
    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "tekno_spool_events_spooled",
            "Events committed to the spool",
            self.spooled.clone(),
        );
        let drained = "Events that came from the spool into the database";
        registry.register("tekno_spool_events_drained", drained, self.drained.clone());
        let before = "Events in the spool that were in the database already";
        registry.register("tekno_spool_events_stored_before", before, self.stored_before.clone());
        let dropped = "Events in the spool that were dropped";
        registry.register("tekno_spool_events_dropped", dropped, self.dropped.clone());
        let lost = "Groups of batches that could not be read out of a damaged spool file";
        registry.register("tekno_spool_groups_lost", lost, self.lost_groups.clone());
    }

    /// Counts what a step came to.
    pub(super) fn add(&self, counted: &Counted) {
        self.drained.inc_by(counted.drained);
        self.stored_before.inc_by(counted.stored_before);
        for (reason, events) in [
            (DropReason::ProjectDeleted, counted.project_deleted),
            (DropReason::KeyRevoked, counted.key_revoked),
            (DropReason::Damaged, counted.damaged),
        ] {
            if events > 0 {
                self.dropped.get_or_create(&Reason { reason: reason.name() }).inc_by(events);
            }
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back((Instant::now(), counted.drained));
        while recent.len() > 10_000 || recent.front().is_some_and(|(at, _)| at.elapsed() > RATE_OVER) {
            recent.pop_front();
        }
    }

    /// Counts what could not be read out of a damaged file.
    pub(super) fn add_lost(&self, groups: u64, events: u64) {
        self.lost_groups.inc_by(groups);
        self.add(&Counted { damaged: events, ..Counted::default() });
    }

    /// Groups that could not be read out of a damaged file, since the start.
    #[must_use]
    pub fn lost_groups(&self) -> u64 {
        self.lost_groups.get()
    }

    /// Events drained since the start.
    #[must_use]
    pub fn drained(&self) -> u64 {
        self.drained.get()
    }

    /// Events found to be in the database already, since the start.
    #[must_use]
    pub fn stored_before(&self) -> u64 {
        self.stored_before.get()
    }

    /// Events dropped for a reason since the start.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get_or_create(&Reason { reason: reason.name() }).get()
    }

    /// Events drained a second, over the last minute.
    #[must_use]
    pub fn drain_rate(&self) -> f64 {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = recent.iter().filter(|(at, _)| at.elapsed() <= RATE_OVER);
        let events: u64 = fresh.clone().map(|(_, events)| events).sum();
        let Some((first, _)) = fresh.clone().next() else { return 0.0 };
        let seconds = first.elapsed().as_secs_f64().max(1.0);
        f64::from(u32::try_from(events).unwrap_or(u32::MAX)) / seconds
    }
}
