//! What became of events and requests, counted: every event of a batch that was read has exactly one outcome, every
//! request that was refused before one reason.
//!
//! A batch counts when its fate is known, whoever still waits for it: [`ReadBatch`] goes with the batch into the queue
//! and is ended by the writer. What is dropped without an end is counted as that. Numbers go to `/metrics`, and by hour
//! of receipt to the [`Tally`] of the ledger.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::error::ApiError;
use crate::ledger::{Entry, Kind, LedgerRow, NO_PROJECT, Tally};
use crate::limit::Charge;
use crate::timestamp::Timestamp;

/// Projects that have counters of their own on `/metrics`: the first ones that are heard of.
const MAX_LABELLED_PROJECTS: usize = 100;
/// The reason of what a client did not wait for.
const CLIENT_GONE: &str = "client_gone";
/// The reason of what a fault of ours ended.
const INTERNAL: &str = "internal";

/// Names an outcome in `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProject {
    project_id: i64,
    outcome: &'static str,
}

/// Counters of one instance since its start, and what the ledger is to be told.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    received: Counter,
    accepted: Counter,
    duplicate: Counter,
    rejected: Family<Reason, Counter>,
    limited: Family<Reason, Counter>,
    refused: Family<Reason, Counter>,
    refused_requests: Family<Reason, Counter>,
    by_project: Family<OfProject, Counter>,
    labelled: Mutex<Vec<i64>>,
    tally: Arc<Tally>,
}

impl Outcomes {
    /// Counters that leave what the ledger is told in `tally`.
    #[must_use]
    pub fn new(tally: Arc<Tally>) -> Self {
        Self(Arc::new(Inner { tally, ..Inner::default() }))
    }

    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let Inner { received, accepted, duplicate, rejected, limited, refused, .. } = &*self.0;
        let help = "Events of batches whose fate is known; the sum of the five outcomes below";
        registry.register("tekno_events_received", help, received.clone());
        registry.register("tekno_events_accepted", "Events committed", accepted.clone());
        let help = "Events of batches that were stored before";
        registry.register("tekno_events_duplicate", help, duplicate.clone());
        registry.register("tekno_events_rejected", "Events refused one by one", rejected.clone());
        registry.register("tekno_events_limited", "Events over their project's limit", limited.clone());
        let help = "Events of batches that could not be stored";
        registry.register("tekno_events_refused", help, refused.clone());
        let help = "Ingest requests refused before their events were counted";
        registry.register("tekno_ingest_requests_refused", help, self.0.refused_requests.clone());
        let help = "Events by project and outcome, of the first 100 projects heard of";
        registry.register("tekno_project_events", help, self.0.by_project.clone());
    }

    /// A request has come, of a project if that is known.
    pub fn arrival(&self, project_id: Option<i64>, at: Timestamp) -> Arrival {
        Arrival { outcomes: self.clone(), project_id: project_id.unwrap_or(NO_PROJECT), at, open: true }
    }

    fn count(&self, batch: &ReadBatch, outcome: Entry) {
        let Inner { received, accepted, duplicate, rejected, limited, refused, .. } = &*self.0;
        let (kind, reason) = (outcome.kind, outcome.reason);
        let events = u64::from(batch.acceptable);
        received.inc_by(u64::from(batch.received));
        let _ = match kind {
            Kind::Committed => accepted.inc_by(events),
            Kind::Duplicate => duplicate.inc_by(events),
            Kind::Limited => limited.get_or_create(&Reason { reason }).inc_by(events),
            _ => refused.get_or_create(&Reason { reason }).inc_by(events),
        };
        let mut reasons: BTreeMap<&'static str, u32> = BTreeMap::new();
        for reason in &batch.rejected {
            *reasons.entry(reason).or_default() += 1;
        }
        for (reason, events) in &reasons {
            rejected.get_or_create(&Reason { reason }).inc_by(u64::from(*events));
        }
        let row = |entry, events: u32| LedgerRow::new(batch.project_id, batch.at, entry, events);
        let refused_singly =
            reasons.iter().map(|(why, events)| row(Entry::with(Kind::Rejected, why), *events));
        let rows = [row(Entry::READ, batch.received), row(outcome, batch.acceptable)];
        self.0.tally.add(rows.into_iter().filter(|row| row.amount > 0).chain(refused_singly));
        self.count_by_project(batch, kind);
    }

    fn count_by_project(&self, batch: &ReadBatch, kind: Kind) {
        let project_id = batch.project_id;
        {
            let mut labelled = self.0.labelled.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(place) = labelled.binary_search(&project_id) {
                if labelled.len() == MAX_LABELLED_PROJECTS {
                    return;
                }
                labelled.insert(place, project_id);
            }
        }
        let outcome = match kind {
            Kind::Committed => "accepted",
            Kind::Duplicate => "duplicate",
            Kind::Limited => "limited",
            _ => "refused",
        };
        let rejected = u64::try_from(batch.rejected.len()).unwrap_or(u64::MAX);
        for (outcome, events) in [(outcome, u64::from(batch.acceptable)), ("rejected", rejected)] {
            if events > 0 {
                self.0.by_project.get_or_create(&OfProject { project_id, outcome }).inc_by(events);
            }
        }
    }
}

