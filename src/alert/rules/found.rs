//! What a look found, before it is known whether it is said.

use std::sync::Arc;

use super::Setting;
use crate::alert::{AlertKind, AlertMessage};
use crate::event::Level;
use crate::store::{Cooldown, CooldownKey};
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
        self.each > 0 || self.message.kind == AlertKind::OverflowStarted
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
