//! Writers on a store with a clock moved by hand, and what they stored.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tekno_logger::block::decode;
use tekno_logger::block::encode::BatchEncoder;
use tekno_logger::clock::{Clock, ClockHand};
use tekno_logger::event::{BatchId, Event, Level};
use tekno_logger::fingerprint::Fingerprint;
use tekno_logger::fold::{Fold, FoldMailbox};
use tekno_logger::ledger::Account;
use tekno_logger::memory::Budget;
use tekno_logger::outcome::Outcomes;
use tekno_logger::project::{ProjectSlug, ScrubSettings};
use tekno_logger::store::{BatchKey, LedgerQuery, NewProject, STATEMENT_TIMEOUT, Store};
use tekno_logger::timestamp::Timestamp;
use tekno_logger::write::{
    BatchKeys, IssueTitle, SeedTexts, Submission, WriteOutcome, WriteQueue, WriterSlot,
};
use tokio::sync::oneshot;

use crate::support::every_block;

/// When the clocks of these tests start.
pub const NOW: i64 = 1_800_000_000_000;

/// A day in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// An event with nothing but what a test is about.
pub fn event(index: usize, ts: Timestamp, level: Level, message: &str) -> Event<'_> {
    Event {
        source: "shop".into(),
        fingerprint: Fingerprint(1_000 + level as u64),
        ..Event::plain(u32::try_from(index).unwrap(), ts, level, message)
    }
}

/// `ctx` as a client sends it.
pub fn ctx(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap()
}

/// A project with a retention.
pub async fn project(store: &Store, slug: &str, retention_days: u16) -> i64 {
    let new = NewProject {
        slug: ProjectSlug::parse(slug).unwrap(),
        name: slug.to_owned(),
        retention_days,
        minute_cap: None,
        scrub: ScrubSettings::default(),
    };
    store
        .create_project(new, Timestamp::from_millis(NOW))
        .await
        .unwrap_or_else(|error| panic!("{error:?}"))
        .id
}

/// Both writer slots, running, and the fold, by hand.
pub struct Writer {
    store: Store,
    pub clock: Clock,
    pub hand: ClockHand,
    queue: Arc<WriteQueue>,
    pub mailbox: Arc<FoldMailbox>,
    outcomes: Outcomes,
    budget: Budget,
    slots: Vec<tokio::task::JoinHandle<()>>,
}