/// A request whose events are not known yet; dropped, it counts as one its client did not wait for.
#[derive(Debug)]
#[must_use]
pub struct Arrival {
    outcomes: Outcomes,
    project_id: i64,
    at: Timestamp,
    open: bool,
}

impl Arrival {
    /// It is refused.
    pub fn refused(mut self, error: &ApiError) {
        self.close(error.code());
    }

    /// It is refused, and its answer says so.
    ///
    /// # Errors
    /// That error, always.
    pub fn end_with<T>(self, error: ApiError) -> Result<T, ApiError> {
        self.refused(&error);
        Err(error)
    }

    /// Somebody else counts it from here on.
    pub fn passed(mut self) {
        self.open = false;
    }

    /// Its batch was read: how many events it had, how many of them may be stored, and why the others were refused.
    pub fn read(mut self, received: u32, acceptable: u32, rejected: Vec<&'static str>) -> ReadBatch {
        self.open = false;
        ReadBatch {
            outcomes: self.outcomes.clone(),
            project_id: self.project_id,
            at: self.at,
            received,
            acceptable,
            rejected,
            charge: None,
            if_dropped: Some(CLIENT_GONE),
        }
    }

    fn close(&mut self, reason: &'static str) {
        self.open = false;
        self.outcomes.0.refused_requests.get_or_create(&Reason { reason }).inc();
        let entry = Entry::with(Kind::Requests, reason);
        self.outcomes.0.tally.add([LedgerRow::new(self.project_id, self.at, entry, 1_u32)]);
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if self.open {
            self.close(if std::thread::panicking() { INTERNAL } else { CLIENT_GONE });
        }
    }
}

/// A batch that was read and has no outcome yet.
#[derive(Debug)]
#[must_use]
pub struct ReadBatch {
    outcomes: Outcomes,
    project_id: i64,
    at: Timestamp,
    received: u32,
    acceptable: u32,
    rejected: Vec<&'static str>,
    charge: Option<Charge>,
    /// The reason it counts as refused for when nobody ends it; `None` once it has ended.
    if_dropped: Option<&'static str>,
}

impl ReadBatch {
    /// Its project was charged for it; what does not get stored is given back.
    pub fn charged(mut self, charge: Charge) -> Self {
        self.charge = Some(charge);
        self
    }

    /// It no longer depends on its client.
    pub fn queued(mut self) -> Self {
        self.if_dropped = Some(INTERNAL);
        self
    }

    /// Its acceptable events were committed, to the database or the spool.
    pub fn committed(mut self) {
        if let Some(charge) = self.charge.take() {
            charge.keep();
        }
        self.end(Entry::COMMITTED);
    }

