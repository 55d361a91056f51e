//! What a look found, before it is known whether it is said.

use std::sync::Arc;

use super::{RuleId, RuleKind, Setting, Tested};
use crate::alert::{AlertKind, AlertMessage};
use crate::event::Level;
use crate::store::{Cooldown, CooldownKey, FoldNews, TouchedIssue};
use crate::timestamp::Timestamp;

/// Something worth saying.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub rule: Arc<Setting>,
    pub group: String,
    pub message: AlertMessage,
    /// How many things that happen once it stands for; 0 for a state that lasts and is found again each second.
    pub each: u64,
    /// Its slot in the outbox where that is not one of time.
    pub slot: Option<i64>,
    /// A group of the same rule about which there is nothing more to say once this is said.
    pub silences: Option<String>,
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

    /// Says something about another group too, which holds that back.
    pub fn silencing(self, group: String) -> Self {
        Self { silences: Some(group), ..self }
    }

    /// Counted long after it was received.
    pub fn received_until(mut self, until: Timestamp) -> Self {
        self.message.received_until = Some(until);
        self
    }

    /// Shows an event where it is about more than one issue: of a query one that matched, of all errors of a project one
    /// of the issue with most of them just now.
    pub fn illustrate(&mut self, news: &FoldNews, tested: &Tested) {
        if let (RuleKind::Query, RuleId::Stored(id)) = (self.rule.kind, self.rule.id) {
            self.message.sample = tested.sample(self.message.project_id, id).map(str::to_owned);
        }
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

    /// What its rule says it about.
    pub fn key(&self) -> CooldownKey {
        self.key_of(self.group.clone())
    }

    /// The same rule's key for another group of the project.
    pub fn key_of(&self, group: String) -> CooldownKey {
        CooldownKey { project_id: self.message.project_id, rule: self.rule.key(), group }
    }

    /// Whether its rule finds many such things at once in a project, one for each issue.
    pub fn is_one_of_many(&self) -> bool {
        matches!(self.message.kind, AlertKind::Spike | AlertKind::Regression)
    }

    /// Whether it is not found again: what isn't said of it now has to be counted.
    pub fn happened_once(&self) -> bool {
        self.each > 0
            || self.message.kind == AlertKind::OverflowStarted
            || self.message.received_until.is_some()
    }

    /// What is worse is said first.
    pub fn weight(&self) -> (Option<Level>, Option<u64>) {
        (self.message.level, self.message.count)
    }

    /// Whether it is one more to count as held back, and how many: a state that lasts counts once a window, as if each
    /// window had said it.
    pub fn held_back(&self, before: &Cooldown, now: Timestamp) -> u64 {
        if self.each > 0 { self.each } else { u64::from(self.counts_from(before) <= now) }
    }

    /// When a state that lasts is counted as held back again.
    pub fn counts_from(&self, known: &Cooldown) -> Timestamp {
        known.found_at.plus_millis(i64::from(self.rule.window_sec) * 1_000)
    }
}
