//! Deletion by filter: exactly what a search finds goes, and nothing else.

use std::collections::BTreeSet;

use tekno_logger::block::decode::StoredEvent;
use tekno_logger::clock::Clock;
use tekno_logger::event::BatchId;
use tekno_logger::maintenance::{Erasure, Ran, Report};
use tekno_logger::search::language::Query;
use tekno_logger::store::Store;
use tekno_logger::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::fill::{
    HOUR, HOUR_MS, batch, clock_at, fold, lone_blocks, maintain, posts, store_blocks, stored_lines, varied,
    worker,
};
use crate::support::TestDatabase;
use crate::writer::{number, project, rows};

/// What the ledger says was deleted by filters.
const DELETED: &str =
    "SELECT CAST(COALESCE(SUM(amount), 0) AS SIGNED) FROM ledger WHERE entry = 'deleted:filter'";

fn erasure(query: &str) -> Erasure {
    let (query, warnings) = Query::parse(query, Timestamp::from_millis(HOUR)).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    Erasure { project_id: None, older_than: None, query, dry_run: false }
}

async fn erase(store: &Store, clock: &Clock, erasure: &Erasure) -> Report {
    match worker(store, clock).erase(erasure, &CancellationToken::new()).await.unwrap() {
        Ran::Done(report) => report,
        other => panic!("{other:?}"),
    }
}

fn numbers(report: &Report) -> (u64, u64, u64) {
    (report.purged.events, report.purged.blocks, report.rewritten_blocks)
}

/// Two hours of lone posts that get merged, and blocks of 300 that don't.
async fn filled(store: &Store, clock: &Clock) -> i64 {
    let shop = project(store, "shop", 90).await;
    posts(store, shop, HOUR, 60_000, 60).await;
    posts(store, shop, HOUR + HOUR_MS, 60_000, 60).await;
    let at = Timestamp::from_millis(HOUR + 2 * HOUR_MS);
    let events: Vec<_> = (0..300).map(|number| varied(number, at)).collect();
    store_blocks(store, &lone_blocks(shop, &[batch(at, &events), batch(at, &events[..120])])).await;
    fold(store, clock).await;
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_what_matches_goes_after_a_look_that_said_so() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let clock = clock_at(HOUR + 20 * HOUR_MS);
        let shop = filled(&store, &clock).await;
        let blog = project(&store, "blog", 90).await;
        posts(&store, blog, HOUR, 60_000, 10).await;
        fold(&store, &clock).await;
        maintain(&store, &clock).await;
        let other = stored_lines(&store, blog).await;
        let counts = "SELECT CAST(SUM(event_count) AS SIGNED) FROM counts";
        let counted = number(&store, counts).await;
        let mut erased = 0;
        for query in [
            "level:error cache",
            "refused -bank",
            "user_id:u-1*",
            "\"GET /orders\" ms",
            "level:info OR level:warn",
        ] {
            let before = stored_lines(&store, shop).await;
            let mut asked = Erasure { project_id: Some(shop), ..erasure(query) };
            let gone: BTreeSet<&String> = before
                .iter()
                .filter(|(_, line)| asked.query.matches(&StoredEvent::parse(line).unwrap()))
                .map(|(id, _)| id)
                .collect();
            asked.dry_run = true;
            let look = erase(&store, &clock, &asked).await;
            assert_eq!(stored_lines(&store, shop).await, before, "{name}: {query}: a look changes nothing");
            assert_eq!(look.purged.events, gone.len() as u64, "{name}: {query}");
            asked.dry_run = false;
            let done = erase(&store, &clock, &asked).await;
            assert!(done.complete, "{name}: {query}");
            assert_eq!(numbers(&done), numbers(&look), "{name}: {query}");
            erased += i64::try_from(gone.len()).unwrap();
            assert_eq!(number(&store, DELETED).await, erased, "{name}: {query}: in the ledger");
            let mut left = before.clone();
            left.retain(|id, _| !gone.contains(id));
            assert_eq!(stored_lines(&store, shop).await, left, "{name}: {query}");
            assert_eq!(numbers(&erase(&store, &clock, &asked).await), (0, 0, 0), "{name}: {query}: once");
        }
        assert_eq!(stored_lines(&store, blog).await, other, "{name}: another project's stay");
        assert_eq!(number(&store, counts).await, counted, "{name}: counts say what was received");
        maintain(&store, &clock).await;
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn older_than_and_project_in_the_query_narrow_it() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let clock = clock_at(HOUR + 20 * HOUR_MS);
    let shop = filled(&store, &clock).await;
    let blog = project(&store, "blog", 90).await;
    posts(&store, blog, HOUR, 60_000, 30).await;
    fold(&store, &clock).await;
    maintain(&store, &clock).await;
    let limit = Timestamp::from_millis(HOUR + 10 * 60_000);
    let older = Erasure {
        older_than: Some(limit),
        ..erasure("project:blog (level:info OR level:warn OR level:error)")
    };
    assert_eq!(erase(&store, &clock, &older).await.purged.events, 10);
    let left = stored_lines(&store, blog).await;
    assert_eq!(left.len(), 20);
    let received = |id: &String| -> Timestamp {
        let line = StoredEvent::parse(&left[id]).unwrap();
        let batch: BatchId = line.id.batch;
        batch.received_at()
    };
    assert!(left.keys().all(|id| received(id) >= limit));
    assert_eq!(stored_lines(&store, shop).await.len(), 540);
    store.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_yet_counted_is_counted_first() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let shop = project(&store, "shop", 90).await;
        posts(&store, shop, HOUR, 1_000, 30).await;
        assert_eq!(rows(&store, "unfolded").await, 30, "{name}");
        let all = erasure("level:info OR level:warn OR level:error");
        let report = erase(&store, &clock_at(HOUR + HOUR_MS), &all).await;
        assert!(report.complete, "{name}");
        assert_eq!((numbers(&report).0, rows(&store, "blocks").await), (30, 0), "{name}");
        let levels = "SELECT CAST(SUM(event_count) AS SIGNED) FROM counts WHERE series < 6";
        assert_eq!(number(&store, levels).await, 30, "{name}");
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_stays_and_is_told_of() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let clock = clock_at(HOUR + 20 * HOUR_MS);
    let shop = filled(&store, &clock).await;
    let damage = "UPDATE blocks SET body = X'00' WHERE id = (SELECT MIN(id) FROM blocks)";
    let mut session = store.work().await.unwrap();
    session.change(damage.to_owned(), tekno_logger::store::STATEMENT_TIMEOUT).await.unwrap();
    drop(session);
    let report = erase(&store, &clock, &erasure("level:info OR level:warn OR level:error")).await;
    assert_eq!((report.unreadable_blocks, rows(&store, "blocks").await), (1, 1));
    assert_eq!(report.purged.events, 539);
    assert!(crate::fill::all_blocks(&store, shop).await.len() == 1);
    store.close();
}
