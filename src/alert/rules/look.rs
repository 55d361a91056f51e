//! What the counts say: the rules' conditions, each in a function of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::more::more_are_new;
use super::narrow::Narrow;
use super::own::is_young;
use super::recent::{CAP, ERRORS, ERRORS_USUAL, Recent, SPIKE, SPIKE_USUAL};
use super::said::Findings;
use super::{Found, RuleKind, RuleSet, Rules, Setting};
use crate::alert::AlertMessage;
use crate::alert::spike::is_spike;
use crate::alert::watch::FirstEvents;
use crate::event::Level;
use crate::search::event_filter::LevelSet;
use crate::store::{Connection, FoldNews, FoldPiece, LEVEL_SERIES, StoreError, TouchedIssue, bucket};
use crate::timestamp::Timestamp;

/// What is usual is the mean of the windows of the hour before …
const HOUR: i64 = 3_600;
/// … or of so many windows, where those are longer.
const LEAST_WINDOWS: i64 = 4;
/// A window is longer than it says by one bucket at most.
const BUCKET_SECONDS: f64 = 10.0;
/// A minute's events, for a cap, in whole buckets and never in more than a minute: a steady sender below the share is
/// not taken for one near the cap.
pub(super) const CAP_BUCKETS_SECONDS: i64 = 50;

/// One look at the counts, by rules that stay the same for it.
pub(super) struct Look<'a> {
    pub rules: &'a Rules,
    pub set: &'a RuleSet,
    pub now: Timestamp,
}

/// Seconds that say what is usual for a window.
pub(super) fn usual_seconds(window: i64) -> i64 {
    HOUR.max(window * LEAST_WINDOWS)
}

/// How many events are usual in a window, by those that came before it in so many minutes awake.
pub(super) fn usual_in(window: i64, before: i64, minutes_awake: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (before, minutes, seconds) = (before.max(0) as f64, minutes_awake.max(1) as f64, window as f64);
    let windows = (minutes * 60.0 / seconds).max(1.0);
    // What is looked at is the window and the bucket that goes on.
    before / windows * (seconds + BUCKET_SECONDS) / seconds
}

fn is_share(part: u64, all: u64, share: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (part, all) = (part as f64, all as f64);
    part >= share * all
}

fn errors() -> LevelSet {
    [Level::Error, Level::Fatal].into_iter().collect()
}

pub(super) fn levels_of(rule: &Setting) -> impl Iterator<Item = i64> {
    let levels = rule.levels.unwrap_or_else(errors);
    Level::ALL.into_iter().filter(move |level| levels.contains(*level)).map(|level| level as i64)
}

pub(super) fn is_muted(issue: &TouchedIssue, now: Timestamp) -> bool {
    issue.known.is_some_and(|known| crate::issue::is_muted(known.muted_until, known.mute_per_hour, now))
}

/// Whether a rule of issues looks at this one.
pub(super) fn admits(rule: &Setting, issue: &TouchedIssue) -> bool {
    let all = u32::try_from(issue.count).unwrap_or(u32::MAX);
    rule.enabled
        && rule.admits_level(issue.seed.level)
        && rule.issues.admits(issue.id.fingerprint)
        && (rule.environments.is_all() || rule.environments.admitted(&issue.seed.environments, all) > 0)
}

pub(super) fn counted(
    mut message: AlertMessage,
    count: u64,
    usual: Option<f64>,
    window_sec: u32,
) -> AlertMessage {
    message.count = Some(count);
    message.baseline = usual;
    message.window_seconds = Some(window_sec);
    message
}

/// Projects of which there is anything to look at.
fn projects(news: &FoldNews) -> BTreeSet<i64> {
    let projects = news.events.keys().map(|(project_id, _)| project_id).chain(news.limited.keys());
    let projects = projects.chain(news.issues.iter().map(|issue| &issue.id.project_id));
    let projects = projects.chain(news.rejected.keys().map(|(project_id, _)| project_id));
    projects.copied().filter(|id| *id > 0).collect()
}

