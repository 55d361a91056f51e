//! A writer, instances that fold and watch, and what they said.

use std::ops::Range;
use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tekno_logger::alert::watch::{SettingsOf, Watch, WatchSettings};
use tekno_logger::alert::{AlertKind, AlertMessage, Channels, Outbox, Rules};
use tekno_logger::config::Secret;
use tekno_logger::event::{Event, Level};
use tekno_logger::fingerprint::Fingerprint;
use tekno_logger::fold::{Fold, FoldMailbox};
use tekno_logger::key::{KeyDirectory, KeyRing};
use tekno_logger::maintenance::{Ran, maintainer};
use tekno_logger::store::{STATEMENT_TIMEOUT, Store};
use tekno_logger::timestamp::Timestamp;
use tekno_logger::write::WriteOutcome;
use tokio_util::sync::CancellationToken;

use crate::support::{HMAC_SECRET, TestDatabase};
use crate::writer::{NOW, Writer, event, project};

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 3_600_000;

/// One message of the outbox.
#[derive(Clone, Debug)]
pub struct Said {
    /// When it was put there, in milliseconds.
    pub at: i64,
    pub message: AlertMessage,
}

/// An instance that folds and watches.
pub struct Instance {
    pub store: Store,
    pub fold: Fold,
    pub rules: Arc<Rules>,
    outbox: Outbox,
}

impl Instance {
    /// What its counters say, as on `/metrics`.
    pub fn metrics(&self) -> String {
        let mut registry = Registry::default();
        self.outbox.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }
}

pub struct World {
    pub database: TestDatabase,
    pub store: Store,
    pub writer: Writer,
    pub one: Instance,
    pub shop: i64,
    /// `None`: what the rules in the database say.
    settings: Option<WatchSettings>,
    environment: Vec<(&'static str, &'static str)>,
    batches: u64,
}

fn instance(
    world: (&TestDatabase, &[(&str, &str)], Option<WatchSettings>),
    store: Store,
    writer: &Writer,
    mailbox: Arc<FoldMailbox>,
    directory: &Arc<KeyDirectory>,
) -> Instance {
    let (database, environment, settings) = world;
    let ring = KeyRing::new(&Secret::new(HMAC_SECRET), None);
    let channels = Channels::new(&database.config(environment), &ring);
    let outbox = Outbox::default();
    let make = || {
        let mut watch = Watch::new(channels.clone(), directory.clone(), None);
        if let Some(settings) = settings.clone() {
            let of: SettingsOf = Arc::new(move |_| settings.clone());
            watch = watch.with_settings(of);
        }
        Rules::new(channels.clone(), outbox.clone(), directory.clone(), None, 0).watching(watch)
    };
    let fold = Fold::new(store.clone(), writer.clock.clone(), mailbox).alerting(make());
    let rules = Arc::new(make());
    Instance { store, fold, rules, outbox }
}

impl World {
    /// With a project `shop`, the clock at [`NOW`] (08:00 of a day).
    pub async fn new(database: TestDatabase, settings: WatchSettings) -> Self {
        Self::with(database, settings, &[]).await
    }

    /// The same, where the watch goes by the rules in the database.
    pub async fn ruled(database: TestDatabase) -> Self {
        Self::with(database, None, &[]).await
    }

