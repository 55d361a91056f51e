//! The counts that a look needs, and no others: windows first, and what is usual only of what fills one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::look::{CAP_BUCKETS_SECONDS, Look, admits, is_muted, levels_of, usual_seconds};
use super::said::Findings;
use super::turns::in_turn;
use super::usual::{Counted, GONE_SEC, Judged, Usual, Verdict};
use super::{RuleKind, Setting};
use crate::issue::IssueId;
use crate::store::{
    Connection, FoldNews, KnownIssue, LEVEL_SERIES, StoreError, TouchedIssue, WantedCounts, bucket,
};
use crate::timestamp::Timestamp;

/// Issues, and projects, of which one look reads what is usual; others have their turn in the next ones. Each is up to
/// 540 rows: an hour by ten seconds, three more by minutes where windows are long.
const MAX_USUAL_READ: usize = 100;

/// Issues that wait for their turn at most.
const MAX_UNREAD: usize = 1_000;

/// What is judged in the next look.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread {
    pub issues: Vec<TouchedIssue>,
    /// Projects by all of their errors.
    pub projects: BTreeSet<i64>,
}

impl Unread {
    pub fn is_empty(&self) -> bool {
        self.issues.is_empty() && self.projects.is_empty()
    }
}

/// Which sum of a project's counts is which.
pub(super) const CAP: usize = 0;
pub(super) const SPIKE: usize = 1;
pub(super) const SPIKE_USUAL: usize = 2;
pub(super) const ERRORS: usize = 3;
pub(super) const ERRORS_USUAL: usize = 4;
const SUMS: usize = 5;

/// Sums by project and series; 0 where no rule needs one.
#[derive(Default)]
pub(super) struct Recent(BTreeMap<(i64, i64), [i64; SUMS]>);

impl Recent {
    pub fn sum(&self, project_id: i64, series: impl Iterator<Item = i64>, which: usize) -> i64 {
        series.filter_map(|one| self.0.get(&(project_id, one))).map(|sums| sums[which]).sum()
    }

    fn set(&mut self, project_id: i64, series: i64, which: usize, sum: i64) {
        self.0.entry((project_id, series)).or_default()[which] = sum;
    }
}

/// An issue as it is once what came of it is counted: nothing of it is new any more.
fn seen(issue: &TouchedIssue) -> TouchedIssue {
    let none = Timestamp::from_millis(0);
    let before = issue.known.unwrap_or(KnownIssue {
        last_received: none,
        resolved_at: none,
        muted_until: none,
        mute_per_hour: 0,
        events: 0,
        first_seen: issue.seed.first_seen,
    });
    let (last_received, events) =
        (issue.seed.received.max(before.last_received), before.events + issue.count);
    let known = KnownIssue { last_received, events, resolved_at: none, ..before };
    TouchedIssue { count: 0, known: Some(known), ..issue.clone() }
}

/// Something whose window is full enough to ask what is usual.
struct Full {
    what: Counted,
    rule: Arc<Setting>,
    /// The series whose sum it is.
    series: Vec<i64>,
    judged: Judged,
}

impl Full {
    /// Where its sums stand.
    const fn sums(&self) -> (usize, usize) {
        if self.what.1.is_some() { (SPIKE, SPIKE_USUAL) } else { (ERRORS, ERRORS_USUAL) }
    }
}