impl Look<'_> {
    /// What the counts of levels and issues say of a fold.
    pub async fn by_counts(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        blocks: &[&FoldPiece],
        findings: &mut Findings,
    ) -> Result<Vec<Found>, StoreError> {
        let (news, unread) = &self.with_unread(connection, news).await?;
        if news.is_empty() && unread.is_empty() {
            return Ok(Vec::new());
        }
        let narrow = self.narrow_counts(connection, news, blocks).await?;
        let mut projects = projects(news);
        projects.extend(unread);
        let recent = self.recent(connection, news, &projects, findings).await?;
        let mut found = Vec::new();
        // First: what is left out of these is not found again.
        let silent = self.rules.watch.were_silent(connection, &news.events, self.now).await?;
        let started = silent.into_iter().filter(|(project_id, _)| projects.contains(project_id));
        found.extend(started.filter_map(|(project_id, first)| self.overflow_started(project_id, first)));
        for project_id in &projects {
            found.extend(self.error_rate(&recent, *project_id));
            found.extend(self.near_cap(&recent, news, *project_id));
            found.extend(self.rejecting(news, *project_id));
            found.extend(self.new_issues(news, *project_id));
        }
        for issue in &news.issues {
            found.extend(self.regression(issue));
            found.extend(self.spike(&recent, &narrow, issue));
        }
        Ok(found)
    }

    pub(super) fn rule(&self, project_id: i64, kind: RuleKind) -> Arc<Setting> {
        self.set.of(project_id, kind)
    }

    /// The first events of a project for a while: its main provider takes no more.
    fn overflow_started(&self, project_id: i64, first: FirstEvents) -> Option<Found> {
        let rule = self.rule(project_id, RuleKind::OverflowStarted);
        if !rule.enabled {
            return None;
        }
        let mut message = self.rules.message(&rule, project_id, "Incoming events", self.now);
        message.count = u64::try_from(first.count).ok();
        message.first_seen = Some(first.since);
        Some(Found::new(&rule, project_id.to_string(), message))
    }

    /// Events in the window that ends now, and how many are usual in one, by those in the longer time.
    pub(super) fn against_usual(&self, inside: i64, longer: i64, window: i64) -> (u64, f64) {
        let minutes = self.minutes_awake(bucket(self.now), window);
        (u64::try_from(inside).unwrap_or(0), usual_in(window, longer - inside, minutes))
    }

    /// Minutes of those that say what is usual in a window with this end: minutes asleep say nothing.
    pub(super) fn minutes_awake(&self, end: i64, window: i64) -> i64 {
        self.rules.watch.covered_minutes(end - usual_seconds(window), end - window)
    }

    fn error_rate(&self, recent: &Recent, project_id: i64) -> Option<Found> {
        let rule = self.rule(project_id, RuleKind::ErrorRate);
        if !rule.enabled || rule.counts_events() {
            return None;
        }
        let inside = recent.sum(project_id, levels_of(&rule), ERRORS);
        let longer = recent.sum(project_id, levels_of(&rule), ERRORS_USUAL);
        let all = recent.sum(project_id, 0..LEVEL_SERIES, ERRORS);
        let counted = self.against_usual(inside, longer, i64::from(rule.window_sec));
        self.too_many(&rule, project_id, counted, all)
    }

    /// An error rate by its numbers: by what is usual, or by its share of all events.
    pub(super) fn too_many(
        &self,
        rule: &Arc<Setting>,
        project_id: i64,
        (count, usual): (u64, f64),
        all: i64,
    ) -> Option<Found> {
        let too_many = match rule.share {
            Some(share) => {
                count >= u64::from(rule.n) && is_share(count, u64::try_from(all).unwrap_or(0), share)
            }
            None => is_spike(count, usual, u64::from(rule.n)),
        };
        too_many.then(|| self.of_project(rule, project_id, "Too many errors", (count, usual)))
    }

    /// What is true of a project, by the number of events and how many are usual.
    pub(super) fn of_project(
        &self,
        rule: &Arc<Setting>,
        project_id: i64,
        title: &str,
        (count, usual): (u64, f64),
    ) -> Found {
        let message = self.rules.message(rule, project_id, title, self.now);
        Found::new(rule, project_id.to_string(), counted(message, count, Some(usual), rule.window_sec))
    }

    /// A project near its cap, or over it, which is worse and said even when the other was.
    fn near_cap(&self, recent: &Recent, news: &FoldNews, project_id: i64) -> Option<Found> {
        let rule = self.rule(project_id, RuleKind::NearCap);
        let cap = self.rules.cap(project_id).filter(|_| rule.enabled)?;
        let dropped = news.limited.get(&project_id).copied().unwrap_or(0);
        let stored = recent.sum(project_id, 0..LEVEL_SERIES, CAP);
        let received = u64::try_from(stored.saturating_add(dropped)).unwrap_or(0);
        let is_near = rule.share.is_some_and(|share| is_share(received, u64::from(cap), share));
        let (state, title) = match (dropped > 0, is_near) {
            (true, _) => ("dropping", format!("Events over the cap of {cap} a minute are being dropped")),
            (false, true) => ("near", format!("Near the cap of {cap} events a minute")),
            (false, false) => return None,
        };
        let message = self.rules.message(&rule, project_id, &title, self.now);
        let message = counted(message, received, None, rule.window_sec);
        let found = Found::new(&rule, format!("{project_id}:{state}"), message);
        Some(if dropped > 0 { found.silencing(format!("{project_id}:near")) } else { found })
    }

    /// Events of a project that are refused one by one: what sends them is wrong, and they are lost.
    fn rejecting(&self, news: &FoldNews, project_id: i64) -> Option<Found> {
        let rule = self.rule(project_id, RuleKind::NearCap);
        let reasons: Vec<(&str, i64)> = news
            .rejected
            .range((project_id, "")..(project_id + 1, ""))
            .map(|((_, reason), count)| (*reason, *count))
            .collect();
        if reasons.is_empty() || !rule.enabled {
            return None;
        }
        let mut message = self.rules.message(&rule, project_id, "Events are being rejected", self.now);
        message.count = u64::try_from(reasons.iter().map(|(_, count)| count).sum::<i64>()).ok();
        let said: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        message.sample = Some(said.join("\n"));
        Some(Found::new(&rule, format!("{project_id}:rejected"), message))
    }

    /// One message for all issues that are new: the worst is named.
    fn new_issues(&self, news: &FoldNews, project_id: i64) -> Option<Found> {
        let rule = self.rule(project_id, RuleKind::NewIssue);
        let of_project = news.issues.iter().filter(|issue| issue.id.project_id == project_id);
        let new = || of_project.clone().filter(|issue| issue.known.is_none() && admits(&rule, issue));
        let worst = new().max_by_key(|issue| (issue.seed.level, issue.count))?;
        let mut message = self.rules.issue_message(&rule, worst, self.now);
        message.count = u64::try_from(worst.count).ok();
        let others = new().filter(|issue| issue.id != worst.id);
        if let Some(text) = more_are_new(others.map(|issue| issue.seed.title.as_str())) {
            message.sample = Some(text);
            message.link = self.rules.issues_link(&message.project);
        }
        Some(Found::new(&rule, project_id.to_string(), message).for_each_of(new().count() as u64))
    }

    fn regression(&self, issue: &TouchedIssue) -> Option<Found> {
        let known = issue.known?;
        let rule = self.rule(issue.id.project_id, RuleKind::Regression);
        let was_resolved = known.resolved_at.as_millis() > 0 && known.last_received <= known.resolved_at;
        let is_back = was_resolved && issue.seed.received > known.resolved_at;
        if !is_back || is_muted(issue, self.now) || !admits(&rule, issue) {
            return None;
        }
        let mut message = self.rules.issue_message(&rule, issue, self.now);
        message.count = u64::try_from(issue.count).ok();
        let found = Found::new(&rule, issue.id.to_string(), message).for_each_of(1);
        Some(found.in_slot(known.resolved_at.as_millis()))
    }

    fn spike(&self, recent: &Recent, narrow: &Narrow, issue: &TouchedIssue) -> Option<Found> {
        let rule = self.rule(issue.id.project_id, RuleKind::Spike);
        if is_muted(issue, self.now) || !admits(&rule, issue) {
            return None;
        }
        let window = i64::from(rule.window_sec);
        let series = || std::iter::once(issue.id.fingerprint.0.cast_signed());
        let sum = |span| recent.sum(issue.id.project_id, series(), span);
        let all = self.against_usual(sum(SPIKE), sum(SPIKE_USUAL), window);
        if rule.own_count_of(issue.id.fingerprint).is_none() {
            return self.spike_of(&rule, issue, all);
        }
        // What is usual was not read where all of its events are too few, or many others come first.
        let sums = narrow.get(&issue.id).filter(|_| all.0 > 0)?;
        let (count, usual) = self.against_usual(sums.inside.matched, sums.matched, window);
        // Of the time before a rule was made nothing is known but all events of the issue.
        let usual = if is_young(&rule, bucket(self.now)) { usual.max(all.1) } else { usual };
        self.spike_of(&rule, issue, (count, usual))
    }

    pub(super) fn spike_of(
        &self,
        rule: &Arc<Setting>,
        issue: &TouchedIssue,
        (count, usual): (u64, f64),
    ) -> Option<Found> {
        if !is_spike(count, usual, u64::from(rule.n)) {
            return None;
        }
        let message = self.rules.issue_message(rule, issue, self.now);
        let message = counted(message, count, Some(usual), rule.window_sec);
        Some(Found::new(rule, issue.id.to_string(), message))
    }
}
