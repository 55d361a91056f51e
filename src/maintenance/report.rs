//! What maintenance did, in numbers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::store::{CountsWidened, LeaseHolder, Purged};
use crate::timestamp::Timestamp;

/// Sums of one run, also while it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks deleted, and the events in them.
    pub purged: Purged,
    /// Batch ids deleted.
    pub batch_ids: u64,
    /// Issues deleted.
    pub issues: u64,
    /// Messages of alerts deleted.
    pub alerts: u64,
    /// Counts put into wider buckets.
    pub counts_widened: u64,
    /// Counts deleted.
    pub counts_dropped: u64,
    /// Projects that were gone and of which something was left.
    pub orphaned_projects: u64,
    /// Slices of work.
    pub slices: u32,
    /// The longest of them.
    pub longest_slice: Duration,
    /// From start to end.
    pub took: Duration,
    /// True when nothing is left to do; false when it was stopped, lost its lease, or goes on.
    pub complete: bool,
}

impl Report {
    pub(super) fn add_purged(&mut self, purged: Purged) {
        self.purged.blocks += purged.blocks;
        self.purged.events += purged.events;
    }

    pub(super) fn add_counts(&mut self, counts: CountsWidened) {
        self.counts_widened += counts.widened;
        self.counts_dropped += counts.dropped;
    }

    /// For the admin API and the command line.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "ran": true,
            "complete": self.complete,
            "took_ms": millis(self.took),
            "slices": self.slices,
            "longest_slice_ms": millis(self.longest_slice),
            "deleted_blocks": self.purged.blocks,
            "deleted_events": self.purged.events,
            "deleted_batch_ids": self.batch_ids,
            "deleted_issues": self.issues,
            "deleted_alerts": self.alerts,
            "deleted_counts": self.counts_dropped,
            "folded_counts": self.counts_widened,
            "removed_projects": self.orphaned_projects,
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How a run ended, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It ran.
    Done(Report),
    /// Another instance maintains now.
    HeldBy(LeaseHolder),
    /// Another run was finished a short while ago.
    TooSoon,
}

impl Ran {
    /// For the admin API and the command line.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Done(report) => report.json(),
            Self::HeldBy(holder) => json!({ "ran": false, "lease": holder_json(holder) }),
            Self::TooSoon => json!({ "ran": false, "lease": null }),
        }
    }
}

/// A lease, for the admin API.
#[must_use]
pub fn holder_json(holder: &LeaseHolder) -> Value {
    json!({ "owner": holder.owner, "expires_in_ms": holder.expires_in_ms })
}

/// What this process is doing and has done, for those who ask meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    running: Option<Report>,
    last: Option<(Timestamp, Report)>,
}

impl Progress {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, report: Report) {
        self.lock().running = Some(report);
    }

    pub(super) fn end(&self, at: Timestamp, report: Option<Report>) {
        let mut seen = self.lock();
        seen.running = None;
        if let Some(report) = report {
            seen.last = Some((at, report));
        }
    }

    /// The sums of the run that goes on in this process.
    #[must_use]
    pub fn running(&self) -> Option<Report> {
        self.lock().running
    }

    /// The last run of this process, and when it ended.
    #[must_use]
    pub fn last(&self) -> Option<(Timestamp, Report)> {
        self.lock().last
    }
}
