//! What is worth an alert, decided from counts within the fold's transaction: what a fold that is rolled back found was
//! never said, and what one committed is said however the process ends.
//!
//! Rules are settings ([`RuleSet`]): defaults that nobody has to make, and what replaces them. [`look`] finds by the
//! counts of levels and issues, [`tested`] counts what those don't know, [`say`] keeps the cooldowns: a rule says the same
//! once in its cooldown, however many instances find it.

mod kind;
mod look;
mod query;
mod say;
mod set;
mod setting;
mod tested;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use self::kind::RuleKind;
pub use self::query::parse as check_query;
pub use self::say::RuleCounters;
pub use self::set::{RuleBook, RuleSet};
pub use self::setting::{RuleId, Selection, Setting};
pub use self::tested::Tested;

use self::look::Look;
use self::say::{Found, Said};
use super::{AlertMessage, Channels, Outbox, issue_link};
use crate::key::KeyDirectory;
use crate::project::ProjectRef;
use crate::store::{Connection, FoldNews, StoreError, TouchedIssue};
use crate::timestamp::Timestamp;
use uuid::Uuid;

/// The rules, and where what they find goes.
pub struct Rules {
    channels: Channels,
    outbox: Outbox,
    directory: Arc<KeyDirectory>,
    public_url: Option<String>,
    /// Events a minute of projects that have no cap of their own; 0 for none.
    default_cap: u32,
    book: RuleBook,
    said: Mutex<Said>,
    /// When the log was last told of blocks left out.
    warned: Mutex<Option<Instant>>,
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

    /// Puts into the outbox what is worth saying of a fold of these blocks, within its transaction.
    ///
    /// # Errors
    /// What the database said.
    pub async fn evaluate(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        blocks: &[Uuid],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let rules = self.rules;
        let set = rules.book.current();
        let mut found = rules.look(&set, now).by_counts(connection, news).await?;
        let counted = self.tested.of_blocks(blocks);
        found.extend(rules.look(&set, now).by_own_counts(connection, &counted).await?);
        rules.say(connection, found, now).await
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
        let (book, said) = (RuleBook::default(), Mutex::default());
        Self { channels, outbox, directory, public_url, default_cap, book, said, warned: Mutex::default() }
    }

    /// Reads the rules anew; what was said under the old ones is looked up again.
    ///
    /// # Errors
    /// What the database said.
    pub async fn reload(&self, connection: &mut Connection) -> Result<(), StoreError> {
        self.book.reload(connection).await?;
        self.said().forget();
        Ok(())
    }

    /// The rules as last read.
    #[must_use]
    pub const fn book(&self) -> &RuleBook {
        &self.book
    }

    /// As [`Judge::evaluate`], where there was no block to fold: events over a cap.
    ///
    /// # Errors
    /// What the database said.
    pub async fn evaluate_limited(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let version = connection.alert_rule_version().await?;
        if !self.book.is_of(version) {
            self.reload(connection).await?;
        }
        let found = self.look(&self.book.current(), now).by_counts(connection, news).await?;
        self.say(connection, found, now).await
    }

    fn look<'a>(&'a self, set: &'a RuleSet, now: Timestamp) -> Look<'a> {
        Look { rules: self, set, now }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events a minute that a project may send; `None` for any number.
    fn cap(&self, project_id: i64) -> Option<u32> {
        let project = self.directory.project(&ProjectRef::Id(project_id));
        let own = project.and_then(|project| project.minute_cap);
        Some(own.unwrap_or(self.default_cap)).filter(|cap| *cap > 0)
    }

    fn message(&self, rule: &Setting, project_id: i64, title: &str, now: Timestamp) -> AlertMessage {
        let project = self.directory.project(&ProjectRef::Id(project_id));
        let slug = project.map_or_else(|| project_id.to_string(), |project| project.slug.as_str().to_owned());
        let mut message = AlertMessage::new(rule.kind.alert(), project_id, &slug, title, now);
        rule.name.clone_into(&mut message.rule);
        message.link =
            self.public_url.as_ref().map(|url| format!("{url}/ui/logs?project={project_id}&range=1h"));
        message.mute = Some(format!(
            "PUT /admin/alerts/rules/{} with {{\"enabled\":false}} turns this rule off.",
            rule.id
        ));
        message
    }

    fn issue_message(&self, rule: &Setting, issue: &TouchedIssue, now: Timestamp) -> AlertMessage {
        let mut message = self.message(rule, issue.id.project_id, &issue.seed.title, now);
        message.level = Some(issue.seed.level);
        message.first_seen = Some(issue.seed.first_seen);
        message.last_seen = Some(issue.seed.last_seen);
        message.sources = vec![issue.seed.source.clone()];
        message.environments.clone_from(&issue.seed.environments);
        message.release = Some(issue.seed.release.clone()).filter(|release| !release.is_empty());
        message.issue = Some(issue.id.fingerprint);
        message.link = issue_link(self.public_url.as_deref(), issue.id.project_id, issue.id.fingerprint);
        message.mute =
            Some(format!("PUT /issues/{}/mute with {{\"until\":\"now+24h\"}} mutes this issue.", issue.id));
        message
    }
}