impl Writer {
    pub fn start(store: &Store) -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millis(NOW));
        let queue = Arc::new(WriteQueue::default());
        let mailbox = Arc::new(FoldMailbox::default());
        let slot = || WriterSlot::new(queue.clone(), store.clone(), clock.clone(), mailbox.clone());
        let slots = (0..2).map(|_| tokio::spawn(slot().run())).collect();
        let outcomes = Outcomes::new(mailbox.tally().clone());
        let (store, budget) = (store.clone(), Budget::new(32 << 20));
        Self { store, clock, hand, queue, mailbox, outcomes, budget, slots }
    }

    /// Stores events under ids as a request without a time gets them.
    pub async fn send(&self, project_id: i64, name: &str, levels: &[Level]) -> WriteOutcome {
        let ts = self.clock.now().plus_millis(-1_000);
        let events: Vec<Event<'_>> = levels
            .iter()
            .enumerate()
            .map(|(index, level)| event(index, ts, *level, "something happened"))
            .collect();
        self.send_events(project_id, name, &events).await
    }

    pub async fn send_events(&self, project_id: i64, name: &str, events: &[Event<'_>]) -> WriteOutcome {
        let keys = BatchKeys::of_our_own(project_id, name, self.clock.now());
        self.send_under(project_id, keys, events).await
    }

    /// Stores events under an id that is kept for a day.
    pub async fn send_long(&self, project_id: i64, number: u64, levels: &[Level]) -> WriteOutcome {
        let now = self.clock.now();
        let mut key: BatchKey = [0; 20];
        key[..4].copy_from_slice(&u32::try_from(now.as_millis() / 60_000).unwrap().to_be_bytes());
        key[4..12].copy_from_slice(&number.to_be_bytes());
        let keys = BatchKeys { keys: vec![key], sender: None, expires_at: now.plus_millis(DAY_MS) };
        let events: Vec<Event<'_>> = levels
            .iter()
            .enumerate()
            .map(|(index, level)| event(index, now, *level, "something happened"))
            .collect();
        self.send_under(project_id, keys, &events).await
    }

    async fn send_under(&self, project_id: i64, keys: BatchKeys, events: &[Event<'_>]) -> WriteOutcome {
        let (reply, outcome) = oneshot::channel();
        let batch = BatchId::new(self.clock.now());
        let mut encoder = BatchEncoder::new(batch);
        for event in events {
            encoder.push(event);
        }
        let titles = events
            .iter()
            .map(|event| IssueTitle {
                fingerprint: event.fingerprint,
                texts: SeedTexts {
                    title: "something happened".to_owned(),
                    source: event.source.clone().into_owned(),
                    release: String::new(),
                    sample: SeedTexts::sample_of(&event.message),
                },
            })
            .collect();
        let submission = Submission {
            project_id,
            keys,
            body_hash: [1; 16],
            batch,
            received: u32::try_from(events.len()).unwrap(),
            parts: vec![encoder.finish()],
            titles,
            room: self.budget.reserve(1_000, Duration::from_secs(1)).await.unwrap(),
            fate: {
                let events = u32::try_from(events.len()).unwrap();
                let arrival = self.outcomes.arrival(Some(project_id), batch.received_at());
                arrival.read(events, events, Vec::new()).queued()
            },
            reply,
        };
        self.queue.push(submission).unwrap();
        outcome.await.unwrap()
    }

    /// Counts everything committed so far.
    pub async fn fold(&self) {
        let fold = Fold::new(self.store.clone(), self.clock.clone(), self.mailbox.clone());
        for _ in 0..20 {
            if fold.tick(false).await.is_ok() {
                return;
            }
        }
        fold.tick(false).await.unwrap();
    }

    pub async fn stop(self) {
        self.queue.close();
        for slot in self.slots {
            slot.await.unwrap();
        }
    }
}

/// Ids of all stored events of a project, in order.
pub async fn event_ids(store: &Store, project_id: i64) -> Vec<String> {
    let everything = every_block(project_id);
    let mut session = store.read().await.unwrap();
    let mut ids = Vec::new();
    for header in session.block_headers(&everything).await.unwrap() {
        let block = session.block(project_id, header.id).await.unwrap().unwrap();
        let raw = decode::inflate_body(header.codec, header.raw_bytes, &block.body).unwrap();
        ids.extend(decode::lines(&raw).map(|line| decode::StoredEvent::parse(line).unwrap().id.to_string()));
    }
    ids.sort_unstable();
    ids
}

/// The one number a query gives.
pub async fn number(store: &Store, sql: &str) -> i64 {
    let mut session = store.read().await.unwrap();
    session.select(sql.to_owned(), STATEMENT_TIMEOUT).await.unwrap()[0].int(0).unwrap()
}

/// Rows of a table.
pub async fn rows(store: &Store, table: &str) -> i64 {
    number(store, &format!("SELECT COUNT(*) FROM {table}")).await
}

/// The whole ledger of some projects, or of everything, with the blocks beside it.
pub async fn account(store: &Store, projects: Option<&[i64]>) -> Account {
    let mut snapshot = store.snapshot().await.unwrap();
    let to = Timestamp::LAST.as_seconds();
    let accounts = snapshot.accounts(&LedgerQuery { projects, from: 0, to }).await.unwrap();
    snapshot.end().await;
    let (mut by_hour, mut by_project) = (Account::default(), Account::default());
    accounts.hours.values().for_each(|one| by_hour.merge(one));
    accounts.projects.values().for_each(|one| by_project.merge(one));
    assert_eq!(by_hour, by_project, "seen by hour and by project");
    by_hour
}
