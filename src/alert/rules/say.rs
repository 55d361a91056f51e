//! From what was found to the outbox: a rule says the same once in its cooldown; what it finds in between is counted, and
//! the next message tells how much that was.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{RuleKind, Rules, Setting};
use crate::alert::{AlertKind, AlertMessage, Enqueued, NewAlert, enqueue};
use crate::store::{Connection, Cooldown, CooldownKey, FoldNews, StoreError, TouchedIssue};
use crate::timestamp::Timestamp;

/// Alerts one fold makes at most; what it leaves out is found by the next one, while it goes on.
const MAX_ALERTS: usize = 20;
/// Cooldowns remembered, so that what was said isn't put to the database each second.
const MAX_SAID: usize = 1_000;

/// Something worth saying.
pub(super) struct Found {
    rule: Arc<Setting>,
    group: String,
    message: AlertMessage,
    /// How many things that happen once it stands for; 0 for a state that lasts and is found again each second.
    each: u64,
    /// Its slot in the outbox where that is not one of time.
    slot: Option<i64>,
    /// A group of the same rule about which there is nothing more to say once this is said.
    silences: Option<String>,
}

impl Found {
    /// A state that lasts.
    pub fn new(rule: &Arc<Setting>, group: String, message: AlertMessage) -> Self {
        Self { rule: rule.clone(), group, message, each: 0, slot: None, silences: None }
    }

    /// So many things that happened, of which the message names one.
    pub fn for_each_of(self, each: u64) -> Self {
        Self { each, ..self }
    }

    /// Said once in this slot.
    pub fn in_slot(self, slot: i64) -> Self {
        Self { slot: Some(slot), ..self }
    }

    /// Counted long after it was received.
    pub fn received_until(mut self, until: Timestamp) -> Self {
        self.message.received_until = Some(until);
        self
    }

    /// Says something about another group too, which holds that back.
    pub fn silencing(self, group: String) -> Self {
        Self { silences: Some(group), ..self }
    }

    /// Shows, where it is about all errors of a project, those of the issue with most of them just now.
    pub fn illustrate(&mut self, news: &FoldNews) {
        if self.rule.kind != RuleKind::ErrorRate {
            return;
        }
        let looks_at = |issue: &&TouchedIssue| {
            let all = u32::try_from(issue.count).unwrap_or(u32::MAX);
            issue.id.project_id == self.message.project_id
                && self.rule.issues.admits(issue.id.fingerprint)
                && self.rule.environments.admitted(&issue.seed.environments, all) > 0
        };
        if let Some(issue) = news.issues.iter().filter(looks_at).max_by_key(|issue| issue.count) {
            let seed = &issue.seed;
            self.message.sample = Some(seed.message.clone()).filter(|sample| !sample.is_empty());
            self.message.environments = seed.environments.iter().map(|(name, _)| name.clone()).collect();
            self.message.sources = vec![seed.source.clone()];
            self.message.last_seen = Some(seed.last_seen);
        }
    }

    fn key(&self) -> CooldownKey {
        let (project_id, rule) = (self.message.project_id, self.rule.key());
        CooldownKey { project_id, rule, group: self.group.clone() }
    }

    /// Whether it is one more to count as held back, and how many: a state that lasts counts once a window, as if each
    /// window had said it.
    fn held_back(&self, before: &Cooldown, now: Timestamp) -> u64 {
        let window = i64::from(self.rule.window_sec) * 1_000;
        if self.each > 0 { self.each } else { u64::from(before.found_at.plus_millis(window) <= now) }
    }
}

/// What is known to be quiet, without asking the database.
#[derive(Clone, Copy)]
struct Quiet {
    /// It says nothing before this …
    until: Timestamp,
    /// … and counts nothing before this.
    counts_from: Timestamp,
}

/// What this instance has said lately.
#[derive(Default)]
pub(super) struct Said {
    committed: BTreeMap<CooldownKey, Quiet>,
    /// By the fold that is under way.
    pending: Vec<(CooldownKey, Quiet)>,
    outcomes: Vec<(RuleKind, &'static str, u64)>,
}

impl Said {
    /// Looks everything up again.
    pub fn forget(&mut self) {
        self.committed.clear();
    }

