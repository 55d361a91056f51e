//! Spikes of issues within some environments. The counts of issues don't know environments, so events of those a rule asks
//! for are counted apart, from what the fold's blocks say of each issue; only where a rule asks for some.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::RuleKind;
use super::look::Look;
use crate::issue::IssueId;
use crate::store::{Connection, FoldNews, FoldPiece, RuleCount, RuleCountKey, RuleSums, StoreError};

/// Issues and buckets that one fold counts apart at most, those with the most events first.
const MAX_NARROW: usize = 500;

/// What is counted of issues within their rule's environments.
pub(super) type Narrow = BTreeMap<IssueId, RuleSums>;

impl Look<'_> {
    /// Adds what blocks say of issues within environments, and sums it up.
    pub(super) async fn narrow_counts(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        blocks: &[&FoldPiece],
    ) -> Result<Narrow, StoreError> {
        let mut asked = BTreeMap::new();
        for issue in &news.issues {
            let rule = self.rule(issue.id.project_id, RuleKind::Spike);
            if rule.enabled
                && let Some(own) = rule.own_count_of(issue.id.fingerprint)
            {
                asked.insert(issue.id, (rule, own));
            }
        }
        if asked.is_empty() {
            return Ok(Narrow::new());
        }
        let mut counts: BTreeMap<RuleCountKey, RuleCount> = BTreeMap::new();
        for piece in blocks {
            let project_id = piece.block.project_id;
            for seed in &piece.issues {
                let id = IssueId { project_id, fingerprint: seed.fingerprint };
                let Some((rule, own)) = asked.get(&id) else { continue };
                let matched = i64::from(rule.environments.admitted(&seed.environments, seed.count));
                let key = RuleCountKey { project_id, rule_id: *own, bucket: seed.bucket };
                if matched > 0 {
                    *counts.entry(key).or_default() += RuleCount { matched, seen: 0 };
                }
            }
        }
        if counts.len() > MAX_NARROW {
            let mut all: Vec<(RuleCountKey, RuleCount)> = counts.into_iter().collect();
            all.sort_by_key(|(_, count)| Reverse(count.matched));
            tracing::warn!(
                left_out = all.len() - MAX_NARROW,
                "issues were not counted by environment: there were too many"
            );
            counts = all.into_iter().take(MAX_NARROW).collect();
        }
        connection.add_rule_counts(&counts).await?;
        let is_counted = |project_id: i64, own: i64| {
            let key = |bucket| RuleCountKey { project_id, rule_id: own, bucket };
            counts.range(key(i64::MIN)..=key(i64::MAX)).next().is_some()
        };
        asked.retain(|id, (_, own)| is_counted(id.project_id, *own));
        let wanted: Vec<_> = asked
            .iter()
            .map(|(id, (rule, own))| self.own_window(id.project_id, *own, i64::from(rule.window_sec)))
            .collect();
        let sums = connection.rule_counts(&wanted).await?;
        Ok(asked.into_keys().zip(sums).collect())
    }
}
