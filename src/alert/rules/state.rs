//! How rules stand: what is open by each, when it said something last, how much it has held back.

use std::collections::BTreeMap;

use super::{RuleKind, RuleSet};
use crate::alert::AlertMessage;
use crate::store::{Connection, StoreError};
use crate::timestamp::Timestamp;

/// How one rule stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleState {
    /// Things it said that are not over.
    pub open: u64,
    /// When it said something last, as far as that is kept.
    pub last_said_at: Option<Timestamp>,
    /// What it found and held back since it said the same.
    pub suppressed: u64,
}

impl RuleSet {
    /// How these rules stand, by [`super::Setting::key`], for a project or for all.
    ///
    /// # Errors
    /// What the database said.
    pub async fn states(
        &self,
        connection: &mut Connection,
        project_id: Option<i64>,
    ) -> Result<BTreeMap<String, RuleState>, StoreError> {
        let mut states: BTreeMap<String, RuleState> = BTreeMap::new();
        for (rule, said_at, suppressed) in connection.rules_said(project_id).await? {
            let last_said_at = Some(said_at).filter(|at| at.as_millis() > 0);
            states.insert(rule, RuleState { open: 0, last_said_at, suppressed });
        }
        for (project_id, kind, message) in connection.list_open_alerts(project_id).await? {
            if let Some(rule) = self.key_of(project_id, &kind, &message) {
                states.entry(rule).or_default().open += 1;
            }
        }
        Ok(states)
    }

    /// The rule that what is open belongs to now: the one of its kind, and of a query's name.
    fn key_of(&self, project_id: i64, kind: &str, message: &str) -> Option<String> {
        let kind = RuleKind::ALL.into_iter().find(|rule| rule.alert().name() == kind)?;
        if kind != RuleKind::Query {
            return Some(self.of(project_id, kind).key());
        }
        let message = serde_json::from_str::<AlertMessage>(message).ok()?;
        self.queries(project_id).find(|rule| rule.name == message.rule).map(|rule| rule.key())
    }
}
