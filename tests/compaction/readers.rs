//! Readers in a loop over pages while blocks are merged: each event once, always.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tekno_logger::block::decode::StoredEvent;
use tekno_logger::clock::Clock;
use tekno_logger::event::EventId;
use tekno_logger::search::cursor::{Order, Position};
use tekno_logger::search::event_filter::Criteria;
use tekno_logger::search::find::find_event;
use tekno_logger::search::run::{self, Budgets, Scope, SearchRequest};
use tekno_logger::store::Store;
use tekno_logger::timestamp::Timestamp;

use crate::fill::{HOUR, HOUR_MS, fold, maintain, posts, stored_lines};
use crate::support::TestDatabase;
use crate::writer::{project, rows};

fn scope(project_id: i64) -> Scope {
    Scope { project_id, received_after: Timestamp::from_millis(0) }
}

/// The ids on all pages.
async fn pages(store: &Store, project_id: i64, order: Order, limit: usize) -> Vec<String> {
    let mut request = SearchRequest {
        scopes: vec![scope(project_id)],
        criteria: Criteria::between(Timestamp::from_millis(0), Timestamp::LAST),
        order,
        after: None,
        limit,
        budgets: Budgets::default(),
    };
    let mut found = Vec::new();
    let mut last: Option<Position> = None;
    loop {
        let page = run::search(std::slice::from_ref(store), &request).await.unwrap();
        assert_eq!(page.effort.unreadable, 0);
        found.extend(page.hits.iter().map(|hit| StoredEvent::parse(&hit.line).unwrap().id.to_string()));
        let Some(next) = page.next else { return found };
        assert!(last.is_none_or(|last| last.precedes(&next, order)), "every page gets further");
        (last, request.after) = (Some(next), Some(next));
    }
}

/// Hours of slow traffic.
async fn filled(store: &Store, clock: &Clock, shop: i64, hours: i64, a_hour: u64) -> Vec<String> {
    for hour in 0..hours {
        posts(store, shop, HOUR + hour * HOUR_MS, 10_000, a_hour).await;
    }
    fold(store, clock).await;
    stored_lines(store, shop).await.into_keys().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_each_event_once_while_blocks_are_merged() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let other = database.store().await;
        let shop = project(&store, "shop", 90).await;
        let (clock, hand) = Clock::manual(Timestamp::from_millis(HOUR + 60 * HOUR_MS));
        let mut all = filled(&store, &clock, shop, 40, 25).await;
        all.sort_unstable();
        let (done, passes) = (AtomicBool::new(false), AtomicU64::new(0));
        let compact = async {
            // Wave after wave: while one is merged, blocks of the next come.
            let mut merged = 0;
            for wave in 0..6 {
                merged += maintain(&other, &clock).await.merged_blocks;
                posts(&other, shop, HOUR + (60 + wave) * HOUR_MS, 10_000, 25).await;
                hand.advance(HOUR_MS);
                fold(&other, &clock).await;
            }
            // Readers go on at least twice over what is merged.
            while passes.load(Ordering::Relaxed) < 8 {
                merged += maintain(&other, &clock).await.merged_blocks;
                tokio::task::yield_now().await;
            }
            done.store(true, Ordering::Relaxed);
            merged
        };
        let read = async |order, limit| {
            while !done.load(Ordering::Relaxed) {
                let found = pages(&store, shop, order, limit).await;
                let distinct: HashSet<&String> = found.iter().collect();
                assert_eq!(distinct.len(), found.len(), "{name}: an event twice");
                let missing = all.iter().filter(|id| !distinct.contains(id)).count();
                assert_eq!(missing, 0, "{name}: events that were there are not shown");
                passes.fetch_add(1, Ordering::Relaxed);
            }
        };
        let (merged, (), ()) =
            tokio::join!(compact, read(Order::Descending, 37), read(Order::Ascending, 200));
        assert!(merged >= 1_000, "{name}: {merged}");
        assert!(rows(&store, "blocks").await < 100, "{name}");
        store.close();
        other.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_its_id_before_during_and_after() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let other = database.store().await;
        let shop = project(&store, "shop", 90).await;
        let clock = crate::fill::clock_at(HOUR + 60 * HOUR_MS);
        let all = filled(&store, &clock, shop, 20, 20).await;
        let done = AtomicBool::new(false);
        let look = async |id: &String| {
            let asked = EventId::parse(id).unwrap();
            let hit = find_event(std::slice::from_ref(&store), &[scope(shop)], asked).await.unwrap();
            assert!(hit.is_some(), "{name}: {id}");
        };
        let read = async {
            for id in all.iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                look(id).await;
            }
        };
        let compact = async {
            let report = maintain(&other, &clock).await;
            done.store(true, Ordering::Relaxed);
            report
        };
        let (report, ()) = tokio::join!(compact, read);
        assert_eq!(report.merged_blocks, 400, "{name}");
        for id in &all {
            look(id).await;
        }
        store.close();
        other.close();
        database.remove().await;
    }
}