    fn is_quiet(&self, found: &Found, key: &CooldownKey, now: Timestamp) -> bool {
        let quiet = self.committed.get(key);
        found.each == 0 && quiet.is_some_and(|quiet| now < quiet.until && now < quiet.counts_from)
    }
}

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
        let alerts = "Alerts by kind of rule: said, resolved, suppressed, left_out, lost (outbox full)";
        registry.register("tekno_alerts", alerts, self.alerts.clone());
        let blocks =
            "Blocks whose events rules count themselves: tested, or skipped for want of time or bytes";
        registry.register("tekno_alert_rule_blocks", blocks, self.blocks.clone());
    }

    fn count(&self, kind: RuleKind, outcome: &'static str, times: u64) {
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

impl Rules {
    /// A transaction begins: what one before it found and did not commit was rolled back.
    pub fn begin(&self) {
        self.watch.begin();
        let mut said = self.said();
        said.pending.clear();
        said.outcomes.clear();
    }

    /// Says what is over, within the caller's transaction, before anything is looked for.
    pub(super) async fn settle(&self, connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
        self.begin();
        Box::pin(self.watch.settle(connection, now)).await.map(drop)
    }

    /// Puts what was found into the outbox, or counts it, within the caller's transaction. What is open stays so while it
    /// is found, said again or not.
    pub(super) async fn say(
        &self,
        connection: &mut Connection,
        found: Vec<Found>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // What was true a while ago prolongs nothing.
        let keys: Vec<(AlertKind, CooldownKey)> = found
            .iter()
            .filter(|found| found.message.received_until.is_none())
            .map(|found| (found.message.kind, found.key()))
            .collect();
        let are_true = keys.iter().map(|(kind, key)| (*kind, key.rule.as_str(), key.group.as_str()));
        self.watch.note_true(connection, are_true, now).await?;
        let mut looked_at = 0;
        for found in found {
            let key = found.key();
            if self.said().is_quiet(&found, &key, now) {
                continue;
            }
            looked_at += 1;
            if looked_at > MAX_ALERTS {
                self.said().outcomes.push((found.rule.kind, "left_out", 1));
                continue;
            }
            self.say_one(connection, found, key, now).await?;
        }
        Ok(())
    }

    async fn say_one(
        &self,
        connection: &mut Connection,
        found: Found,
        key: CooldownKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let before = connection.hold_cooldown(&key).await?;
        let (kind, cooldown) = (found.rule.kind, found.rule.cooldown_ms());
        let held_back = found.held_back(&before, now);
        let (mut after, outcome, times) = if found.rule.is_held_back(&before, now) {
            (before, "suppressed", held_back)
        } else {
            let each = found.each.saturating_sub(1);
            let mut message = found.message;
            message.suppressed = before.suppressed + each;
            let alert = NewAlert {
                rule: key.rule.clone(),
                group: key.group.clone(),
                cooldown_slot: found.slot.unwrap_or_else(|| now.as_millis().div_euclid(cooldown.max(1))),
                message,
                channels: found.rule.channels.clone(),
            };
            let said = Cooldown { said_at: now, found_at: now, suppressed: 0 };
            match enqueue(connection, &self.channels, &alert, now).await? {
                Enqueued::Added(_) => (said, "said", 1),
                // As after the loss of a cooldown: somebody has said it.
                Enqueued::Known => (said, "suppressed", 0),
                Enqueued::Full => (before, "lost", held_back),
            }
        };
        if after == before {
            after.suppressed += held_back;
            if held_back > 0 {
                after.found_at = now;
            }
        }
        if after != before {
            connection.note_cooldown(&key, &after).await?;
        }
        if let Some(group) = found.silences.filter(|_| outcome == "said") {
            self.watch.take_over(connection, &key.rule, &group).await?;
            let other = CooldownKey { group, ..key.clone() };
            let before = connection.hold_cooldown(&other).await?;
            connection.note_cooldown(&other, &Cooldown { said_at: now, found_at: now, ..before }).await?;
        }
        let window = i64::from(found.rule.window_sec) * 1_000;
        let until = after.said_at.plus_millis(cooldown);
        let counts_from = after.found_at.plus_millis(window);
        let mut said = self.said();
        said.pending.push((key, Quiet { until, counts_from }));
        if times > 0 {
            said.outcomes.push((kind, outcome, times));
        }
        Ok(())
    }

    /// Counts what the watch said; gives whether that was anything to be sent.
    pub(super) fn count_told(&self) -> bool {
        let mut any = false;
        for ((kind, outcome), times) in self.watch.take_told() {
            any |= matches!(outcome, "said" | "resolved");
            self.outbox.rules().count(kind, outcome, times);
        }
        any
    }

    /// The transaction is committed: what it found is sent now.
    pub fn committed(&self) {
        self.watch.committed();
        let ended = self.count_told();
        let mut said = self.said();
        if said.committed.len() >= MAX_SAID {
            said.committed.clear();
        }
        let (pending, outcomes) = (std::mem::take(&mut said.pending), std::mem::take(&mut said.outcomes));
        said.committed.extend(pending);
        drop(said);
        for (kind, outcome, times) in &outcomes {
            self.outbox.rules().count(*kind, outcome, *times);
        }
        if ended || outcomes.iter().any(|(_, outcome, _)| *outcome == "said") {
            self.outbox.ring();
        }
    }
}