    /// The same with channels of the environment.
    pub async fn with(
        database: TestDatabase,
        settings: impl Into<Option<WatchSettings>>,
        environment: &[(&'static str, &'static str)],
    ) -> Self {
        let (settings, store) = (settings.into(), Box::pin(database.store()).await);
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 3).await;
        let directory = directory(&store).await;
        let parts = (&database, environment, settings.clone());
        let one = instance(parts, store.clone(), &writer, writer.mailbox.clone(), &directory);
        let environment = environment.to_vec();
        Self { database, store, writer, one, shop, settings, environment, batches: 0 }
    }

    /// One more instance with connections of its own; it folds what others leave.
    pub async fn another(&self) -> Instance {
        let store = Box::pin(self.database.store()).await;
        let directory = directory(&store).await;
        let parts = (&self.database, &self.environment[..], self.settings.clone());
        instance(parts, store, &self.writer, Arc::default(), &directory)
    }

    /// The instance ends and another one starts in its place; what was committed and not folded is lost to it.
    pub async fn restart(&mut self) {
        let fresh = Writer::start(&self.store);
        fresh.hand.advance(self.now() - NOW);
        std::mem::replace(&mut self.writer, fresh).stop().await;
        let directory = directory(&self.store).await;
        let parts = (&self.database, &self.environment[..], self.settings.clone());
        self.one = instance(parts, self.store.clone(), &self.writer, self.writer.mailbox.clone(), &directory);
    }

    pub fn now(&self) -> i64 {
        self.writer.clock.now().as_millis()
    }

    /// Moves the clock without anyone looking: asleep.
    pub fn sleep(&self, millis: i64) {
        self.writer.hand.advance(millis);
    }

    /// Looks once, as the timer does.
    pub async fn tick(&self) {
        Box::pin(self.one.fold.tick(true)).await.unwrap();
    }

    /// Stays awake for so long, looking each minute and at the end.
    pub async fn wait(&self, millis: i64) {
        let mut left = millis;
        self.tick().await;
        while left > 0 {
            let step = left.min(MINUTE_MS);
            self.writer.hand.advance(step);
            left -= step;
            self.tick().await;
        }
    }

    /// Has maintenance do all it has to do now.
    pub async fn maintain(&self) {
        let (_, maintainer) = maintainer(self.store.clone(), self.writer.clock.clone());
        let ran = maintainer.maintain(true, &CancellationToken::new()).await.unwrap();
        assert!(matches!(ran, Ran::Done(report) if report.complete), "{ran:?}");
    }

    /// Stores events of an issue without folding them.
    pub async fn store_events(&mut self, project_id: i64, level: Level, issue: u64, count: usize) {
        self.store_issues(project_id, level, issue..issue + 1, count).await;
    }

    /// Stores so many events of each of these issues in one batch, without folding them.
    pub async fn store_issues(&mut self, project_id: i64, level: Level, issues: Range<u64>, each: usize) {
        self.batches += 1;
        let now = self.writer.clock.now();
        let issues = issues.flat_map(|issue| std::iter::repeat_n(issue, each)).enumerate();
        let of = |(index, issue)| Event {
            fingerprint: Fingerprint(issue),
            ..event(index, now, level, "disk is full")
        };
        let events: Vec<Event<'_>> = issues.map(of).collect();
        let name = format!("batch-{}", self.batches);
        let outcome = self.writer.send_events(project_id, &name, &events).await;
        assert_eq!(outcome, WriteOutcome::Stored);
    }

    /// Errors of an issue of the shop, folded at once.
    pub async fn errors(&mut self, issue: u64, count: usize) {
        self.store_events(self.shop, Level::Error, issue, count).await;
        self.tick().await;
    }

    /// Other events of the shop, folded at once.
    pub async fn infos(&mut self, count: usize) {
        self.store_events(self.shop, Level::Info, 100, count).await;
        self.tick().await;
    }

    /// Everything said so far, in order.
    pub async fn said(&self) -> Vec<Said> {
        let rows = self.database.rows("SELECT created_at, message FROM alert_outbox").await;
        let read = |row: &Vec<Vec<u8>>| {
            let at = String::from_utf8(row[0].clone()).unwrap_or_default().parse().ok();
            let message: AlertMessage = serde_json::from_slice(&row[1]).unwrap();
            // The embedded database gives numbers in binary.
            Said { at: at.unwrap_or(message.at.as_millis()), message }
        };
        let mut said: Vec<Said> = rows.iter().map(read).collect();
        said.sort_by_key(|one| (one.at, !one.message.resolved, one.message.kind.name(), one.message.issue));
        said
    }

    /// Messages of a kind that say that something began, and those that say that it is over.
    pub async fn of_kind(&self, kind: AlertKind) -> (Vec<Said>, Vec<Said>) {
        let said = self.said().await;
        let same = said.into_iter().filter(|one| one.message.kind.opened_as() == kind);
        same.partition(|one| !one.message.resolved)
    }

    /// How many messages of a kind say that something began, and how many that it is over.
    pub async fn counted(&self, kind: AlertKind) -> (usize, usize) {
        let (began, over) = self.of_kind(kind).await;
        (began.len(), over.len())
    }

    /// Rows of a table, seen from outside.
    pub async fn rows(&self, table: &str) -> usize {
        self.database.rows(&format!("SELECT 1 FROM {table}")).await.len()
    }

    /// Puts all messages into a state, as delivery does.
    pub async fn set_outbox_state(&self, state: i64) {
        let mut session = self.store.work().await.unwrap();
        session.change(format!("UPDATE alert_outbox SET state = {state}"), STATEMENT_TIMEOUT).await.unwrap();
    }

    pub async fn end(self) {
        let Self { writer, database, .. } = self;
        Box::pin(writer.stop()).await;
        Box::pin(database.remove()).await;
    }
}

async fn directory(store: &Store) -> Arc<KeyDirectory> {
    let directory = KeyDirectory::new();
    directory.replace(store.list_projects().await.unwrap(), &[]);
    Arc::new(directory)
}

/// Whole seconds of a time since another one.
pub fn seconds_after(said: &Said, start: i64) -> i64 {
    (said.message.at.as_millis() - start) / 1_000
}

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
