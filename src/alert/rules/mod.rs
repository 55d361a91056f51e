//! What is worth an alert, decided from counts within the fold's transaction: what a fold that is rolled back found was
//! never said, and what one committed is said however the process ends.
//!
//! Rules are settings ([`RuleSet`]): defaults that nobody has to make, and what replaces them. [`look`] finds by the
//! counts of levels and issues ([`recent`] reads as few of them as will do), [`narrow`] by those of an issue within some
//! environments, [`own`] by what rules count themselves, [`late`] in what was counted long after it was received, [`tested`] counts what those don't know,
//! [`groups`] keeps the cooldowns and [`say`] says it: a rule says the same once in its cooldown, however many instances
//! find it, and no project keeps another one's alerts waiting.

mod counters;
mod found;
mod groups;
mod kind;
mod late;
mod look;
mod more;
mod narrow;
mod own;
mod query;
mod recent;
mod said;
mod say;
mod set;
mod setting;
mod state;
mod tested;
mod turns;
mod usual;
mod warned;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::counters::RuleCounters;
pub use self::kind::RuleKind;
pub use self::query::parse as check_query;
pub use self::said::Findings;
pub use self::set::{RuleBook, RuleSet};
pub use self::setting::{ERROR_RATE_N, GRACE_SEC, OVERFLOW_GRACE_SEC, RuleId, SPIKE_N, Selection, Setting};
pub use self::state::RuleState;
pub use self::tested::Tested;

use self::found::Found;
use self::look::Look;
use self::said::Said;
use self::usual::Usuals;
use self::warned::Warnings;
use super::watch::Watch;
use super::{AlertMessage, Channels, Outbox, issue_link};
use crate::key::KeyDirectory;
use crate::project::ProjectRef;
use crate::store::{Connection, FoldNews, FoldPiece, Store, StoreError, TouchedIssue};
use crate::timestamp::Timestamp;

/// The rules, and where what they find goes.
pub struct Rules {
    channels: Channels,
    outbox: Outbox,
    directory: Arc<KeyDirectory>,
    public_url: Option<String>,
    /// Events a minute of projects that have no cap of their own; 0 for none.
    default_cap: u32,
    book: Arc<RuleBook>,
    watch: Watch,
    said: Mutex<Said>,
    usuals: Mutex<Usuals>,
    /// What was found and has its turn in the next look.
    left: Mutex<Vec<Found>>,
    /// Issues that are judged in it.
    unread: Mutex<Vec<TouchedIssue>>,
    /// When the log was last told of what was left out.
    warned: Warnings,
}

/// The rules at work on one fold.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    rules: &'a Rules,
    tested: &'a Tested,
    /// Goes by the rules it has, whoever changed them meanwhile.
    anyway: bool,
}

impl std::fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[judge]")
    }
}

impl<'a> Judge<'a> {
    /// With what the rules counted of the fold's blocks themselves.
    #[must_use]
    pub const fn new(rules: &'a Rules, tested: &'a Tested, anyway: bool) -> Self {
        Self { rules, tested, anyway }
    }

    /// Whether the rules are those of the last change.
    #[must_use]
    pub fn is_of(&self, version: i64) -> bool {
        self.anyway || (self.rules.book.is_of(version) && self.tested.is_of(version))
    }

    /// Puts into the outbox what is worth saying of a fold of these blocks, within its transaction. Once that is committed,
    /// [`Rules::committed`] takes what is given back.
    ///
    /// # Errors
    /// What the database said.
    pub async fn evaluate(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        blocks: &[&FoldPiece],
        now: Timestamp,
    ) -> Result<Findings, StoreError> {
        let rules = self.rules;
        let set = rules.book.current();
        let mut findings = rules.settle(connection, now).await?;
        let look = rules.looking(&set, now);
        let counted = self.tested.of_blocks(blocks);
        let mut found = look.by_counts(connection, news, blocks, &mut findings).await?;
        found.extend(look.by_own_counts(connection, &counted).await?);
        // Last: of two that say the same, what is true now is said.
        found.extend(look.by_late_counts(connection, news, blocks, &counted, &mut findings).await?);
        for found in &mut found {
            found.illustrate(news, self.tested);
        }
        rules.say(connection, found, now, &mut findings).await?;
        Ok(findings)
    }
}

