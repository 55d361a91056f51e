//! Spikes of issues within some environments. The counts of issues don't know environments, so events of those a rule asks
//! for are counted apart, from what the fold's blocks say of each issue; only where a rule asks for some.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::RuleKind;
use super::look::Look;
use super::turns::in_turn;
use crate::issue::IssueId;
use crate::store::{
    Connection, FoldNews, FoldPiece, RuleCount, RuleCountKey, RuleSums, StoreError, TouchedIssue,
};

/// Issues and buckets that one fold counts apart at most, those with the most events first, in turn among projects.
const MAX_NARROW: usize = 500;
/// The same of issues that never had as many events as a spike has. Where one of these is left out it has fewer counted
/// than it had, by less than that number.
const MAX_NARROW_SMALL: usize = 100;

type Counts = BTreeMap<RuleCountKey, RuleCount>;

/// What is counted of issues within their rule's environments.
pub(super) type Narrow = BTreeMap<IssueId, RuleSums>;

/// What one fold counts of these, and how many are left out; `large` are issues, by project and own number, that had
/// enough events for a spike.
fn most(counts: Counts, large: &BTreeSet<(i64, i64)>) -> (Counts, usize) {
    let before = counts.len();
    let mut counts: Vec<(RuleCountKey, RuleCount)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(count.matched));
    let (large, small): (Vec<_>, Vec<_>) =
        counts.into_iter().partition(|(key, _)| large.contains(&(key.project_id, key.rule_id)));
    let [large, small] = [large, small].map(|counts| in_turn(counts, |(key, _)| key.project_id));
    let taken = large.into_iter().chain(small.into_iter().take(MAX_NARROW_SMALL)).take(MAX_NARROW);
    let taken: Counts = taken.collect();
    let left_out = before - taken.len();
    (taken, left_out)
}

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
        let mut counts = Counts::new();
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
        let ever = |issue: &TouchedIssue| issue.count + issue.known.map_or(0, |known| known.events);
        let large: BTreeSet<(i64, i64)> = news
            .issues
            .iter()
            .filter_map(|issue| asked.get(&issue.id).map(|(rule, own)| (issue, rule, own)))
            .filter(|(issue, rule, _)| ever(issue) >= i64::from(rule.n))
            .map(|(issue, _, own)| (issue.id.project_id, *own))
            .collect();
        let (counts, left_out) = most(counts, &large);
        if left_out > 0 && self.rules.warned.narrow.is_due() {
            tracing::warn!(left_out, "issues were not counted by environment: there were too many");
        }
        connection.add_rule_counts(&counts).await?;
        let is_counted = |project_id: i64, own: i64| {
            let key = |bucket| RuleCountKey { project_id, rule_id: own, bucket };
            counts.range(key(i64::MIN)..=key(i64::MAX)).next().is_some()
        };
        // What waits for its turn since an earlier fold need not have come again.
        let waiting: BTreeSet<IssueId> = self.rules.unread().iter().map(|issue| issue.id).collect();
        asked.retain(|id, (_, own)| waiting.contains(id) || is_counted(id.project_id, *own));
        let wanted: Vec<_> = asked
            .iter()
            .map(|(id, (rule, own))| self.own_window(id.project_id, *own, i64::from(rule.window_sec)))
            .collect();
        let sums = connection.rule_counts(&wanted).await?;
        Ok(asked.into_keys().zip(sums).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_that_can_be_spikes_come_first_and_projects_take_turns() {
        let row = |project_id, rule_id, matched| {
            let key = RuleCountKey { project_id, rule_id, bucket: 0 };
            (key, RuleCount { matched, seen: 0 })
        };
        let small = (0..300).map(|own| row(1, -1_000 - own, 3)).chain([row(2, -1, 1)]);
        let all: Counts =
            small.chain((0..600).map(|own| row(3, -1 - own, 9))).chain([row(4, -1, 6)]).collect();
        let large: BTreeSet<(i64, i64)> = (0..600).map(|own| (3, -1 - own)).chain([(4, -1)]).collect();
        let only_small: Counts =
            all.iter().filter(|(key, _)| key.project_id < 3).map(|(k, c)| (*k, *c)).collect();

        let (taken, left_out) = most(all, &large);
        assert_eq!((taken.len(), left_out), (500, 402));
        assert!(taken.keys().any(|key| key.project_id == 4), "it has its turn");
        assert!(taken.keys().all(|key| key.project_id > 2));

        let (taken, left_out) = most(only_small, &large);
        assert_eq!((taken.len(), left_out), (100, 201));
        assert!(taken.keys().any(|key| key.project_id == 2), "it has its turn");
    }
}