impl Look<'_> {
    /// What a fold counted, and the issues whose turn it is since an earlier one, as they are by now: one that was deleted
    /// meanwhile is left out. With it the projects whose errors have their turn.
    pub(super) async fn with_unread(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
    ) -> Result<(FoldNews, BTreeSet<i64>), StoreError> {
        let mut news = news.clone();
        let touched: BTreeSet<IssueId> = news.issues.iter().map(|issue| issue.id).collect();
        let Unread { mut issues, projects } = self.rules.unread().clone();
        issues.retain(|issue| !touched.contains(&issue.id));
        let ids: BTreeSet<IssueId> = issues.iter().map(|issue| issue.id).collect();
        let known = connection.standing_issues(&ids).await?;
        news.issues.extend(issues.into_iter().filter_map(|issue| {
            let resolved_at = Timestamp::from_millis(0);
            let known = Some(KnownIssue { resolved_at, ..*known.get(&issue.id)? });
            Some(TouchedIssue { known, ..issue })
        }));
        Ok((news, projects))
    }

    /// Reads the sums that the rules need of these projects and of the issues that were touched.
    pub(super) async fn recent(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        projects: &BTreeSet<i64>,
        findings: &mut Findings,
    ) -> Result<Recent, StoreError> {
        let mut recent = self.windows(connection, news, projects).await?;
        let mut unknown = Vec::new();
        for full in self.full(&recent, news, projects) {
            let (_, usual) = full.sums();
            let verdict = self.rules.usuals().judge(full.what, bucket(self.now), full.judged);
            // What is counted for some environments alone is not judged by all of them.
            let verdict = if full.rule.environments.is_all() { verdict } else { Verdict::Unknown };
            match verdict {
                Verdict::Unknown => unknown.push(full),
                Verdict::Usual(before) | Verdict::Unusual(before) => {
                    recent.set(full.what.0, full.series[0], usual, full.judged.count + before);
                }
            }
        }
        unknown.sort_by_key(|full| (full.what.1.is_some(), std::cmp::Reverse(full.judged.count)));
        let mut unknown = in_turn(unknown, |full| full.what.0);
        let later = unknown.split_off(unknown.len().min(MAX_USUAL_READ));
        for Full { what, series, .. } in &later {
            let which = if what.1.is_some() { SPIKE } else { ERRORS };
            for series in series {
                recent.set(what.0, *series, which, 0);
            }
        }
        let later: BTreeSet<Counted> = later.iter().map(|full| full.what).collect();
        let is_later = |issue: &&TouchedIssue| {
            later.contains(&(issue.id.project_id, Some(issue.id.fingerprint.0.cast_signed())))
        };
        // In turns: none is left out because its project has a high number.
        let issues: Vec<TouchedIssue> = news.issues.iter().filter(is_later).map(seen).collect();
        let mut issues = in_turn(issues, |issue| issue.id.project_id);
        let left_out = issues.split_off(issues.len().min(MAX_UNREAD));
        findings.count(RuleKind::Spike, "left_out", left_out.len() as u64);
        let projects = later.iter().filter(|(_, series)| series.is_none()).map(|(project_id, _)| *project_id);
        findings.unread = Unread { issues, projects: projects.collect() };
        self.read_usual(connection, &unknown, &mut recent, findings).await?;
        Ok(recent)
    }

    /// Sums of the windows: of levels, and of issues that can have enough events in one.
    async fn windows(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        projects: &BTreeSet<i64>,
    ) -> Result<Recent, StoreError> {
        let now = bucket(self.now);
        let levels = projects.iter().map(|project_id| {
            let errors = i64::from(self.rule(*project_id, RuleKind::ErrorRate).window_sec);
            let since = [now - CAP_BUCKETS_SECONDS, now - errors];
            WantedCounts { project_id: *project_id, series: (0..LEVEL_SERIES).collect(), since, at_least: 0 }
        });
        let levels: Vec<WantedCounts> = levels.collect();
        let mut recent = Recent::default();
        for ((project_id, series), sums) in connection.recent_counts(&levels).await? {
            recent.set(project_id, series, CAP, sums[0]);
            recent.set(project_id, series, ERRORS, sums[1]);
        }
        let mut issues: BTreeMap<i64, WantedCounts> = BTreeMap::new();
        for issue in &news.issues {
            let project_id = issue.id.project_id;
            let rule = self.rule(project_id, RuleKind::Spike);
            let since = now - i64::from(rule.window_sec);
            if self.may_be_spike(&rule, issue, since) {
                let at_least = i64::from(rule.n);
                let none = || WantedCounts { project_id, series: Vec::new(), since: [since; 2], at_least };
                let wanted = issues.entry(project_id).or_insert_with(none);
                wanted.series.push(issue.id.fingerprint.0.cast_signed());
            }
        }
        let issues: Vec<WantedCounts> = issues.into_values().collect();
        for ((project_id, series), sums) in connection.recent_counts(&issues).await? {
            recent.set(project_id, series, SPIKE, sums[0]);
        }
        Ok(recent)
    }

    /// Whether an issue can have enough events since the start of a window, by what is known of it anyway.
    fn may_be_spike(&self, rule: &Setting, issue: &TouchedIssue, since: i64) -> bool {
        let before = issue.known.filter(|known| bucket(known.last_received) >= since);
        let most = issue.count + before.map_or(0, |known| known.events);
        most >= i64::from(rule.n) && admits(rule, issue) && !is_muted(issue, self.now)
    }

    /// What has enough events in its window to be one too many.
    fn full(&self, recent: &Recent, news: &FoldNews, projects: &BTreeSet<i64>) -> Vec<Full> {
        let judged = |rule: &Setting, count, total| {
            let window = i64::from(rule.window_sec);
            let minutes = self.minutes_awake(bucket(self.now), window);
            Judged { count, total, window, minutes, least: rule.n }
        };
        let mut all = Vec::new();
        for project_id in projects {
            let rule = self.rule(*project_id, RuleKind::ErrorRate);
            let series: Vec<i64> = levels_of(&rule).collect();
            let count = recent.sum(*project_id, series.iter().copied(), ERRORS);
            let asks = rule.enabled && !rule.counts_events() && rule.share.is_none();
            if asks && !series.is_empty() && count >= i64::from(rule.n) {
                let judged = judged(&rule, count, None);
                all.push(Full { what: (*project_id, None), rule, series, judged });
            }
        }
        for issue in &news.issues {
            let (project_id, series) = (issue.id.project_id, issue.id.fingerprint.0.cast_signed());
            let count = recent.sum(project_id, std::iter::once(series), SPIKE);
            if count > 0 {
                let rule = self.rule(project_id, RuleKind::Spike);
                let total = issue.known.map_or(0, |known| known.events) + issue.count;
                let judged = judged(&rule, count, Some(total));
                all.push(Full { what: (project_id, Some(series)), rule, series: vec![series], judged });
            }
        }
        all
    }

    async fn read_usual(
        &self,
        connection: &mut Connection,
        full: &[Full],
        recent: &mut Recent,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let now = bucket(self.now);
        let wanted = |full: &Full| {
            let since = now - usual_seconds(full.judged.window);
            let (project_id, series) = (full.what.0, full.series.clone());
            WantedCounts { project_id, series, since: [since, since + GONE_SEC], at_least: 0 }
        };
        let wanted: Vec<WantedCounts> = full.iter().map(wanted).collect();
        let sums = connection.recent_counts(&wanted).await?;
        for Full { what, series, judged, rule } in full {
            let sums = series.iter().filter_map(|series| sums.get(&(what.0, *series)));
            let (longer, lasting) = sums.fold((0, 0), |sum, of| (sum.0 + of[0], sum.1 + of[1]));
            let which = if what.1.is_some() { SPIKE_USUAL } else { ERRORS_USUAL };
            recent.set(what.0, series[0], which, longer);
            if rule.environments.is_all() {
                findings.usual.push(Usual {
                    what: *what,
                    read_at: now,
                    inside: judged.count,
                    before: longer - judged.count,
                    lasting: lasting - judged.count,
                    total: judged.total,
                });
            }
        }
        Ok(())
    }
}
