//! What rules count themselves: in which window, from when on, and what is usual where they have not counted for long.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::look::{Look, levels_of, usual_in, usual_seconds};
use super::{Found, RuleKind, Setting};
use crate::store::{
    Connection, RuleCount, RuleCountKey, RuleSums, StoreError, WantedPast, WantedRuleCount, bucket,
};
use crate::timestamp::Timestamp;

/// Whether a rule was made or changed within the time that says what is usual in a window with this end.
pub(super) fn is_young(rule: &Setting, end: i64) -> bool {
    let from = end - usual_seconds(i64::from(rule.window_sec));
    rule.is_younger_than(Timestamp::from_millis(from * 1_000))
}

/// Whether a rule that counts events itself asks what is usual.
pub(super) fn compares(rule: &Setting) -> bool {
    rule.kind == RuleKind::Spike || (rule.kind == RuleKind::ErrorRate && rule.share.is_none())
}

impl Look<'_> {
    /// Minutes awake in which a rule counted events itself, of those that say what is usual in a window with this end.
    pub(super) fn minutes_counted(&self, rule: &Setting, end: i64) -> i64 {
        let window = i64::from(rule.window_sec);
        let from = rule.counts_from().max(end - usual_seconds(window));
        self.rules.watch.covered_minutes(from, end - window)
    }

    /// Adds what rules counted of a fold themselves, and finds what that comes to.
    pub async fn by_own_counts(
        &self,
        connection: &mut Connection,
        counts: &BTreeMap<RuleCountKey, RuleCount>,
    ) -> Result<Vec<Found>, StoreError> {
        if counts.is_empty() {
            return Ok(Vec::new());
        }
        connection.add_rule_counts(counts).await?;
        let mut touched: Vec<(i64, i64)> = counts
            .iter()
            .filter(|(_, count)| count.matched > 0)
            .map(|(key, _)| (key.project_id, key.rule_id))
            .collect();
        touched.dedup();
        let now = bucket(self.now);
        let window = |(project_id, rule_id)| {
            let rule = self.set.counting_by_id(project_id, rule_id)?;
            let window = rule.counts_from().max(now - i64::from(rule.window_sec));
            Some((rule, WantedRuleCount { project_id, rule_id, window, usual: window, until: i64::MAX }))
        };
        let asked: Vec<(Arc<Setting>, WantedRuleCount)> = touched.into_iter().filter_map(window).collect();
        let windows: Vec<WantedRuleCount> = asked.iter().map(|(_, wanted)| *wanted).collect();
        let sums = connection.rule_counts(&windows).await?;
        // What is usual is asked only of what fills its window.
        let full = asked.into_iter().zip(sums);
        let full = full.filter(|((rule, _), sums)| sums.inside.matched >= i64::from(rule.n));
        let (rules, wanted): (Vec<_>, Vec<_>) = full
            .map(|((rule, wanted), _)| {
                let usual = now - usual_seconds(i64::from(rule.window_sec));
                let usual = rule.counts_from().max(usual);
                (rule, WantedRuleCount { usual, ..wanted })
            })
            .unzip();
        let sums = connection.rule_counts(&wanted).await?;
        let asked: Vec<(Arc<Setting>, i64)> =
            rules.into_iter().zip(wanted.iter().map(|wanted| wanted.project_id)).collect();
        let usual = self.usual_of_young(connection, &asked).await?;
        let judged = asked.iter().zip(sums).zip(usual);
        Ok(judged
            .filter_map(|(((rule, project_id), sums), usual)| self.own_count(rule, *project_id, sums, usual))
            .collect())
    }

    /// What is usual by all errors of a project, for an error rate that counts events itself and does so for less than the
    /// time that says what is usual: of the time before nothing else is known. 0 for any other rule.
    async fn usual_of_young(
        &self,
        connection: &mut Connection,
        asked: &[(Arc<Setting>, i64)],
    ) -> Result<Vec<f64>, StoreError> {
        let now = bucket(self.now);
        let is_asked = |rule: &Setting| compares(rule) && is_young(rule, now);
        let wanted = asked.iter().filter(|(rule, _)| is_asked(rule)).map(|(rule, project_id)| {
            let seconds = i64::from(rule.window_sec);
            let (window, usual) = (now - seconds, now - usual_seconds(seconds));
            let series = levels_of(rule).collect();
            WantedPast { project_id: *project_id, series, window, usual, until: i64::MAX }
        });
        let mut sums = connection.past_sums(&wanted.collect::<Vec<_>>()).await?.into_iter();
        let usual = asked.iter().map(|(rule, _)| {
            let Some(sum) = is_asked(rule).then(|| sums.next()).flatten() else { return 0.0 };
            self.against_usual(sum.inside, sum.longer, i64::from(rule.window_sec)).1
        });
        Ok(usual.collect())
    }

    /// What a rule counted itself in the window that ends now, and in the time that says what is usual.
    pub(super) fn own_window(&self, project_id: i64, rule_id: i64, window: i64) -> WantedRuleCount {
        let (now, usual) = (bucket(self.now), usual_seconds(window));
        WantedRuleCount { project_id, rule_id, window: now - window, usual: now - usual, until: i64::MAX }
    }

    fn own_count(
        &self,
        rule: &Arc<Setting>,
        project_id: i64,
        sums: RuleSums,
        usual_of_all: f64,
    ) -> Option<Found> {
        let RuleSums { inside, matched } = sums;
        let minutes = self.minutes_counted(rule, bucket(self.now));
        let usual = usual_in(i64::from(rule.window_sec), matched - inside.matched, minutes);
        let counted = (u64::try_from(inside.matched).unwrap_or(0), usual.max(usual_of_all));
        self.own_count_of(rule, project_id, counted, inside.seen)
    }

    /// What a rule that counts events itself makes of their number, of which `all` is the share's whole.
    pub(super) fn own_count_of(
        &self,
        rule: &Arc<Setting>,
        project_id: i64,
        (count, usual): (u64, f64),
        all: i64,
    ) -> Option<Found> {
        if rule.kind == RuleKind::ErrorRate {
            return self.too_many(rule, project_id, (count, usual), all);
        }
        let is_full = count >= u64::from(rule.n);
        is_full.then(|| self.of_project(rule, project_id, &rule.name, (count, usual)))
    }
}
