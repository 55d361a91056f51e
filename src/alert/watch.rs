//! Alerts over time: which are open, when one is over, and when silence is worth one.
//!
//! A channel that was told of something that can end has a row in `open_alerts`, written in the transaction that told it
//! (`open`). The rules say each time they find it still true. When it was not for its kind's `quiet_ms`, one message
//! on the same thread says that it is over, and the row goes in the same transaction: of several instances one succeeds,
//! and a process that was killed or asleep says it at its first look. It is looked for within each fold, before the rules,
//! and by the timer that folds when nothing comes. What no channel got ends without a word.

pub mod coverage;
mod ending;
pub mod heartbeat;
mod opening;
mod settings;
mod still_true;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rules::{OVERFLOW_GRACE_SEC, RuleBook, RuleKind};
use super::{AlertKind, Channels};
use crate::key::KeyDirectory;
use crate::spool::Spool;
use crate::store::{Connection, Store, StoreError, Topic, bucket};
use crate::timestamp::Timestamp;
use coverage::Coverage;
pub use ending::Over;
pub use heartbeat::HeartbeatWhen;
pub(super) use opening::open;
use opening::topic;
pub use settings::{SettingsOf, WatchSettings};

/// A spike, too many errors, a project near its cap are over when they were not true for so long.
pub const QUIET_MS: i64 = 300_000;
/// Seconds without events that end an overflow, and before which none starts: so what comes after an end is a start.
pub const OVERFLOW_QUIET_SEC: i64 = OVERFLOW_GRACE_SEC as i64;
/// After the database was away, or while a spool drains, nothing is called over for so long: what was received meanwhile
/// is still to be counted.
const SETTLE_MS: i64 = 300_000;
/// What is still true is noted this often.
const NOTE_EVERY_MS: i64 = 10_000;
/// Topics whose last note is remembered, and projects whose last events are.
const MAX_NOTED: usize = 1_000;

/// For how long the condition of an alert of this kind has to be untrue until it is over, unless a project sets another
/// time; `None` for kinds that don't end by themselves.
#[must_use]
pub const fn quiet_ms(kind: AlertKind) -> Option<i64> {
    match kind {
        AlertKind::Spike | AlertKind::ErrorRate | AlertKind::NearCap | AlertKind::Custom => Some(QUIET_MS),
        AlertKind::OverflowStarted => Some(OVERFLOW_QUIET_SEC * 1_000),
        // Over as soon as something comes.
        AlertKind::Heartbeat => Some(0),
        AlertKind::NewIssue | AlertKind::Regression | AlertKind::OverflowEnded | AlertKind::Test => None,
    }
}

/// Watches what is open. Cheap to share.
pub struct Watch {
    channels: Channels,
    directory: Arc<KeyDirectory>,
    public_url: Option<String>,
    /// `None` until it is told whose.
    settings: Option<SettingsOf>,
    spool: Option<Spool>,
    state: Mutex<State>,
}

/// Events that come after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstEvents {
    /// How many.
    pub count: i64,
    /// The start of the bucket with the first of them.
    pub since: Timestamp,
}

