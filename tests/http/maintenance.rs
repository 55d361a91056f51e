//! Maintenance as an admin asks for it, and what a reader sees of expired events and of counts in wider buckets.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tekno_logger::store::{DatabaseStatus, Store};
use tekno_logger::timestamp::Timestamp;

use crate::running::{Answer, Key, PATIENCE, Post, Running, START_SECONDS, everywhere};
use crate::support::TestDatabase;

const HOUR_MS: i64 = 3_600_000;

async fn send(running: &Running, key: &Key, message: &str) {
    let at = running.state.clock.now().as_seconds();
    let body = json!([{ "message": message, "level": "error" }, { "message": message, "level": "info" }]);
    let answer = running.send(Post::timed(key, at, body.to_string())).await;
    assert_eq!(answer.counts(), (2, 2, false));
}

async fn maintain(running: &Running) -> Value {
    let answer = running.admin(Method::POST, "/admin/maintain", &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Waits until the run at start is over; the next one that nobody asks for is minutes away.
async fn settled(running: &Running) {
    let since = Instant::now();
    let show = async || running.admin(Method::GET, "/admin/maintenance", &Value::Null).await.json();
    while show().await["last_run"].is_null() {
        assert!(since.elapsed() < PATIENCE, "a start is followed by a run");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn purge(running: &Running, body: &Value) -> Answer {
    running.admin(Method::POST, "/admin/purge", body).await
}

async fn storage(running: &Running, project_id: i64) -> (u64, u64) {
    let stats = stats(running, &format!("project_id={project_id}")).await;
    (stats["storage"]["blocks"].as_u64().unwrap(), stats["storage"]["events"].as_u64().unwrap())
}

async fn stats(running: &Running, query: &str) -> Value {
    let answer = running.admin(Method::GET, &format!("/stats?{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_events_are_not_shown_even_before_they_are_purged() {
    everywhere(async |running| {
        settled(running).await;
        let key = running.project_with("shop", json!({ "retention_days": 1 })).await;
        send(running, &key, "first").await;
        running.hand.advance(12 * HOUR_MS);
        send(running, &key, "second").await;
        let range = "project_id=shop&from=-30d";
        assert_eq!(running.logs(range).await.len(), 4);
        let id = running.logs(&format!("{range}&q=first")).await[0]["id"].as_str().unwrap().to_owned();
        running.hand.advance(12 * HOUR_MS + 1);
        assert_eq!(storage(running, key.project_id).await, (2, 4), "nothing is purged yet");
        let shown = running.logs(range).await;
        assert_eq!(shown.len(), 2);
        assert!(shown.iter().all(|event| event["message"] == "second"), "{shown:?}");
        let one = running.admin(Method::GET, &format!("/logs/{id}"), &Value::Null).await;
        assert_eq!(one.refusal(), (404, "not_found".to_owned()));
        let report = maintain(running).await;
        assert_eq!(
            (&report["deleted_blocks"], &report["deleted_events"]),
            (&json!(1), &json!(2)),
            "{report}"
        );
        assert_eq!(storage(running, key.project_id).await, (1, 2));
        assert_eq!(running.logs(range).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_compared_with_the_same_time_a_day_before() {
    everywhere(async |running| {
        let (long, short) = (running.project("long").await, json!({ "retention_days": 1 }));
        let short = running.project_with("short", short).await;
        send(running, &long, "long ago").await;
        running.hand.advance(2 * HOUR_MS);
        send(running, &long, "yesterday").await;
        send(running, &short, "yesterday").await;
        running.hand.advance(24 * HOUR_MS);
        send(running, &long, "today").await;
        let since = Instant::now();
        let mut found = stats(running, "project_id=long&from=-15m").await;
        while found["total"] != 2 {
            assert!(since.elapsed() < PATIENCE, "what was sent is counted: {found}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            found = stats(running, "project_id=long&from=-15m").await;
        }
        assert_eq!(found["previous"]["total"], json!(0), "{found}");
        let day = &found["day_before"];
        assert_eq!((&day["total"], &day["complete"]), (&json!(2), &json!(true)), "{found}");
        let length = |period: &Value| {
            let at = |name: &str| Timestamp::parse_text(period[name].as_str().unwrap()).unwrap();
            at("to").as_millis() - at("from").as_millis()
        };
        assert!([HOUR_MS, 2 * HOUR_MS].contains(&length(day)), "whole hours: {day}");
        let found = stats(running, "project_id=short&from=-15m").await;
        assert_eq!(found["day_before"]["complete"], json!(false), "it has expired: {found}");
        assert_eq!(stats(running, "project_id=long&from=-25h").await["day_before"], Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_purges_by_time_and_project_after_a_look() {
    everywhere(async |running| {
        let (shop, blog) = (running.project("shop").await, running.project("blog").await);
        for message in ["one", "two"] {
            send(running, &shop, message).await;
            send(running, &blog, message).await;
            running.hand.advance(HOUR_MS);
        }
        let half_hours = |n: i64| Timestamp::from_millis(START_SECONDS * 1_000 + n * HOUR_MS / 2).to_string();
        let before_two = half_hours(2);
        let look = json!({ "project_id": shop.project_id, "older_than": before_two, "dry_run": true });
        let expected = |blocks: u32, events: u32, dry_run: bool| {
            json!({ "deleted_events": events, "deleted_blocks": blocks, "rewritten_blocks": 0, "dry_run": dry_run,
                    "complete": true })
        };
        // What an age came to is told, so that it can be asked for again.
        let expected_before = |time: &str, mut expected: Value| {
            expected["older_than"] = json!(time);
            expected
        };
        assert_eq!(purge(running, &look).await.json(), expected_before(&before_two, expected(1, 2, true)));
        assert_eq!(storage(running, shop.project_id).await, (2, 4));
        let really = json!({ "project_id": shop.project_id, "older_than": "-90m" });
        assert_eq!(
            purge(running, &really).await.json(),
            expected_before(&half_hours(1), expected(1, 2, false))
        );
        assert_eq!(storage(running, blog.project_id).await, (2, 4));
        assert_eq!(purge(running, &Value::Null).await.json(), expected(0, 0, false), "by retention");
        assert_eq!(
            purge(running, &json!({ "older_than": "now" })).await.json(),
            expected_before(&half_hours(4), expected(3, 6, false))
        );
        assert_eq!(running.logs("from=-1d").await.len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_is_not_understood_deletes_nothing_and_says_why() {
    everywhere(async |running| {
        let key = running.project("shop").await;
        send(running, &key, "kept").await;
        running.hand.advance(HOUR_MS);
        for (body, field) in [
            (json!({ "older_than": "yesterday" }), "older_than"),
            (json!({ "older_than": 5 }), "older_than"),
            (json!({ "older_then": "now" }), "older_then"),
            (json!({ "older_than": "now", "q": "level:/(/" }), "q"),
            (json!({ "older_than": "now", "project_id": 4_000 }), "project_id"),
            (json!({ "older_than": "now", "project_id": "shop" }), "project_id"),
            (json!({ "older_than": "now", "dry_run": "yes" }), "dry_run"),
        ] {
            let answer = purge(running, &body).await;
            assert_eq!(answer.refusal(), (422, "invalid_field".to_owned()), "{body}");
            assert!(answer.json()["detail"].as_str().unwrap().starts_with(field), "{}", answer.body);
        }
        assert_eq!(purge(running, &json!([])).await.refusal(), (400, "invalid_json".to_owned()));
        let refused = running.admin(Method::POST, "/admin/maintain", &json!({ "x": 1 })).await;
        assert_eq!(refused.refusal(), (422, "invalid_field".to_owned()));
        for path in ["/admin/maintain", "/admin/purge"] {
            assert_eq!(running.request(Method::POST, path, &[], "").await.refusal().0, 401, "{path}");
        }
        assert_eq!(running.request(Method::GET, "/admin/maintenance", &[], "").await.refusal().0, 401);
        assert_eq!(storage(running, key.project_id).await, (1, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_told_what_was_done_or_who_is_at_it() {
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        let other = Store::new(&database.config(&[])).unwrap();
        other.set_status(DatabaseStatus::Connected);
        settled(&running).await;
        let report = maintain(&running).await;
        assert_eq!((&report["ran"], &report["complete"]), (&json!(true), &json!(true)), "{report}");
        assert!(report["took_ms"].is_u64() && report["longest_slice_ms"].is_u64(), "{report}");
        let show = async || running.admin(Method::GET, "/admin/maintenance", &Value::Null).await.json();
        let shown = show().await;
        assert_eq!((&shown["lease"], &shown["running"]), (&Value::Null, &Value::Null), "{shown}");
        assert_eq!(shown["last_run"]["complete"], true, "{shown}");
        assert!(shown["finished_ms_ago"].as_i64().is_some_and(|ago| (0..60_000).contains(&ago)), "{shown}");

        assert!(other.lease_maintenance(Duration::from_mins(1)).await.unwrap());
        let refused = maintain(&running).await;
        assert_eq!(refused["ran"], false, "{refused}");
        assert_eq!(refused["lease"]["owner"], other.instance(), "{refused}");
        let shown = show().await;
        assert_eq!(
            (&shown["lease"]["owner"], &shown["lease"]["mine"]),
            (&json!(other.instance()), &json!(false))
        );
        if database.name == "sqlite" {
            let refused = purge(&running, &Value::Null).await;
            assert_eq!(refused.refusal(), (409, "maintenance_running".to_owned()));
        }
        other.release_maintenance(false).await.unwrap();
        assert_eq!(purge(&running, &Value::Null).await.status, 200);
        other.close();
        running.stop().await;
        database.remove().await;
    }
}

/// Waits until so many events are counted.
async fn counted(running: &Running, events: u64) {
    let since = Instant::now();
    while stats(running, "from=-10d").await["total"] != events {
        assert!(since.elapsed() < PATIENCE, "{events} events are counted in time");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_stay_right_over_counts_in_wider_buckets() {
    everywhere(async |running| {
        settled(running).await;
        let key = running.project("shop").await;
        let mut received = Vec::new();
        for step in 0..75 {
            send(running, &key, &format!("step {step}")).await;
            received.push(running.state.clock.now().as_millis());
            running.hand.advance(25 * 60_000 + 7_300);
        }
        counted(running, 150).await;
        let report = maintain(running).await;
        assert!(report["folded_counts"].as_u64().unwrap() > 100, "{report}");
        // In minutes before now: short and long ones, beginning anywhere in an hour.
        let starts = (25_i64..1_925).step_by(47);
        let ranges = starts.flat_map(|from| [11, 97, 610].map(|length| (from, (from - length).max(0))));
        for (from, to) in ranges {
            let shown = stats(running, &format!("from=-{from}m&to=-{to}m")).await;
            let edge = |name: &str| Timestamp::parse_text(shown[name].as_str().unwrap()).unwrap().as_millis();
            let inside = received.iter().filter(|at| (edge("from")..edge("to")).contains(*at)).count();
            assert_eq!(shown["total"], inside * 2, "{from} to {to}: {shown}");
            let trend = shown["trend"].as_array().unwrap().iter();
            let trend: u64 = trend.map(|slot| slot["counts"]["error"].as_u64().unwrap_or(0)).sum();
            assert_eq!(trend, inside as u64, "{from} to {to}");
        }
    })
    .await;
}
