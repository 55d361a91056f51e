//! What a search may cost: blocks read, turns, round trips; and what it says while the database is away.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tekno_logger::http::state::MAX_SEARCHES;
use tekno_logger::search::cursor::Order;
use tekno_logger::search::event_filter::Criteria;
use tekno_logger::search::language::Query;
use tekno_logger::search::run::{self, Budgets, Scope, SearchRequest};
use tekno_logger::search::turns::{CallerId, TURN_WAIT};
use tekno_logger::store::{DatabaseStatus, Store};
use tekno_logger::timestamp::Timestamp;

use crate::model::Random;
use crate::proxy::behind_proxy;
use crate::reading::{START, Service, until};
use crate::support::{ADMIN_TOKEN, TestDatabase};

const MINUTE: i64 = 60_000;

async fn blocks_read(service: &Service, query: &str, events: usize) -> u64 {
    let page = service.page(query).await;
    assert_eq!(page["logs"].as_array().unwrap().len(), events, "{query}: {page}");
    page["scanned"]["blocks"].as_u64().unwrap()
}

/// Holds the lease, so that no blocks are merged while they are counted; keep what it gives.
async fn without_maintenance(database: &TestDatabase) -> Store {
    let store = Store::new(&database.config(&[])).unwrap();
    store.set_status(DatabaseStatus::Connected);
    until("maintenance is held back", async || {
        store.lease_maintenance(std::time::Duration::from_mins(30)).await.unwrap_or(false)
    })
    .await;
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_spare_reading_what_can_hold_nothing() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        let holder = without_maintenance(&database).await;
        let mut random = Random::new(40);
        for block in 0..40 {
            let mut event = |n: usize| {
                let level = if block == 9 && n == 3 { "fatal" } else { "info" };
                let word = if block == 17 && n == 5 { "xylophone" } else { "ordinary" };
                let mut number = || format!("0.{:015}", random.below(1_000_000_000_000_000));
                json!({
                    "message": format!("the {word} message number {n} of block {block} has some more words in it"),
                    "request_id": format!("req-{block}-{n}"),
                    "level": level,
                    "ctx": { "path": "/shop/cart", "took": [number(), number(), number(), number(), number()] },
                })
            };
            service.post(&shop, &(0..300).map(&mut event).collect::<Vec<Value>>()).await;
            service.hand.advance(2 * MINUTE);
        }
        assert_eq!(
            blocks_read(&service, "limit=1000&order=asc", 1000).await,
            4,
            "{name}: stops at the limit"
        );
        assert_eq!(blocks_read(&service, "limit=10", 10).await, 1, "{name}: the newest alone");
        assert!(blocks_read(&service, "request_id=req-31-7", 1).await <= 3, "{name}: by id");
        let rare = blocks_read(&service, "q=xylophone", 1).await;
        assert!(rare <= 4, "{name}: by a rare word: {rare}");
        assert!(blocks_read(&service, "q=zzz-not-there", 0).await <= 3, "{name}: by a word nobody said");
        assert_eq!(blocks_read(&service, "level=fatal", 1).await, 1, "{name}: by level");
        let (from, to) = (START.as_millis() + 20 * MINUTE, START.as_millis() + 24 * MINUTE);
        assert_eq!(
            blocks_read(&service, &format!("limit=1000&from={from}&to={to}"), 600).await,
            2,
            "{name}: by time"
        );
        holder.close();
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_beyond_the_most_wait_their_turn_and_then_are_told_to_come_again() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    service.project("shop").await;
    let mut turns = Vec::new();
    for other in 0..MAX_SEARCHES {
        let caller = CallerId::Project(1_000 + i64::try_from(other).unwrap());
        turns.push(service.state.searches.acquire(caller, TURN_WAIT).await.unwrap());
    }
    let paths =
        ["/logs", "/stats", "/logs/facets", "/logs?include=facets", "/logs/06hhgn2g01v5791g9mc2j1vkhk-6"];
    for (path, refused) in paths.iter().zip(join_all(paths.map(|path| service.get(path))).await) {
        assert_eq!(refused.status, 503, "{path}: {}", refused.body);
        assert_eq!(refused.json()["code"], "overloaded");
        assert!(
            refused.headers.contains(&("retry-after".to_owned(), "1".to_owned())),
            "{:?}",
            refused.headers
        );
    }
    let waits = service.get("/logs");
    let gives = async {
        until("it waits", async || service.state.searches.waiting() == 1).await;
        // One of those who search has its answer.
        drop(turns.pop());
    };
    let (answer, ()) = tokio::join!(waits, gives);
    assert_eq!(answer.status, 200, "{}", answer.body);
    drop(turns.pop());
    until("all turns are free", async || service.state.searches.free() == MAX_SEARCHES).await;
    service.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_the_queue() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let mut turns = Vec::new();
    for _ in 0..MAX_SEARCHES {
        turns.push(service.state.searches.acquire(CallerId::Project(1), TURN_WAIT).await.unwrap());
    }
    let ask = || {
        let request = service.client.get(format!("{}/logs", service.base));
        tokio::spawn(request.header("X-Admin-Token", ADMIN_TOKEN).send())
    };
    let stays = ask();
    until("one waits", async || service.state.searches.waiting() == 1).await;
    let leaves = ask();
    until("two wait", async || service.state.searches.waiting() == 2).await;
    leaves.abort();
    until("one has left", async || service.state.searches.waiting() == 1).await;
    assert!(!stays.is_finished(), "who asked before still waits, so it was not the end of a wait");
    drop(turns);
    assert_eq!(stays.await.unwrap().unwrap().status(), 200);
    service.stop().await;
    database.remove().await;
}

