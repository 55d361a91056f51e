//! What rules came to, for the metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::RuleKind;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    rule: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Blocks {
    outcome: &'static str,
}

/// What rules came to, since the start of this instance.
#[derive(Clone, Debug, Default)]
pub struct RuleCounters {
    alerts: Family<Outcome, Counter>,
    blocks: Family<Blocks, Counter>,
}

impl RuleCounters {
    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        let alerts = "Alerts found, by kind of rule: said, resolved, summed_up (in one that is said), suppressed, lost (outbox full), \
                      left_out";
        registry.register("tekno_alerts", alerts, self.alerts.clone());
        let blocks =
            "Blocks whose events rules count themselves: tested, or skipped for want of time or bytes";
        registry.register("tekno_alert_rule_blocks", blocks, self.blocks.clone());
    }

    pub(super) fn count(&self, kind: RuleKind, outcome: &'static str, times: u64) {
        self.alerts.get_or_create(&Outcome { rule: kind.name(), outcome }).inc_by(times);
    }

    pub(super) fn count_blocks(&self, tested: usize, skipped: usize) {
        for (outcome, blocks) in [("tested", tested), ("skipped", skipped)] {
            if blocks > 0 {
                self.blocks.get_or_create(&Blocks { outcome }).inc_by(blocks as u64);
            }
        }
    }
}
