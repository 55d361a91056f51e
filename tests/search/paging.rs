//! Pages follow each other without a gap and without a repeat: while events arrive, and when budgets run out.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tekno_logger::block::decode::StoredEvent;
use tekno_logger::search::cursor::{Order, Position};
use tekno_logger::search::event_filter::Criteria;
use tekno_logger::search::run::{self, Budgets, Scope, SearchRequest};
use tekno_logger::timestamp::Timestamp;

use crate::model::{Random, Spread, event, ids, text};
use crate::reading::{START, Service, TestProject};
use crate::support::TestDatabase;

const SPREADS: [&Spread; 3] = [&Spread::Narrow, &Spread::Wide, &Spread::Late];

/// Batches whose blocks overlap in every way.
async fn fill(service: &Service, project: &TestProject, batches: usize) {
    let mut random = Random::new(7);
    for batch in 0..batches {
        let size = *random.pick(&[&1, &3, &12]);
        let spread = *SPREADS[batch % 3];
        let events: Vec<Value> =
            (0..size).map(|number| event(&mut random, number, START.as_millis(), spread)).collect();
        service.post(project, &events).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_skip_nor_repeat_while_events_arrive() {
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        let project = service.project("shop").await;
        fill(&service, &project, 30).await;
        for (limit, order) in [(1, "desc"), (1, "asc"), (7, "desc"), (7, "asc"), (100, "desc"), (100, "asc")]
        {
            let before: Vec<Value> = service.pages("limit=1000").await;
            let before: HashSet<&str> = before.iter().map(|event| text(event, "id")).collect();
            let done = AtomicBool::new(false);
            let write = async {
                let mut random = Random::new(limit);
                while !done.load(Ordering::Relaxed) {
                    let spread = **random.pick(&[&SPREADS[0], &SPREADS[1], &SPREADS[2]]);
                    let more = event(&mut random, 0, START.as_millis(), spread);
                    service.post(&project, &[more]).await;
                    // One page an event, or the pages would never end.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let read = async {
                let found = service.pages(&format!("limit={limit}&order={order}")).await;
                done.store(true, Ordering::Relaxed);
                found
            };
            let ((), found) = tokio::join!(write, read);
            let shown: HashSet<&str> = found.iter().map(|event| text(event, "id")).collect();
            assert_eq!(shown.len(), found.len(), "{}: {limit} {order}: a repeat", database.name);
            let skipped: Vec<_> = before.difference(&shown).collect();
            assert!(skipped.is_empty(), "{}: {limit} {order}: {skipped:?} skipped", database.name);
        }
        service.stop().await;
        database.remove().await;
    }
}

fn request(project: i64, order: Order, limit: usize, budgets: Budgets) -> SearchRequest {
    SearchRequest {
        scopes: vec![Scope { project_id: project, received_after: Timestamp::from_millis(0) }],
        criteria: Criteria::between(Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX)),
        order,
        after: None,
        limit,
        budgets,
    }
}

/// The ids of all pages, and how many of the pages were cut short.
async fn follow(service: &Service, mut request: SearchRequest) -> (Vec<String>, usize) {
    let (mut found, mut cut) = (Vec::new(), 0);
    let mut last: Option<Position> = None;
    for _ in 0..5_000 {
        let page = run::search(std::slice::from_ref(&service.state.store), &request).await.unwrap();
        let id = |line: &[u8]| StoredEvent::parse(line).unwrap().id.to_string();
        found.extend(page.hits.iter().map(|hit| id(&hit.line)));
        cut += usize::from(!page.effort.complete);
        assert!(page.effort.complete || page.next.is_some(), "what is cut short goes on");
        let Some(next) = page.next else { return (found, cut) };
        if let Some(last) = last {
            assert!(last.precedes(&next, request.order), "every page gets further");
        }
        (last, request.after) = (Some(next), Some(next));
    }
    panic!("the pages never end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_budget_cuts_short_goes_on_without_a_gap_or_a_repeat() {
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        let project = service.project("shop").await;
        fill(&service, &project, 36).await;
        let full = Budgets::default();
        let budgets = [
            Budgets { bytes: 1, ..full },
            Budgets { bytes: 3_000, ..full },
            Budgets { time: Duration::ZERO, ..full },
            Budgets { snapshot: Duration::ZERO, ..full },
        ];
        for order in [Order::Ascending, Order::Descending] {
            for (from, to) in
                [(0, i64::MAX), (START.as_millis() - 20 * 60_000, START.as_millis() - 5 * 60_000)]
            {
                let between = Criteria::between(Timestamp::from_millis(from), Timestamp::from_millis(to));
                let with = |limit, budgets| SearchRequest {
                    criteria: between.clone(),
                    ..request(project.id, order, limit, budgets)
                };
                let (expected, cut) = follow(&service, with(1_000, full)).await;
                assert_eq!(cut, 0);
                for (budget, limit) in
                    budgets.iter().flat_map(|budget| [3, 1_000].map(|limit| (budget, limit)))
                {
                    // What is in memory costs no bytes.
                    service.state.store.forget_bodies(project.id, Timestamp::from_millis(i64::MAX));
                    let (found, cut) = follow(&service, with(limit, *budget)).await;
                    assert_eq!(found, expected, "{}: {order:?} {limit} {budget:?}", database.name);
                    let may_cut = budget.snapshot != Duration::ZERO;
                    assert!(!may_cut || limit < 1_000 || cut > 0, "{}: {budget:?} cuts", database.name);
                    assert!(may_cut || cut == 0, "{}: a new snapshot is no cut", database.name);
                }
            }
        }
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_page_that_is_just_full_is_the_last() {
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        let project = service.project("shop").await;
        let events: Vec<Value> =
            (0..6).map(|number| json!({ "message": format!("event {number}") })).collect();
        service.post(&project, &events[..4]).await;
        service.post(&project, &events[4..]).await;
        for order in ["asc", "desc"] {
            for limit in [1, 2, 3, 6] {
                let mut pages = 0;
                let mut cursor = String::new();
                loop {
                    let page = service.page(&format!("limit={limit}&order={order}&cursor={cursor}")).await;
                    assert_eq!(page["logs"].as_array().unwrap().len(), limit, "{}: {page}", database.name);
                    pages += 1;
                    let Some(next) = page["next_cursor"].as_str() else { break };
                    next.clone_into(&mut cursor);
                }
                assert_eq!(pages, 6 / limit, "{}: {limit}", database.name);
            }
        }
        let whole = service.page("limit=1000&order=asc").await;
        let newest = service.page("limit=1000&order=desc").await;
        let mut reversed = ids(newest["logs"].as_array().unwrap());
        reversed.reverse();
        assert_eq!(ids(whole["logs"].as_array().unwrap()), reversed);
        service.stop().await;
        database.remove().await;
    }
}