/// How many events a query finds over all of the time, and what was read for it: headers and bodies.
async fn effort_of(service: &Service, project_id: i64, order: Order, query: &str) -> (usize, u64, u64) {
    let mut criteria = Criteria {
        text: Query::parse(query, START).unwrap().0,
        ..Criteria::between(Timestamp::from_millis(0), Timestamp::LAST)
    };
    criteria.narrow();
    let request = SearchRequest {
        scopes: vec![Scope { project_id, received_after: Timestamp::from_millis(0) }],
        criteria,
        order,
        after: None,
        limit: 1,
        budgets: Budgets::default(),
    };
    let page = run::search(std::slice::from_ref(&service.state.store), &request).await.unwrap();
    (page.hits.len(), page.effort.headers, page.effort.blocks)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_receipt_in_a_query_chooses_the_headers_that_are_read() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        let holder = without_maintenance(&database).await;
        let at = |block: i64| Timestamp::from_millis(START.as_millis() + block * MINUTE);
        for block in 0..150 {
            // One came late: it happened in the first minute.
            let ts = if block == 120 { at(0) } else { at(block) };
            service.post(&shop, &[json!({ "message": "m", "ts": ts.as_millis() })]).await;
            service.hand.advance(MINUTE);
        }
        let (t60, t100, t149, t150) = (at(60), at(100), at(149), at(150));
        for (order, query, read) in [
            // What was received from then on, but happened before: the one that came late.
            (Order::Ascending, format!("received_at:>={t100} ts:<{t100}"), (1, 1, 1)),
            (Order::Ascending, format!("received_at:>={t149}"), (1, 1, 1)),
            (Order::Ascending, format!("received_at:>={t150}"), (0, 0, 0)),
            (Order::Descending, format!("received_at:<{} m", at(1)), (1, 1, 1)),
            (Order::Descending, format!("received_at:>{t60} received_at:<={}", at(61)), (1, 1, 1)),
            (Order::Descending, format!("received_at:{t60} OR received_at:{}", at(61)), (1, 2, 2)),
            (Order::Descending, format!("received_at:>{t60} received_at:<{t60}"), (0, 0, 0)),
        ] {
            let found = effort_of(&service, shop.id, order, &query).await;
            assert_eq!(found, read, "{name}: {query}: events, headers, bodies");
        }
        // What is no condition of every match chooses nothing.
        let (found, headers, _) =
            effort_of(&service, shop.id, Order::Ascending, &format!("-received_at:<{t149}")).await;
        assert!(found == 1 && headers > 100, "{name}: {headers}");
        drop(holder);
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_answered_by_the_first_block_takes_three_round_trips_whatever_the_projects() {
    let Some(database) = TestDatabase::server().await else { return };
    let (proxy, service) = behind_proxy(&database).await;
    for slug in ["one", "two", "three", "four", "five"] {
        let project = service.project(slug).await;
        for _ in 0..3 {
            service.post(&project, &[json!({ "message": "a b c" }), json!({ "message": "d e f" })]).await;
            service.hand.advance(1_000);
        }
    }
    let id = service.page("limit=1").await["logs"][0]["id"].as_str().unwrap().to_owned();
    for (path, most) in [
        ("/logs?limit=1", 3),
        ("/logs?limit=1&q=b", 3),
        ("/logs?q=ctx.order_id:17-99", 2),
        (&format!("/logs?q=id:{id}") as &str, 3),
        (&format!("/logs/{id}"), 3),
        ("/stats", 3),
        ("/logs/histogram?from=-1h&to=now&buckets=20", 2),
        ("/logs/histogram?buckets=20", 3),
        ("/logs/patterns", 3),
    ] {
        let mut least = u64::MAX;
        // Other tasks of the service ask something now and then, most of all after a commit.
        for _ in 0..400 {
            let before = proxy.commands();
            assert_eq!(service.get(path).await.status, 200);
            least = least.min(proxy.commands() - before);
            if least <= most {
                break;
            }
        }
        assert!((1..=most).contains(&least), "{path} took {least} round trips");
    }
    service.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_lists_are_empty_and_say_so() {
    let Some(database) = TestDatabase::server().await else { return };
    let (proxy, service) = behind_proxy(&database).await;
    let shop = service.project("shop").await;
    service.post(&shop, &[json!({ "message": "one" }), json!({ "message": "two" })]).await;
    let page = service.page("limit=1").await;
    let (id, cursor) = (page["logs"][0]["id"].as_str().unwrap(), page["next_cursor"].as_str().unwrap());
    proxy.set_cut(true);
    for query in ["", "project_id=shop&q=one", &format!("cursor={cursor}")] {
        for answer in [
            service.get(&format!("/logs?{query}")).await,
            service.get_as(&shop, &format!("/logs?{query}")).await,
        ] {
            let json = answer.json();
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!((&json["logs"], &json["warnings"]), (&json!([]), &json!(["database_away"])));
            assert_eq!(json["scanned"]["complete"], json!(false));
            let expected = if query.starts_with("cursor") { json!(cursor) } else { Value::Null };
            assert_eq!(json["next_cursor"], expected, "a reader who follows it loses nothing");
        }
    }
    for path in ["/logs/histogram", "/logs/facets", "/logs/patterns", "/logs?include=histogram,facets"] {
        let answer = service.get(path).await;
        let json = answer.json();
        assert_eq!((answer.status, &json["total"]), (200, &json!(0)), "{path}: {}", answer.body);
        assert_eq!(json["warnings"], json!(["database_away"]), "{path}");
        assert_eq!(json["scanned"]["complete"], json!(false), "{path}");
    }
    for path in [format!("/logs/{id}"), "/stats".to_owned()] {
        let answer = service.get(&path).await;
        assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("storage_unavailable")), "{path}");
    }
    until("/readyz notices", async || {
        service.get("/readyz").await.status == 503 || {
            // Nothing but the service's own tasks would ask the database: a post does.
            let _ = service.get("/logs").await;
            false
        }
    })
    .await;
    proxy.set_cut(false);
    until("it is back", async || service.get("/logs").await.json()["scanned"]["complete"] == true).await;
    assert_eq!(service.pages("").await.len(), 2);
    service.stop().await;
    database.remove().await;
}
