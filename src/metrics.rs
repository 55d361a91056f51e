//! Gauges for `/metrics`, read at the moment they are asked for.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::clock::Clock;
use crate::http::places::Places;
use crate::limit::Limiter;
use crate::maintenance::Progress;
use crate::memory::Budget;
use crate::quarantine::Quarantine;
use crate::server::ConnectionGauges;
use crate::spool::Spool;
use crate::store::{DatabaseStatus, Store};
use crate::timestamp::Timestamp;
use crate::write::WriteQueue;

/// Where the numbers are.
pub struct Gauges {
    /// Database status.
    pub store: Store,
    /// Batches waiting.
    pub queue: Arc<WriteQueue>,
    /// Connections.
    pub connections: Arc<ConnectionGauges>,
    /// Room taken by request bodies.
    pub bodies: Budget,
    /// Room taken by queued batches.
    pub queued: Budget,
    /// Clients known to the limits.
    pub limiter: Arc<Limiter>,
    /// What waits for the database.
    pub spool: Option<Spool>,
    /// Events the database refused.
    pub quarantine: Quarantine,
    /// What maintenance came to.
    pub maintenance: Progress,
    /// Live tails.
    pub tails: Places,
    /// Exports under way.
    pub exports: Places,
    /// For the age of the oldest in the spool.
    pub clock: Clock,
}

impl std::fmt::Debug for Gauges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[gauges]")
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Name, meaning, value.
type Gauge = (&'static str, &'static str, i64);

fn spool_gauges(spool: &Spool, now: Timestamp) -> [Gauge; 6] {
    let depth = spool.depth();
    let oldest = spool.oldest_age(now).map_or(0, |age| age.as_secs());
    let oldest = i64::try_from(oldest).unwrap_or(i64::MAX);
    [
        ("tekno_spool_open", "1 when the spool can be used", i64::from(spool.is_open())),
        ("tekno_spool_blocks", "Blocks waiting in the spool", depth.blocks),
        ("tekno_spool_events", "Events waiting in the spool", depth.events),
        ("tekno_spool_bytes", "Bytes of the blocks waiting in the spool", depth.bytes),
        ("tekno_spool_held_groups", "Groups in the spool that the database refused", depth.held),
        ("tekno_spool_oldest_age_seconds", "Age of the oldest batch in the spool", oldest),
    ]
}

fn quarantine_gauges(quarantine: &Quarantine) -> [Gauge; 3] {
    let (events, bytes) = quarantine.size();
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let failing = i64::from(quarantine.trouble().is_some());
    [
        ("tekno_quarantine_events", "Events the database refused, in quarantine", number(events)),
        ("tekno_quarantine_bytes", "Bytes they take", number(bytes)),
        ("tekno_quarantine_failing", "1 while refused batches can't be quarantined", failing),
    ]
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let connected = self.store.status() == DatabaseStatus::Connected;
        let cached = number(self.store.cached_body_bytes());
        let mut gauges: Vec<Gauge> = vec![
            ("tekno_database_connected", "1 when the database can be used", i64::from(connected)),
            ("tekno_queue_batches", "Batches waiting for a commit", number(self.queue.depth())),
            ("tekno_queue_bytes", "Bytes of batches waiting for a commit", number(self.queued.used())),
            ("tekno_queue_bytes_peak", "Most of that since the start", number(self.queued.peak())),
            ("tekno_body_bytes", "Bytes of request bodies in memory", number(self.bodies.used())),
            ("tekno_body_bytes_peak", "Most of that since the start", number(self.bodies.peak())),
            ("tekno_connections_open", "Client connections", number(self.connections.open())),
            ("tekno_tails_open", "Live tails", number(self.tails.taken())),
            ("tekno_exports_open", "Exports under way", number(self.exports.taken())),
            ("tekno_search_cache_bytes", "Bytes of bodies kept for the next search", cached),
            ("tekno_limiter_clients", "Client addresses in memory", number(self.limiter.client_keys())),
        ];
        gauges.extend(quarantine_gauges(&self.quarantine));
        gauges.extend(self.spool.iter().flat_map(|spool| spool_gauges(spool, self.clock.now())));
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        let compacted = self.maintenance.totals();
        let counters: [(&str, &str, u64); 7] = [
            ("tekno_compaction_merged_blocks", "Blocks merged into larger ones", compacted.merged_blocks),
            (
                "tekno_compaction_recompressed_blocks",
                "Blocks compressed harder",
                compacted.recompressed_blocks,
            ),
            ("tekno_compaction_saved_bytes", "Bytes of blocks saved by both", compacted.bytes_saved),
            ("tekno_connections_accepted", "Connections accepted", self.connections.accepted()),
            ("tekno_connections_refused", "Connections over one address's share", self.connections.refused()),
            ("tekno_connections_cut", "Connections cut for dawdling", self.connections.cut()),
            ("tekno_accept_errors", "Failures to accept", self.connections.accept_errors()),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        Ok(())
    }
}
