//! What is worth an alert, decided from counts within the fold's transaction: what a fold that is rolled back found was
//! never said, and what one committed is said however the process ends.
//!
//! A rule says something once in a slot: a regression once for each time the issue was resolved, everything else once
//! in [`COOLDOWN_MS`]. The outbox keeps the slots, so instances and repeated folds say it once too.

mod kind;
mod query;
mod set;
mod setting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::kind::RuleKind;
pub use self::query::parse as check_query;
pub use self::set::{RuleBook, RuleSet};
pub use self::setting::{RuleId, Selection, Setting};
use super::spike::is_spike;
use super::{AlertKind, AlertMessage, Channels, Enqueued, NewAlert, Outbox, enqueue, issue_link};
use crate::event::Level;
use crate::key::KeyDirectory;
use crate::project::ProjectRef;
use crate::store::{Connection, FoldNews, LEVEL_SERIES, StoreError, TouchedIssue, bucket};
use crate::timestamp::Timestamp;

/// Events of an issue in a window that are a spike where nothing is usual.
pub const SPIKE_N: u64 = 5;
/// Errors of a project in a window that are too many where nothing is usual.
pub const ERROR_RATE_N: u64 = 50;
/// Length of the window in seconds. Counts stand in buckets of ten seconds, so up to ten more are looked at: what comes
/// within a window is never cut by the edge of a bucket.
pub const WINDOW_SECONDS: i64 = 60;
/// What is usual is the mean of the windows of the hour before.
const HOUR_SECONDS: i64 = 3_600;
/// A rule says the same once in so long.
pub const COOLDOWN_MS: i64 = 900_000;
/// Alerts one fold makes at most; what it leaves out is found by the next one, while it goes on.
const MAX_ALERTS: usize = 20;
/// Slots remembered, so that what was said isn't put to the database each second.
const MAX_SAID: usize = 1_000;

/// The rules, and where what they find goes.
pub struct Rules {
    channels: Channels,
    outbox: Outbox,
    directory: Arc<KeyDirectory>,
    public_url: Option<String>,
    /// Something was enqueued by a fold that isn't committed yet.
    found: AtomicBool,
    said: Mutex<Said>,
}

/// Rule, group and slot of an alert.
type Slot = (String, String, i64);

/// Slots this instance has put into the outbox.
#[derive(Default)]
struct Said {
    committed: BTreeSet<Slot>,
    /// By the fold that is under way.
    pending: Vec<Slot>,
}

/// What the counts of the last hour say.
struct Recent {
    counts: BTreeMap<(i64, i64), (i64, i64)>,
    now: Timestamp,
}

impl Recent {
    /// Events of these series in the window, and how many are usual in one.
    fn window(&self, project_id: i64, series: impl Iterator<Item = i64>) -> (u64, f64) {
        let (mut inside, mut hour) = (0, 0);
        for one in series {
            let (in_window, in_hour) = self.counts.get(&(project_id, one)).copied().unwrap_or_default();
            inside += in_window;
            hour += in_hour;
        }
        let windows = HOUR_SECONDS / WINDOW_SECONDS - 1;
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let usual = (hour - inside).max(0) as f64 / windows as f64;
        (u64::try_from(inside).unwrap_or(0), usual)
    }
}

impl Rules {
    /// Rules that say what they find on these channels.
    #[must_use]
    pub fn new(
        channels: Channels,
        outbox: Outbox,
        directory: Arc<KeyDirectory>,
        public_url: Option<String>,
    ) -> Self {
        let (found, said) = (AtomicBool::new(false), Mutex::default());
        Self { channels, outbox, directory, public_url, found, said }
    }

