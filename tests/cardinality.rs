//! The cardinality guard: a flood of errors of which no two are alike leaves tables small and loses nothing.
//!
//! 60,000 events; `cargo test --release --test cardinality -- --ignored` sends a million.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "support/skip.rs"]
mod skip;
mod support;
#[path = "support/writer.rs"]
mod writer;

use futures_util::future::join_all;
use support::TestDatabase;
use tekno_logger::event::{Event, Level};
use tekno_logger::fingerprint::{Fingerprint, fingerprint};
use tekno_logger::maintenance::{Ran, maintainer};
use tekno_logger::search::cursor::Order;
use tekno_logger::search::event_filter::Criteria;
use tekno_logger::search::run::{Budgets, Scope, SearchRequest, search};
use tekno_logger::store::{CountScope, MAX_ISSUES, MAX_NEW_ISSUES_A_MINUTE, Store};
use tekno_logger::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;
use writer::{DAY_MS, Writer, event, number, project, rows};

/// Minutes the flood lasts: longer than it takes to reach the most issues a project may have.
const MINUTES: usize = 60;
/// Events a batch.
const BATCH: usize = 250;
/// Batches on their way at once.
const AT_ONCE: usize = 16;
/// Events after which they are counted: what is counted at once is bounded.
const FOLD_AFTER: usize = 20_000;

/// A message that has no number in it and is like no other.
fn message(number: usize) -> String {
    let (mut word, mut rest) = (String::new(), number + 1);
    while rest > 0 {
        word.push(char::from(b'a' + u8::try_from(rest % 26).unwrap()));
        rest /= 26;
    }
    format!("no plugin called x{word}x was found")
}

fn events(messages: &[String], ts: Timestamp) -> Vec<Event<'_>> {
    let mut all = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let mut event = event(index, ts, Level::Error, message);
        event.fingerprint = fingerprint(&event);
        all.push(event);
    }
    all
}

/// Sends these messages as batches, and counts them.
async fn flood(writer: &Writer, project: i64, numbers: std::ops::Range<usize>) {
    let numbers: Vec<usize> = numbers.collect();
    for slice in numbers.chunks(FOLD_AFTER) {
        let batches: Vec<&[usize]> = slice.chunks(BATCH).collect();
        for some in batches.chunks(AT_ONCE) {
            let store_one = async |batch: &[usize]| {
                let messages: Vec<String> = batch.iter().map(|number| message(*number)).collect();
                let events = events(&messages, writer.clock.now());
                writer.send_events(project, &format!("batch {}", batch[0]), &events).await
            };
            let sent = join_all(some.iter().map(|batch| store_one(batch))).await;
            assert!(sent.iter().all(|one| *one == tekno_logger::write::WriteOutcome::Stored), "{sent:?}");
        }
        writer.fold().await;
    }
}

/// How many events of an issue a search finds.
async fn found(store: &Store, project_id: i64, fingerprint: Fingerprint) -> usize {
    let everything = Criteria::between(Timestamp::from_millis(0), Timestamp::LAST);
    let request = SearchRequest {
        scopes: vec![Scope { project_id, received_after: Timestamp::from_millis(0) }],
        criteria: Criteria { fingerprint: Some(fingerprint), ..everything },
        order: Order::Descending,
        after: None,
        limit: 10,
        budgets: Budgets::default(),
    };
    let page = search(std::slice::from_ref(store), &request).await.unwrap();
    assert!(page.effort.complete);
    page.hits.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unlike_errors_leaves_tables_small_and_all_of_it_is_found() {
    flood_everywhere(60_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes unless built for release"]
async fn a_million_unlike_errors_leave_tables_small_and_all_of_them_are_found() {
    flood_everywhere(1_000_000).await;
}

async fn flood_everywhere(all: usize) {
    for database in TestDatabase::all().await {
        let name = database.name;
        let store = database.store().await;
        let shop = project(&store, "shop", 1).await;
        let writer = Writer::start(&store);
        let a_minute = all / MINUTES;
        for minute in 0..MINUTES {
            flood(&writer, shop, minute * a_minute..(minute + 1) * a_minute).await;
            if minute == 0 {
                assert_eq!(rows(&store, "issues").await, MAX_NEW_ISSUES_A_MINUTE, "{name}: in a minute");
            }
            writer.hand.advance(60_000);
        }
        let sent = i64::try_from(a_minute * MINUTES).unwrap();
        let issues = rows(&store, "issues").await;
        assert_eq!(issues, MAX_ISSUES, "{name}: as many as a project may have");
        let series = rows(&store, "counts").await;
        let most = MAX_ISSUES + 2 * i64::try_from(MINUTES).unwrap();
        assert!(series <= most, "{name}: {series} rows of counts, at most {most}");

        let sum = |of: &str| format!("SELECT CAST(COALESCE(SUM(event_count), 0) AS SIGNED) FROM {of}");
        assert_eq!(number(&store, &sum("blocks")).await, sent, "{name}: stored");
        assert_eq!(number(&store, &sum("counts WHERE series = 4")).await, sent, "{name}: by level");
        assert_eq!(
            number(&store, &sum("counts WHERE series < 0 OR series > 5")).await,
            sent,
            "{name}: by issue"
        );
        let scope = CountScope { project_id: shop, since: 0 };
        let other = store.read().await.unwrap().events_beyond_issues(&[scope], 0).await.unwrap();
        assert_eq!(
            number(&store, &sum("issues")).await + other,
            sent,
            "{name}: the rest is counted as other"
        );

        for number in (0..a_minute * MINUTES).step_by(all / 23) {
            let message = [message(number)];
            let fingerprint = events(&message, writer.clock.now())[0].fingerprint;
            assert_eq!(found(&store, shop, fingerprint).await, 1, "{name}: {message:?}");
        }

        // When all of it has expired there is room again.
        writer.hand.advance(2 * DAY_MS);
        let (_, worker) = maintainer(store.clone(), writer.clock.clone());
        let ran = worker.maintain(true, &CancellationToken::new()).await.unwrap();
        assert!(matches!(ran, Ran::Done(_)), "{name}: {ran:?}");
        assert_eq!(rows(&store, "issues").await, 0, "{name}: expired");
        flood(&writer, shop, all..all + 1).await;
        assert_eq!(rows(&store, "issues").await, 1, "{name}: a new one");
        writer.stop().await;
        database.remove().await;
    }
}