/// How often something was said, held back or lost, by rule and what became of it, for the metrics.
pub(super) type Told = BTreeMap<(RuleKind, &'static str), u64>;

/// What a fold adds once it is committed.
#[derive(Default)]
struct Pending {
    looked: Option<i64>,
    told: Told,
    noted: Vec<(Topic, Timestamp)>,
    came: Vec<(i64, i64)>,
}

#[derive(Default)]
struct State {
    coverage: Coverage,
    /// The bucket of the last look for what is over.
    looked: Option<i64>,
    /// The same of the last look for silence.
    listened: Option<i64>,
    /// When a topic was last noted as still true.
    noted: BTreeMap<Topic, Timestamp>,
    /// When the end of what is open and quiet is possible at the earliest, as last seen; no more than may be open.
    not_before: BTreeMap<Topic, Timestamp>,
    /// The last bucket in which a project's events were folded here.
    came: BTreeMap<i64, i64>,
    /// What the fold under way did of these.
    pending: Pending,
    /// Since when everything that is received is seen; the epoch: since ever.
    seen_from: Timestamp,
    blind: bool,
    /// When a project's silence is looked at next.
    next_check: BTreeMap<i64, Timestamp>,
    /// What was committed and not yet counted.
    told: Told,
}

impl State {
    fn tell(&mut self, told: Told) {
        for (what, times) in told {
            *self.told.entry(what).or_default() += times;
        }
    }
}

impl Watch {
    /// A watch that says what it finds on these channels.
    #[must_use]
    pub fn new(channels: Channels, directory: Arc<KeyDirectory>, public_url: Option<String>) -> Self {
        Self { channels, directory, public_url, settings: None, spool: None, state: Mutex::default() }
    }

    /// Goes by these settings instead of the default ones.
    #[must_use]
    pub fn with_settings(mut self, settings: SettingsOf) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Goes by these rules, unless it was given settings.
    #[must_use]
    pub fn by_rules(mut self, book: Arc<RuleBook>) -> Self {
        let of_rules = move |project_id| WatchSettings::of_rules(&book.current(), project_id);
        self.settings.get_or_insert_with(|| Arc::new(of_rules));
        self
    }

    fn settings(&self, project_id: i64) -> WatchSettings {
        self.settings.as_ref().map_or(WatchSettings::DEFAULT, |settings| settings(project_id))
    }

    /// Calls nothing over while this holds what is still to be counted.
    #[must_use]
    pub fn beside(mut self, spool: Option<Spool>) -> Self {
        self.spool = spool;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database is away: what is received is not seen until it is back.
    pub fn blind(&self) {
        let mut state = self.state();
        state.blind = true;
        state.coverage.blind();
    }

    /// Covered minutes that lie wholly in `[from, to)`, both in epoch seconds.
    #[must_use]
    pub fn covered_minutes(&self, from: i64, to: i64) -> i64 {
        self.state().coverage.minutes(from, to)
    }

    /// Notes that the service is awake; at most once a minute in the database.
    ///
    /// # Errors
    /// What the database said; the next call makes up for it.
    pub async fn cover(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let Some(work) = self.state().coverage.look(now) else { return Ok(()) };
        let mut session = store.work().await?;
        session.cover_minutes(work.write.0, work.write.1).await?;
        if let Some((from, to)) = work.keep {
            session.forget_coverage(from, to).await?;
        }
        let limit = usize::try_from(coverage::KEPT_MINUTES).unwrap_or(usize::MAX) + 60;
        let read = session.covered_minutes(work.read_from, limit).await?;
        self.state().coverage.done(&work, read);
        Ok(())
    }

    /// Whether all that was received is counted, and has been for a while.
    fn sees(&self, now: Timestamp) -> bool {
        let waits = self.spool.as_ref().is_some_and(|spool| {
            let depth = spool.depth();
            depth.groups > depth.held
        });
        let mut state = self.state();
        if waits {
            state.blind = true;
            return false;
        }
        if std::mem::take(&mut state.blind) {
            state.seen_from = now;
        }
        // A clock that was set back.
        state.seen_from = state.seen_from.min(now);
        state.seen_from.as_millis() == 0 || state.seen_from.plus_millis(SETTLE_MS) <= now
    }

    /// A fold begins: what one before it did and did not commit was rolled back.
    pub fn begin(&self) {
        self.state().pending = Pending::default();
    }

    /// Looks within a fold's transaction for what is over, by the same counts as the rules; writes nothing.
    ///
    /// # Errors
    /// What the database said.
    pub async fn find_over(&self, connection: &mut Connection, now: Timestamp) -> Result<Over, StoreError> {
        self.begin();
        if self.state().looked == Some(bucket(now)) || !self.sees(now) {
            return Ok(Over::default());
        }
        let over = self.find_endings(connection, now).await?;
        self.state().pending.looked = Some(bucket(now));
        Ok(over)
    }

    /// Says what is over, before what the same fold found is noted and said; the cooldowns that it needs are held by then.
    /// Gives whether anything went into the outbox.
    ///
    /// # Errors
    /// What the database said.
    pub async fn end(
        &self,
        connection: &mut Connection,
        over: Over,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let told = self.say_endings(connection, over, now).await?;
        let said = !told.is_empty();
        self.state().pending.told = told;
        Ok(said)
    }

    /// Notes within a fold's transaction what the rules found to be true, whether it is said again or not: kind, rule and
    /// group of each, as in [`super::NewAlert`].
    ///
    /// # Errors
    /// What the database said.
    pub async fn note_true(
        &self,
        connection: &mut Connection,
        found: impl IntoIterator<Item = (AlertKind, &str, &str)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ends = |kind| kind != AlertKind::OverflowStarted && quiet_ms(kind).is_some();
        let found = found.into_iter().filter(|(kind, _, _)| ends(*kind));
        let mut topics: Vec<Topic> = found.map(|(_, rule, group)| topic(rule, group)).collect();
        {
            let state = self.state();
            let is_fresh =
                |at: &Timestamp| (0..NOTE_EVERY_MS).contains(&now.as_millis().saturating_sub(at.as_millis()));
            topics.retain(|topic| !state.noted.get(topic).is_some_and(is_fresh));
        }
        connection.note_still_true(&topics, now).await?;
        self.state().pending.noted.extend(topics.into_iter().map(|topic| (topic, now)));
        Ok(())
    }

    /// The first events of projects that were silent: nothing else was received within the time that ends an overflow.
    /// `ours` are the events that a fold counts, by project and bucket.
    ///
    /// # Errors
    /// What the database said.
    pub async fn were_silent(
        &self,
        connection: &mut Connection,
        ours: &BTreeMap<(i64, i64), i64>,
        now: Timestamp,
    ) -> Result<BTreeMap<i64, FirstEvents>, StoreError> {
        let now = bucket(now);
        let projects: BTreeSet<i64> = ours.keys().map(|(project_id, _)| *project_id).collect();
        let mut asked = BTreeMap::new();
        for project_id in projects {
            let quiet = self.overflow_quiet(project_id);
            let came = self.state().came.get(&project_id).copied();
            // What was seen to come a while ago needs no question.
            if came.is_none_or(|came| !(0..=quiet).contains(&(now - came))) {
                asked.insert(project_id, now - quiet);
            }
        }
        let found = connection.events_since(&asked).await?;
        let first_events = |(project_id, since): (&i64, &i64)| {
            let all = found.get(project_id).copied().unwrap_or(0);
            let own = || ours.range((*project_id, *since)..=(*project_id, i64::MAX));
            let count: i64 = own().map(|(_, count)| count).sum();
            let ((_, first), _) = own().next().filter(|_| all <= count)?;
            Some((*project_id, FirstEvents { count, since: Timestamp::from_millis(first * 1_000) }))
        };
        let silent = asked.iter().filter_map(first_events).collect();
        let came = ours.keys().filter(|(_, at)| *at <= now);
        self.state().pending.came = came.copied().collect();
        Ok(silent)
    }

    /// Seconds without events that end a project's overflow.
    fn overflow_quiet(&self, project_id: i64) -> i64 {
        self.settings(project_id).overflow_quiet_sec.clamp(60, OVERFLOW_QUIET_SEC)
    }

    /// The fold is committed.
    pub fn committed(&self) {
        let mut state = self.state();
        let Pending { looked, told, noted, came } = std::mem::take(&mut state.pending);
        state.looked = looked.or(state.looked);
        state.tell(told);
        state.came.extend(came);
        if state.came.len() > MAX_NOTED {
            state.came.clear();
        }
        if state.noted.len() + noted.len() > MAX_NOTED {
            state.noted.clear();
        }
        state.noted.extend(noted);
    }

    /// What was said since the last time this was asked, for the metrics.
    pub(super) fn take_told(&self) -> Told {
        std::mem::take(&mut self.state().told)
    }

    /// Whether [`Self::look`] has anything to do by now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let bucket = Some(bucket(now));
        let state = self.state();
        state.looked != bucket || state.listened != bucket
    }

    /// Forgets, within a fold's transaction, what is open on a topic: what is said instead is on the same thread, and its
    /// end is the end of both.
    ///
    /// # Errors
    /// What the database said.
    pub async fn take_over(
        &self,
        connection: &mut Connection,
        rule: &str,
        group: &str,
    ) -> Result<(), StoreError> {
        connection.forget_open_alert(&topic(rule, group)).await
    }

    /// Says what is over and what is silent, when nothing was folded that would. Gives whether anything went into the
    /// outbox.
    ///
    /// # Errors
    /// What the database said; the next look goes on.
    pub async fn look(&self, store: &Store, now: Timestamp) -> Result<bool, StoreError> {
        let bucket = Some(bucket(now));
        let (settled, listened) = {
            let state = self.state();
            (state.looked == bucket, state.listened == bucket)
        };
        if (settled && listened) || !self.sees(now) {
            return Ok(false);
        }
        let mut said = false;
        let mut session = store.work().await?;
        if !settled {
            let over = self.find_endings(&mut session, now).await?;
            said |= self.say_apart(&mut session, over, now).await?;
            self.state().looked = bucket;
        }
        if !listened {
            said |= self.look_for_silence(&mut session, now).await?;
            self.state().listened = bucket;
        }
        Ok(said)
    }
}
