//! The ledger as an admin or a reader of one project sees it: every event once, every refused request with its reason,
//! also when nobody waited for the answer.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use tekno_logger::timestamp::Timestamp;

use crate::running::{Key, PATIENCE, Post, Running, START_SECONDS, everywhere, on_sqlite, sign};
use crate::support::{ADMIN_TOKEN, TestDatabase};

async fn ledger(running: &Running, query: &str) -> Value {
    let answer = running.admin(Method::GET, &format!("/stats/ledger?{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Waits until the ledger of a project is as expected.
async fn until(running: &Running, query: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let found = ledger(running, query).await;
        if is(&found) {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: {found}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn batch(key: &Key, name: &str, good: usize, bad: usize) -> Post {
    let good = (0..good).map(|number| json!({ "message": format!("{name} {number}") }));
    let events: Vec<Value> = good.chain((0..bad).map(|_| json!({ "level": "info" }))).collect();
    Post::bare(key, json!(events).to_string()).with("idempotency-key", name)
}

#[tokio::test]
async fn every_event_is_in_the_ledger_once_and_both_sums_hold() {
    everywhere(async |running| {
        let key = running.project_with("web", json!({ "minute_cap": 20 })).await;
        for (post, status) in [
            (batch(&key, "first", 10, 2), 200),
            (batch(&key, "first", 10, 2), 200),
            (batch(&key, "first", 9, 0), 409),
            (batch(&key, "nothing", 0, 3), 422),
            (batch(&key, "too-many", 11, 0), 429),
            (batch(&key, "far-too-many", 21, 0), 413),
            (Post::bare(&key, "no json"), 400),
        ] {
            let answer = running.send(post).await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
        let found = until(running, "project_id=web", "all is written", |found| {
            found["totals"]["received"] == 68 && found["balance"]["balanced"] == true
        })
        .await;
        let totals = &found["totals"];
        for (name, expected) in [
            ("accepted", 10),
            ("duplicate", 10),
            ("rejected", 7),
            ("limited", 32),
            ("refused", 9),
            ("stored", 10),
            ("purged", 0),
            ("deleted", 0),
            ("in_spool", 0),
            ("in_other_spools", 0),
            ("quarantined", 0),
        ] {
            assert_eq!(totals[name], expected, "{name} in {found}");
        }
        let reasons = &totals["reasons"];
        assert_eq!(reasons["rejected"], json!({ "message_missing": 7 }));
        assert_eq!(reasons["limited"], json!({ "rate_limited_project": 11, "batch_exceeds_cap": 21 }));
        assert_eq!(reasons["refused"], json!({ "idempotency_conflict": 9 }));
        assert_eq!(totals["refused_requests"], json!({ "invalid_json": 1 }));
        assert_eq!(found["hours"].as_array().unwrap().len(), 1, "all in one hour: {found}");
        assert_eq!(found["balance"]["uncounted"], 0, "{found}");
    })
    .await;
}

#[tokio::test]
async fn what_is_purged_or_goes_with_its_project_stays_in_the_ledger() {
    everywhere(async |running| {
        let (web, gone) = (running.project("web").await, running.project("gone").await);
        running.send(batch(&web, "a", 4, 0)).await.counts();
        running.send(batch(&gone, "b", 3, 0)).await.counts();
        running.hand.advance(3_600_000);
        running.send(batch(&web, "c", 2, 0)).await.counts();
        let purge = json!({ "project_id": web.project_id, "older_than": "-30m" });
        assert_eq!(running.admin(Method::POST, "/admin/purge", &purge).await.json()["deleted_events"], 4);
        let deleted = running.admin(Method::DELETE, "/admin/projects/gone", &Value::Null).await;
        assert!(deleted.status < 300, "{}", deleted.body);
        let all = until(running, "", "all is written", |found| {
            found["totals"]["received"] == 9 && found["balance"]["balanced"] == true
        })
        .await;
        assert_eq!(all["totals"]["reasons"]["deleted"], json!({ "project": 3 }), "{all}");
        let projects = all["projects"].as_array().unwrap();
        let of =
            |id: i64| projects.iter().find(|one| one["project_id"] == id).unwrap_or_else(|| panic!("{all}"));
        let numbers =
            |one: &Value| ["accepted", "purged", "deleted", "stored"].map(|name| one[name].as_i64().unwrap());
        assert_eq!(numbers(of(web.project_id)), [6, 4, 0, 2]);
        assert_eq!(of(web.project_id)["project"], "web");
        assert_eq!(numbers(of(gone.project_id)), [3, 0, 3, 0]);
        assert_eq!(of(gone.project_id)["project"], Value::Null);
        let hours = all["hours"].as_array().unwrap();
        assert_eq!(hours.len(), 2, "{all}");
        assert_eq!(numbers(&hours[0]), [7, 4, 3, 0], "in the hour of receipt");
        assert_eq!(numbers(&hours[1]), [2, 0, 0, 2]);
    })
    .await;
}

#[tokio::test]
async fn requests_refused_before_their_project_is_known_are_counted_with_their_reason() {
    on_sqlite(&[("RATE_LIMIT_PER_IP", "6"), ("MAX_PAYLOAD_BYTES", "1024")], async |running| {
        let key = running.project("web").await;
        let forged =
            Post { headers: vec![("x-project-key".to_owned(), key.text.clone())], ..batch(&key, "f", 1, 0) };
        let large = Post::bare(&key, vec![b'x'; 2_000]);
        let strange = batch(&key, "s", 1, 0).with("content-encoding", "rot13");
        let twice = batch(&key, "t", 1, 0).with("content-encoding", "gzip").with("content-encoding", "gzip");
        for (post, status) in
            [(forged.clone(), 401), (forged, 401), (large, 413), (strange, 415), (twice, 415)]
        {
            let answer = running.send(post).await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
        // On a slow machine the limit lets one more through now and then.
        let mut limited = 0;
        while limited < 3 {
            let status = running.send(batch(&key, "good", 1, 0)).await.status;
            limited += i32::from(status == 429);
            assert!(matches!(status, 200 | 429), "{status}");
        }
        let all = until(running, "", "all is written", |found| {
            found["totals"]["refused_requests"]["rate_limited_client"] == 3
                && found["totals"]["accepted"] == 1
        })
        .await;
        let expected = json!({
            "unauthorized": 2, "payload_too_large": 1, "unsupported_encoding": 2, "rate_limited_client": 3,
        });
        assert_eq!(all["totals"]["refused_requests"], expected, "{all}");
        let known = &all["totals"];
        let events = known["accepted"].as_i64().unwrap() + known["duplicate"].as_i64().unwrap();
        assert_eq!(known["received"], events, "they are requests, not events");
        let metrics = running.admin(Method::GET, "/metrics", &Value::Null).await.body;
        for line in [
            "tekno_ingest_requests_refused_total{reason=\"unauthorized\"} 2",
            "tekno_ingest_requests_refused_total{reason=\"rate_limited_client\"} 3",
            "tekno_events_accepted_total 1",
        ] {
            assert!(metrics.lines().any(|one| one == line), "{line} in\n{metrics}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_whose_client_left_before_the_answer_is_counted_by_what_became_of_it() {
    let database = TestDatabase::sqlite();
    let running = Running::start(&database, &[]).await;
    let key = running.project("web").await;
    let body = json!([{ "message": "a" }, { "message": "b" }, { "level": "info" }]).to_string();
    let lock = database.lock_sqlite().await;
    let signature = sign(&key.signing_secret, &[body.as_bytes()]);
    let head = format!(
        "POST /log HTTP/1.1\r\nhost: t\r\nx-project-key: {}\r\nx-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
        key.text,
        body.len()
    );
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    // In the queue or at the lock: from here on it is stored without its client.
    let queued = async || {
        let metrics = running.admin(Method::GET, "/metrics", &Value::Null).await.body;
        let taken = |line: &str| line.starts_with("tekno_queue_bytes ") && line != "tekno_queue_bytes 0";
        metrics.lines().any(taken)
    };
    let started = Instant::now();
    while !queued().await {
        assert!(started.elapsed() < PATIENCE, "it is queued");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // On this machine the other side has its end as soon as it is closed.
    drop(client);
    lock.release().await;
    let found = until(&running, "project_id=web", "it is counted", |found| {
        found["totals"]["received"] == 3 && found["balance"]["balanced"] == true
    })
    .await;
    assert_eq!(
        (&found["totals"]["accepted"], &found["totals"]["rejected"]),
        (&json!(2), &json!(1)),
        "{found}"
    );
    assert_eq!(found["balance"]["uncounted"], 0, "the writer counted it: {found}");
    // One that leaves in the middle of its body is a request that was refused.
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(format!("{head}[").as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    drop(client);
    until(&running, "", "the request is counted", |found| {
        let requests = found["totals"]["refused_requests"].as_object().unwrap();
        requests.values().filter_map(Value::as_i64).sum::<i64>() == 1
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn batches_that_are_not_stored_cost_their_project_nothing() {
    on_sqlite(&[], async |running| {
        let key = running.project_with("web", json!({ "minute_cap": 10 })).await;
        assert_eq!(running.send(batch(&key, "a", 4, 0)).await.status, 200);
        for _ in 0..2 {
            assert_eq!(running.send(batch(&key, "a", 4, 0)).await.status, 200, "a duplicate");
            assert_eq!(running.send(batch(&key, "a", 5, 0)).await.status, 409, "a conflict");
        }
        assert_eq!(
            running.send(batch(&key, "b", 6, 0)).await.status,
            200,
            "all of the cap is left for new ones"
        );
        assert_eq!(running.send(batch(&key, "c", 1, 0)).await.status, 429);
    })
    .await;
}

#[tokio::test]
async fn a_read_key_sees_its_own_project_and_nobody_else_anything() {
    on_sqlite(&[], async |running| {
        let (web, other) = (running.project("web").await, running.project("other").await);
        running.send(batch(&web, "a", 2, 0)).await.counts();
        running.send(batch(&other, "b", 5, 0)).await.counts();
        let read = running.key(web.project_id, "read").await;
        let bearer = format!("Bearer {}", read.text);
        let get = async |path: &str| {
            running.request(Method::GET, path, &[("authorization", bearer.as_str())], Vec::new()).await
        };
        let own = get("/stats/ledger").await;
        assert_eq!(own.status, 200, "{}", own.body);
        assert_eq!(own.json()["totals"]["stored"], 2);
        assert_eq!(own.json()["projects"], Value::Null, "nothing of others");
        assert_eq!(get("/stats/ledger?project_id=other").await.status, 404);
        assert_eq!(running.request(Method::GET, "/stats/ledger", &[], Vec::new()).await.status, 401);
        let server_key = format!("Bearer {}", web.text);
        let headers = [("authorization", server_key.as_str())];
        assert_eq!(running.request(Method::GET, "/stats/ledger", &headers, Vec::new()).await.status, 401);
        let headers = [("x-admin-token", ADMIN_TOKEN)];
        for (query, status) in
            [("from=-93d", 400), ("from=x", 400), ("project_id=none", 404), ("from=-92d", 200)]
        {
            let path = format!("/stats/ledger?{query}");
            let answer = running.request(Method::GET, &path, &headers, Vec::new()).await;
            assert_eq!(answer.status, status, "{query}: {}", answer.body);
        }
    })
    .await;
}

#[tokio::test]
async fn the_ledger_says_when_nobody_was_awake() {
    everywhere(async |running| {
        let minute = START_SECONDS / 60 + 600;
        running.hand.advance(600 * 60_000);
        let mut session = running.state.store.work().await.unwrap();
        for (from, to) in [(500, 520), (522, 530), (540, 550)] {
            session.cover_minutes(minute - 600 + from, minute - 600 + to).await.unwrap();
        }
        drop(session);
        let at = |minutes: i64| Timestamp::from_millis((minute - 600 + minutes) * 60_000).to_string();
        let slept = |from: i64, to: i64| json!({ "from": at(from), "to": at(to) });
        let asked = format!("from={}&to={}", at(510), at(599));
        assert_eq!(
            ledger(running, &asked).await["unseen"],
            json!([slept(530, 540), slept(550, 600)]),
            "two minutes are a restart, and the time before is unknown"
        );
        let asked = format!("from={}&to={}", at(480), at(535));
        let unseen = ledger(running, &asked).await["unseen"].clone();
        assert_eq!(unseen[0], slept(530, 540), "whole hours are shown");
        let mut session = running.state.store.work().await.unwrap();
        for nap in 0..110 {
            let from = minute - 600 - 5 * nap;
            session.cover_minutes(from, from + 1).await.unwrap();
        }
        drop(session);
        let asked = format!("from={}&to={}", at(-600), at(599));
        let unseen = ledger(running, &asked).await["unseen"].as_array().unwrap().clone();
        assert_eq!((unseen.len(), &unseen[99]), (100, &slept(550, 600)), "the last ones, oldest first");
    })
    .await;
}
