//! What maintenance did, in numbers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::store::{CountsWidened, LeaseHolder, Purged};
use crate::timestamp::Timestamp;

/// Sums of one run, also while it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks deleted, and the events in them; events in quarantine count too.
    pub purged: Purged,
    /// Batch ids deleted.
    pub batch_ids: u64,
    /// Issues deleted.
    pub issues: u64,
    /// Rows of the ledger deleted.
    pub ledger_rows: u64,
    /// Messages of alerts deleted.
    pub alerts: u64,
    /// Counts put into wider buckets.
    pub counts_widened: u64,
    /// Counts deleted.
    pub counts_dropped: u64,
    /// Projects that were gone and of which something was left.
    pub orphaned_projects: u64,
    /// Blocks that were merged into others, and what they became not counted.
    pub merged_blocks: u64,
    /// Blocks that were compressed harder.
    pub recompressed_blocks: u64,
    /// Bytes that bodies and filters take less for it.
    pub bytes_saved: u64,
    /// Blocks written anew without the events a purge by filter took out of them.
    pub rewritten_blocks: u64,
    /// Blocks a purge by filter could not read, and left.
    pub unreadable_blocks: u64,
    /// Rows of the audit log deleted.
    pub audit_rows: u64,
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
            "deleted_ledger_rows": self.ledger_rows,
            "deleted_alerts": self.alerts,
            "deleted_counts": self.counts_dropped,
            "folded_counts": self.counts_widened,
            "removed_projects": self.orphaned_projects,
            "deleted_audit_rows": self.audit_rows,
            "merged_blocks": self.merged_blocks,
            "recompressed_blocks": self.recompressed_blocks,
            "bytes_saved": self.bytes_saved,
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
    /// It has not begun yet: this process still does what was asked for before. Its turn comes by itself.
    Waiting,
}

impl Ran {
    /// For the admin API and the command line.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Done(report) => report.json(),
            Self::HeldBy(holder) => json!({ "ran": false, "lease": holder_json(holder) }),
            Self::TooSoon => json!({ "ran": false, "lease": null }),
            Self::Waiting => json!({ "ran": false, "lease": null, "complete": false, "waiting": true }),
        }
    }
}

/// A lease, for the admin API.
#[must_use]
pub fn holder_json(holder: &LeaseHolder) -> Value {
    json!({ "owner": holder.owner, "expires_in_ms": holder.expires_in_ms })
}

/// The sums of what one admin asked for, for an answer before its end.
#[derive(Clone, Debug, Default)]
pub struct OwnSums(Arc<Mutex<Option<Report>>>);

impl OwnSums {
    pub(super) fn note(&self, report: Report) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    /// How far it is.
    pub(super) fn so_far(&self) -> Ran {
        let report = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report.map_or(Ran::Waiting, Ran::Done)
    }
}

/// What all runs of this process came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// As in [`Report`].
    pub merged_blocks: u64,
    /// As in [`Report`].
    pub recompressed_blocks: u64,
    /// As in [`Report`].
    pub bytes_saved: u64,
}

/// A purge that has ended, for those who didn't wait for it.
#[derive(Clone, Debug)]
pub struct EndedPurge {
    /// When.
    pub at: Timestamp,
    /// What it did, or would do.
    pub report: Report,
    /// Nothing was deleted.
    pub dry_run: bool,
}

/// What this process is doing and has done, for those who ask meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    running: Option<Report>,
    last: Option<(Timestamp, Report)>,
    last_purge: Option<EndedPurge>,
    totals: Totals,
}

impl Progress {
    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, report: Report) {
        self.lock().running = Some(report);
    }

    pub(super) fn end(&self, at: Timestamp, report: Report, is_all: bool) {
        let mut seen = self.lock();
        seen.running = None;
        seen.totals.merged_blocks += report.merged_blocks;
        seen.totals.recompressed_blocks += report.recompressed_blocks;
        seen.totals.bytes_saved += report.bytes_saved;
        if is_all {
            seen.last = Some((at, report));
        }
    }

    pub(super) fn end_purge(&self, ended: EndedPurge) {
        self.lock().last_purge = Some(ended);
    }

    /// The last purge of this process.
    #[must_use]
    pub fn last_purge(&self) -> Option<EndedPurge> {
        self.lock().last_purge.clone()
    }

    /// What all runs of this process came to.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.lock().totals
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
