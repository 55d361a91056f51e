//! Quarantine: single events the database refuses for themselves, kept with the reason until they can be stored.
//!
//! When it refuses a block, the block is sifted (see `sift`): everything but the bad events is stored, and those come
//! here in the same transaction, so that an answer is as durable as ever. Where it looks as if the database were wrong
//! and not the events, or there is no room here, nothing comes here: such batches wait in the spool, or are refused with
//! a 503. Nothing is ever dropped.

mod sift;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::block::regroup::regroup;
use crate::block::{Block, EncodedBatch};
use crate::clock::Clock;
use crate::event::{EventId, uuid_at};
use crate::fold::FoldMailbox;
use crate::store::{QuarantineSum, QuarantinedEvent, Refusal, Store, StoreError};

pub use sift::{Sifted, Through};

/// Events in quarantine at most, of all projects. Writers that look at the same moment may exceed it by what each of them
/// brings.
pub const MAX_EVENTS: u64 = 10_000;
/// Bytes of their deflated lines at most.
pub const MAX_BYTES: u64 = 16 << 20;
/// The share of both that one project may take: one in so many.
pub const PROJECT_SHARE: u64 = 2;
/// Events an instance may put into quarantine at its start; each event it stores allows one more …
pub const FIRST_ALLOWANCE: u64 = 100;
/// … up to so many. A database that refuses more than it takes is wrong, rather than the events.
pub const MAX_ALLOWANCE: u64 = 2_000;
/// How long `/readyz` goes on saying what was last wrong.
const TROUBLE_SHOWN: Duration = Duration::from_mins(2);
/// Tries at one event that loses against another transaction.
const MAX_CONFLICTS: u32 = 5;
const CONFLICT_PAUSE: Duration = Duration::from_millis(20);

/// Quarantine, shared by the writers, the drain and the admin's routes.
#[derive(Clone)]
pub struct Quarantine(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    mailbox: Arc<FoldMailbox>,
    /// As last counted.
    events: AtomicU64,
    bytes: AtomicU64,
    allowance: AtomicU64,
    trouble: Mutex<Option<(Instant, String)>>,
    quarantined: Counter,
    released: Counter,
    deleted: Counter,
}

/// What came of storing an event after all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It is stored, under its own id.
    Stored,
    /// The database still refuses it.
    Refused(Refusal),
    /// It isn't in quarantine (any more).
    Gone,
}