impl Rules {
    /// Rules that say what they find on these channels; `default_cap` is that of projects without one, 0 for none.
    #[must_use]
    pub fn new(
        channels: Channels,
        outbox: Outbox,
        directory: Arc<KeyDirectory>,
        public_url: Option<String>,
        default_cap: u32,
    ) -> Self {
        let (book, said, warned) = (Arc::<RuleBook>::default(), Mutex::default(), Warnings::default());
        let watch = Watch::new(channels.clone(), directory.clone(), public_url.clone());
        let watch = watch.by_rules(book.clone());
        let (usuals, left, unread) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self {
            channels,
            outbox,
            directory,
            public_url,
            default_cap,
            book,
            watch,
            said,
            usuals,
            left,
            unread,
            warned,
        }
    }

    /// Has what is open watched by this instead of the default one; by these rules, unless it has settings of its own.
    #[must_use]
    pub fn watching(mut self, watch: Watch) -> Self {
        self.watch = watch.by_rules(self.book.clone());
        self
    }

    /// What is open, and for how long the service was awake.
    #[must_use]
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Says what is over and what is silent, as a timer does.
    ///
    /// # Errors
    /// What the database said; the next look goes on.
    pub async fn look(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.say_left(store, now).await?;
        if !self.watch.is_due(now) {
            return Ok(());
        }
        let mut session = store.work().await?;
        let version = session.alert_rule_version().await?;
        if !self.book.is_of(version) {
            self.reload(&mut session).await?;
        }
        drop(session);
        let looked = self.watch.look(store, now).await;
        // What was committed before something went wrong is on its way all the same.
        if self.count_told() {
            self.outbox.ring();
        }
        looked.map(drop)
    }

    /// Reads the rules anew; what was said under the old ones is looked up again.
    ///
    /// # Errors
    /// What the database said.
    pub async fn reload(&self, connection: &mut Connection) -> Result<(), StoreError> {
        self.book.reload(connection).await?;
        self.said().forget();
        self.usuals().forget();
        Ok(())
    }

    /// The rules as last read.
    #[must_use]
    pub fn book(&self) -> &RuleBook {
        &self.book
    }

    /// As [`Judge::evaluate`], where there was no block to fold: events over a cap, or refused for themselves.
    ///
    /// # Errors
    /// What the database said.
    pub async fn evaluate_dropped(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        now: Timestamp,
    ) -> Result<Findings, StoreError> {
        let version = connection.alert_rule_version().await?;
        if !self.book.is_of(version) {
            self.reload(connection).await?;
        }
        let mut findings = self.settle(connection, now).await?;
        let set = self.book.current();
        let found = self.looking(&set, now).by_counts(connection, news, &[], &mut findings).await?;
        self.say(connection, found, now, &mut findings).await?;
        Ok(findings)
    }

    fn looking<'a>(&'a self, set: &'a RuleSet, now: Timestamp) -> Look<'a> {
        Look { rules: self, set, now }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usuals(&self) -> MutexGuard<'_, Usuals> {
        self.usuals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unread(&self) -> MutexGuard<'_, Vec<TouchedIssue>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> MutexGuard<'_, Vec<Found>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events a minute that a project may send; `None` for any number.
    fn cap(&self, project_id: i64) -> Option<u32> {
        let project = self.directory.project(&ProjectRef::Id(project_id));
        let own = project.and_then(|project| project.minute_cap);
        Some(own.unwrap_or(self.default_cap)).filter(|cap| *cap > 0)
    }

    fn message(&self, rule: &Setting, project_id: i64, title: &str, now: Timestamp) -> AlertMessage {
        let public_url = self.public_url.as_deref();
        rule.message(&self.directory, public_url, project_id, title, "1h", now)
    }

    fn issue_message(&self, rule: &Setting, issue: &TouchedIssue, now: Timestamp) -> AlertMessage {
        let mut message = self.message(rule, issue.id.project_id, &issue.seed.title, now);
        message.level = Some(issue.seed.level);
        let before = issue.known.map(|known| known.first_seen);
        message.first_seen = before.into_iter().chain([issue.seed.first_seen]).min();
        message.last_seen = Some(issue.seed.last_seen);
        message.sources = vec![issue.seed.source.clone()];
        message.sample = Some(issue.seed.message.clone()).filter(|sample| !sample.is_empty());
        message.environments = issue.seed.environments.iter().map(|(name, _)| name.clone()).collect();
        message.release = Some(issue.seed.release.clone()).filter(|release| !release.is_empty());
        message.issue = Some(issue.id.fingerprint);
        message.link = issue_link(self.public_url.as_deref(), issue.id.project_id, issue.id.fingerprint);
        message.mute =
            Some(format!("PUT /issues/{}/mute with {{\"until\":\"now+24h\"}} mutes this issue.", issue.id));
        message
    }
}