    /// They had been committed before.
    pub fn duplicate(mut self) {
        self.end(Entry::DUPLICATE);
    }

    /// They could not be stored, or were over the limit.
    pub fn not_stored(mut self, error: &ApiError) {
        let kind = match error {
            ApiError::RateLimitedProject(_) | ApiError::BatchExceedsCap(_) => Kind::Limited,
            _ => Kind::Refused,
        };
        self.end(Entry::with(kind, error.code()));
    }

    /// The same, and its answer says so.
    ///
    /// # Errors
    /// That error, always.
    pub fn end_with<T>(self, error: ApiError) -> Result<T, ApiError> {
        self.not_stored(&error);
        Err(error)
    }

    fn end(&mut self, outcome: Entry) {
        self.if_dropped = None;
        self.outcomes.count(self, outcome);
    }
}

impl Drop for ReadBatch {
    fn drop(&mut self) {
        if let Some(reason) = self.if_dropped {
            let reason = if std::thread::panicking() { INTERNAL } else { reason };
            self.end(Entry::with(Kind::Refused, reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn written(outcomes: &Outcomes) -> BTreeMap<String, i64> {
        let counted = outcomes.0.tally.take(NOON).map(|counted| counted.rows).unwrap_or_default();
        outcomes.0.tally.written();
        counted.iter().map(|row| (format!("{} {}", row.project_id, row.entry.name()), row.amount)).collect()
    }

    fn expected<const N: usize>(rows: [(&str, i64); N]) -> BTreeMap<String, i64> {
        rows.map(|(name, amount)| (name.to_owned(), amount)).into()
    }

    #[test]
    fn every_event_of_a_batch_has_one_outcome_however_the_batch_ends() {
        let outcomes = Outcomes::default();
        let read = || outcomes.arrival(Some(7), NOON).read(3, 2, vec!["message_missing"]);
        let rows = |outcome| expected([("7 read", 3), (outcome, 2), ("7 rejected:message_missing", 1)]);
        read().committed();
        assert_eq!(written(&outcomes), rows("7 committed"));
        read().queued().duplicate();
        assert_eq!(written(&outcomes), rows("7 duplicate"));
        read().not_stored(&ApiError::BatchExceedsCap(String::new()));
        assert_eq!(written(&outcomes), rows("7 limited:batch_exceeds_cap"));
        read().not_stored(&ApiError::StorageUnavailable(5));
        assert_eq!(written(&outcomes), rows("7 refused:storage_unavailable"));
        drop(read());
        assert_eq!(written(&outcomes), rows("7 refused:client_gone"));
        drop(read().queued());
        assert_eq!(written(&outcomes), rows("7 refused:internal"));
        assert_eq!(outcomes.0.received.get(), 18);
    }

    #[test]
    fn a_request_counts_once_as_refused_unless_its_batch_is_read() {
        let outcomes = Outcomes::default();
        outcomes.arrival(None, NOON).refused(&ApiError::Unauthorized);
        drop(outcomes.arrival(Some(7), NOON));
        outcomes.arrival(None, NOON).passed();
        let all = expected([("0 requests:unauthorized", 1), ("7 requests:client_gone", 1)]);
        assert_eq!(written(&outcomes), all);
        outcomes.arrival(Some(7), NOON).read(1, 0, vec!["message_missing"]).committed();
        assert_eq!(written(&outcomes), expected([("7 read", 1), ("7 rejected:message_missing", 1)]));
    }

    #[test]
    fn only_so_many_projects_have_counters_of_their_own() {
        let outcomes = Outcomes::default();
        for project in 0..300 {
            outcomes.arrival(Some(project), NOON).read(1, 1, Vec::new()).committed();
        }
        assert_eq!(outcomes.0.labelled.lock().expect("nobody panicked").len(), MAX_LABELLED_PROJECTS);
        assert_eq!(outcomes.0.accepted.get(), 300);
    }
}