impl Quarantine {
    /// The quarantine of a database; `mailbox` is told of blocks that nobody counted yet.
    #[must_use]
    pub fn new(store: Store, clock: Clock, mailbox: Arc<FoldMailbox>) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            mailbox,
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            allowance: AtomicU64::new(FIRST_ALLOWANCE),
            trouble: Mutex::new(None),
            quarantined: Counter::default(),
            released: Counter::default(),
            deleted: Counter::default(),
        }))
    }

    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let came = "Events the database refused for themselves, put into quarantine";
        registry.register("tekno_quarantine_events_added", came, self.0.quarantined.clone());
        let left = "Events of the quarantine that were stored after all";
        registry.register("tekno_quarantine_events_stored", left, self.0.released.clone());
        let deleted = "Events of the quarantine that an admin deleted";
        registry.register("tekno_quarantine_events_deleted", deleted, self.0.deleted.clone());
    }

    /// Events and bytes in quarantine, as last counted.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        (self.0.events.load(Ordering::Relaxed), self.0.bytes.load(Ordering::Relaxed))
    }

    /// Counts again.
    ///
    /// # Errors
    /// What the database said.
    pub async fn recount(&self) -> Result<(), StoreError> {
        let sums = self.0.store.work().await?.quarantine_sums().await?;
        self.0.events.store(sums.iter().map(|sum| sum.events).sum(), Ordering::Relaxed);
        self.0.bytes.store(sums.iter().map(|sum| sum.bytes).sum(), Ordering::Relaxed);
        Ok(())
    }

    /// Why batches that the database refuses don't come here, while that is so.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.as_ref().filter(|(since, _)| since.elapsed() < TROUBLE_SHOWN).map(|(_, why)| why.clone())
    }

    pub(crate) fn note_trouble(&self, why: String) {
        let mut trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_ref().is_none_or(|(since, said)| *said != why || since.elapsed() > TROUBLE_SHOWN) {
            tracing::error!(why, "the database refuses batches, and they can't be quarantined");
        }
        *trouble = Some((Instant::now(), why));
    }

    /// So many events were stored, and these put into quarantine with them.
    pub(crate) fn note_committed(&self, stored: u64, quarantined: &[QuarantinedEvent]) {
        let bad = quarantined.len() as u64;
        let refill =
            |allowance: u64| Some(allowance.saturating_add(stored).min(MAX_ALLOWANCE).saturating_sub(bad));
        // `fetch_update` fails only where its closure gives nothing.
        let _ = self.0.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refill);
        if bad > 0 {
            tracing::warn!(events = bad, stored, "events were put into quarantine");
            self.0.quarantined.inc_by(bad);
            self.0.events.fetch_add(bad, Ordering::Relaxed);
            let bytes = quarantined.iter().map(|event| event.body.len() as u64).sum();
            self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Whether there is room for these events.
    async fn has_room(&self, bad: &[QuarantinedEvent]) -> Result<bool, StoreError> {
        let mut sums: HashMap<i64, QuarantineSum> = HashMap::new();
        for sum in self.0.store.read().await?.quarantine_sums().await? {
            sums.insert(sum.project_id, sum);
        }
        for event in bad {
            let sum = sums.entry(event.project_id).or_default();
            sum.events += 1;
            sum.bytes += event.body.len() as u64;
        }
        let fits =
            |events: u64, bytes: u64, share: u64| events <= MAX_EVENTS / share && bytes <= MAX_BYTES / share;
        let total = sums.values().fold((0, 0), |sum, one| (sum.0 + one.events, sum.1 + one.bytes));
        let concerned = |event: &QuarantinedEvent| &sums[&event.project_id];
        Ok(fits(total.0, total.1, 1)
            && bad.iter().map(concerned).all(|sum| fits(sum.events, sum.bytes, PROJECT_SHARE)))
    }

    /// Stores an event after all, under its own id, exactly once however often and by whomever this is asked; but not
    /// one that `is_live` says has expired or lost its project.
    ///
    /// # Errors
    /// What the database said; the event is then where it was, or stored.
    pub async fn retry(
        &self,
        id: EventId,
        is_live: impl Fn(&QuarantinedEvent) -> bool,
    ) -> Result<Retried, StoreError> {
        let mut conflicts = 0;
        loop {
            match self.retry_once(id, &is_live).await {
                Err(StoreError::Conflict(_) | StoreError::Duplicate(_)) if conflicts < MAX_CONFLICTS => {
                    conflicts += 1;
                }
                other => return other,
            }
            tokio::time::sleep(CONFLICT_PAUSE * conflicts).await;
        }
    }

    async fn retry_once(
        &self,
        id: EventId,
        is_live: impl Fn(&QuarantinedEvent) -> bool,
    ) -> Result<Retried, StoreError> {
        let mut session = self.0.store.work().await?;
        let found = session.quarantined_event(id).await?.filter(is_live);
        let Some(event) = found else { return Ok(Retried::Gone) };
        let block = block_of(&event)?;
        match session.release_quarantined(&event, &block).await {
            Ok(true) => {}
            Ok(false) => return Ok(Retried::Gone),
            Err(StoreError::Refused(why)) => return Ok(Retried::Refused(Refusal::of(&why))),
            Err(error) => return Err(error),
        }
        drop(session);
        self.0.released.inc();
        self.0.mailbox.look_for_orphans();
        self.forget(&event);
        Ok(Retried::Stored)
    }

    /// Deletes an event; false when it isn't in quarantine.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete(&self, id: EventId) -> Result<bool, StoreError> {
        let mut session = self.0.store.work().await?;
        let Some(event) = session.quarantined_event(id).await? else { return Ok(false) };
        let deleted = session.delete_quarantined(&event).await?;
        if deleted {
            self.0.deleted.inc();
            self.forget(&event);
        }
        Ok(deleted)
    }

    fn forget(&self, event: &QuarantinedEvent) {
        let less = |sum: &AtomicU64, by: u64| {
            let _ =
                sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| Some(sum.saturating_sub(by)));
        };
        less(&self.0.events, 1);
        less(&self.0.bytes, event.body.len() as u64);
    }
}

/// A block of one event. Its id has the time of receipt, by which events are found and expire.
fn block_of(event: &QuarantinedEvent) -> Result<Block, StoreError> {
    let read = event.line().and_then(|line| regroup(&line));
    let batches: Vec<EncodedBatch> =
        read.map_err(|error| StoreError::Corrupt(format!("quarantine, {}: {error}", event.id)))?;
    let parts: Vec<Part<'_>> = batches.iter().map(Part::whole).collect();
    let is_it = |batch: &EncodedBatch| {
        batch.batch == event.id.batch && batch.heads.iter().map(|head| head.index).eq([event.id.index])
    };
    if batches.len() != 1 || !batches.iter().all(is_it) {
        return Err(StoreError::Corrupt(format!("quarantine, {}: another event", event.id)));
    }
    let id = uuid_at(event.id.batch.received_at());
    Ok(BlockEncoder::default().encode_block(id, event.project_id, &parts, CompressionLevel::Ingest))
}
