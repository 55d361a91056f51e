//! What became of events and requests, counted: every event has exactly one outcome, and the sums always add up.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::error::ApiError;

/// Names an outcome in `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Counters of one instance since its start.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    received: Counter,
    accepted: Counter,
    duplicate: Counter,
    rejected: Family<Reason, Counter>,
    limited: Counter,
    refused: Family<Reason, Counter>,
    refused_requests: Family<Reason, Counter>,
}

impl Outcomes {
    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let received = "Events in batches that were read; the sum of the five outcomes below";
        registry.register("tekno_events_received", received, self.received.clone());
        registry.register("tekno_events_accepted", "Events committed", self.accepted.clone());
        let duplicate = "Events of batches that were stored before";
        registry.register("tekno_events_duplicate", duplicate, self.duplicate.clone());
        registry.register("tekno_events_rejected", "Events refused one by one", self.rejected.clone());
        let limited = "Events over their project's limit";
        registry.register("tekno_events_limited", limited, self.limited.clone());
        let refused = "Events of batches that could not be stored";
        registry.register("tekno_events_refused", refused, self.refused.clone());
        let requests = "Ingest requests refused before their events were counted";
        registry.register("tekno_ingest_requests_refused", requests, self.refused_requests.clone());
    }

    /// A request that was refused before its events were known.
    pub fn request_refused(&self, error: &ApiError) {
        self.refused_requests.get_or_create(&Reason { reason: error.code() }).inc();
    }

    /// A batch was read: how many events it had and which were refused for themselves.
    pub fn batch_read<'a>(&self, received: u32, rejected: impl Iterator<Item = &'a &'static str>) {
        self.received.inc_by(u64::from(received));
        for reason in rejected {
            self.rejected.get_or_create(&Reason { reason }).inc();
        }
    }

    /// The acceptable events of a batch were committed.
    pub fn accepted(&self, events: u32) {
        self.accepted.inc_by(u64::from(events));
    }

    /// They had been committed before.
    pub fn duplicate(&self, events: u32) {
        self.duplicate.inc_by(u64::from(events));
    }

    /// They could not be stored, or were over the limit.
    pub fn not_stored(&self, events: u32, error: &ApiError) {
        match error {
            ApiError::RateLimitedProject(_) | ApiError::BatchExceedsCap(_) => {
                self.limited.inc_by(u64::from(events));
            }
            _ => {
                self.refused.get_or_create(&Reason { reason: error.code() }).inc_by(u64::from(events));
            }
        }
    }
}