    /// Puts into the outbox what is worth saying of a fold, within its transaction.
    ///
    /// # Errors
    /// What the database said.
    pub async fn evaluate(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // What a fold before this left here was rolled back.
        self.said().pending.clear();
        let mut alerts = self.find(connection, news, now).await?;
        let slot_of = |alert: &NewAlert| (alert.rule.clone(), alert.group.clone(), alert.cooldown_slot);
        alerts.retain(|alert| !self.said().committed.contains(&slot_of(alert)));
        for alert in alerts.into_iter().take(MAX_ALERTS) {
            self.said().pending.push(slot_of(&alert));
            if enqueue(connection, &self.channels, &alert, now).await? != Enqueued::Known {
                self.found.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// The fold is committed: what it found is sent now.
    pub fn committed(&self) {
        let mut said = self.said();
        if said.committed.len() >= MAX_SAID {
            said.committed.clear();
        }
        let pending = std::mem::take(&mut said.pending);
        said.committed.extend(pending);
        drop(said);
        if self.found.swap(false, Ordering::Relaxed) {
            self.outbox.ring();
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        now: Timestamp,
    ) -> Result<Vec<NewAlert>, StoreError> {
        let mut wanted: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (project_id, _) in news.events.keys() {
            wanted.entry(*project_id).or_insert_with(|| (0..LEVEL_SERIES).collect());
        }
        for issue in &news.issues {
            wanted.entry(issue.id.project_id).or_default().push(issue.id.fingerprint.0.cast_signed());
        }
        let (window, hour) = (bucket(now) - WINDOW_SECONDS, bucket(now) - HOUR_SECONDS);
        let counts = connection.recent_counts(&wanted, window, hour).await?;
        let recent = Recent { counts, now };
        let mut alerts = Vec::new();
        for project_id in wanted.keys() {
            alerts.extend(self.overflow_started(&recent, news, *project_id, hour));
            alerts.extend(self.error_rate(&recent, *project_id));
            alerts.extend(self.new_issues(&recent, news, *project_id));
        }
        for issue in &news.issues {
            alerts.extend(self.regression(&recent, issue));
            alerts.extend(self.spike(&recent, issue));
        }
        Ok(alerts)
    }

    /// The first events of a project in an hour: its main provider takes no more.
    fn overflow_started(
        &self,
        recent: &Recent,
        news: &FoldNews,
        project_id: i64,
        hour: i64,
    ) -> Option<NewAlert> {
        let all: i64 = (0..LEVEL_SERIES)
            .filter_map(|level| recent.counts.get(&(project_id, level)))
            .map(|(_, in_hour)| in_hour)
            .sum();
        let ours: i64 =
            news.events.range((project_id, hour)..=(project_id, i64::MAX)).map(|(_, count)| count).sum();
        if all == 0 || all > ours {
            return None;
        }
        let mut message =
            self.message(AlertKind::OverflowStarted, project_id, "Events are coming in", recent.now);
        message.count = u64::try_from(ours).ok();
        Some(once(message, format!("{project_id}"), recent.now))
    }

    fn error_rate(&self, recent: &Recent, project_id: i64) -> Option<NewAlert> {
        let (count, usual) = recent.window(project_id, Level::Error as i64..LEVEL_SERIES);
        if !is_spike(count, usual, ERROR_RATE_N) {
            return None;
        }
        let message = self.message(AlertKind::ErrorRate, project_id, "Too many errors", recent.now);
        let message = counted(message, count, usual);
        Some(once(message, format!("{project_id}"), recent.now))
    }

    /// One message for all issues that are new: the worst is named.
    fn new_issues(&self, recent: &Recent, news: &FoldNews, project_id: i64) -> Option<NewAlert> {
        let new =
            || news.issues.iter().filter(|issue| issue.id.project_id == project_id && issue.known.is_none());
        let worst = new().max_by_key(|issue| (issue.seed.level, issue.count))?;
        let mut message = self.issue_message(AlertKind::NewIssue, worst, recent.now);
        message.count = u64::try_from(worst.count).ok();
        message.suppressed = new().count().saturating_sub(1) as u64;
        Some(once(message, format!("{project_id}"), recent.now))
    }

    fn regression(&self, recent: &Recent, issue: &TouchedIssue) -> Option<NewAlert> {
        let known = issue.known?;
        let was_resolved = known.resolved_at.as_millis() > 0 && known.last_received <= known.resolved_at;
        if !was_resolved || issue.seed.received <= known.resolved_at || is_muted(issue, recent.now) {
            return None;
        }
        let mut message = self.issue_message(AlertKind::Regression, issue, recent.now);
        message.count = u64::try_from(issue.count).ok();
        let (rule, group) = (message.rule.clone(), issue.id.to_string());
        let cooldown_slot = known.resolved_at.as_millis();
        Some(NewAlert { rule, group, cooldown_slot, message, channels: None })
    }

    fn spike(&self, recent: &Recent, issue: &TouchedIssue) -> Option<NewAlert> {
        let series = issue.id.fingerprint.0.cast_signed();
        let (count, usual) = recent.window(issue.id.project_id, std::iter::once(series));
        if is_muted(issue, recent.now) || !is_spike(count, usual, SPIKE_N) {
            return None;
        }
        let message = counted(self.issue_message(AlertKind::Spike, issue, recent.now), count, usual);
        Some(once(message, issue.id.to_string(), recent.now))
    }

    fn message(&self, kind: AlertKind, project_id: i64, title: &str, now: Timestamp) -> AlertMessage {
        let project = self.directory.project(&ProjectRef::Id(project_id));
        let slug = project.map_or_else(|| project_id.to_string(), |project| project.slug.as_str().to_owned());
        let mut message = AlertMessage::new(kind, project_id, &slug, title, now);
        kind.name().clone_into(&mut message.rule);
        message.link =
            self.public_url.as_ref().map(|url| format!("{url}/ui/logs?project={project_id}&range=1h"));
        message
    }

    fn issue_message(&self, kind: AlertKind, issue: &TouchedIssue, now: Timestamp) -> AlertMessage {
        let mut message = self.message(kind, issue.id.project_id, &issue.seed.title, now);
        message.level = Some(issue.seed.level);
        message.first_seen = Some(issue.seed.first_seen);
        message.last_seen = Some(issue.seed.last_seen);
        message.sources = vec![issue.seed.source.clone()];
        message.release = Some(issue.seed.release.clone()).filter(|release| !release.is_empty());
        message.issue = Some(issue.id.fingerprint);
        message.link = issue_link(self.public_url.as_deref(), issue.id.project_id, issue.id.fingerprint);
        message.mute =
            Some(format!("PUT /issues/{}/mute with {{\"until\":\"now+24h\"}} mutes this issue.", issue.id));
        message
    }
}

fn once(message: AlertMessage, group: String, now: Timestamp) -> NewAlert {
    let cooldown_slot = now.as_millis().div_euclid(COOLDOWN_MS);
    NewAlert { rule: message.rule.clone(), group, cooldown_slot, message, channels: None }
}

fn counted(mut message: AlertMessage, count: u64, usual: f64) -> AlertMessage {
    message.count = Some(count);
    message.baseline = Some(usual);
    message.window_seconds = u32::try_from(WINDOW_SECONDS).ok();
    message
}

fn is_muted(issue: &TouchedIssue, now: Timestamp) -> bool {
    issue.known.is_some_and(|known| known.muted_until > now || known.mute_per_hour > 0)
}
