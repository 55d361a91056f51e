//! Every refusal of API.md's table, each with its status, its code and nothing stored.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tekno_logger::config::Secret;
use tekno_logger::key::{KeyKind, KeyRing};

use crate::running::{Answer, Key, PATIENCE, Post, Running, START_SECONDS, everywhere, on_sqlite};
use crate::support::{HMAC_SECRET, TestDatabase};

const BODY: &str = r#"{"message":"m"}"#;

/// What an answer says apart from what names the request and the second.
fn blank(answer: &Answer) -> (u16, String, BTreeSet<(String, String)>) {
    let id = answer.header("x-request-id").unwrap();
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date" && *name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status, answer.body.replace(id, "ID"), headers.collect())
}

/// A key that verifies under `secret` but that no database has.
fn minted(secret: &str, kind: KeyKind, project_id: i64) -> Key {
    let ring = KeyRing::new(&Secret::new(secret), None);
    let key = ring.mint(kind, project_id, 9);
    let signing_secret = ring.signing_secret(&ring.check(key.expose()).unwrap()).expose().to_owned();
    Key { project_id, id: 9, text: key.expose().to_owned(), signing_secret }
}

#[tokio::test]
async fn every_doubt_about_the_sender_gets_one_and_the_same_answer() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let revoked = running.key(key.project_id, "server").await;
        let path = format!("/admin/projects/web/keys/{}", revoked.id);
        assert_eq!(running.admin(Method::DELETE, &path, &Value::Null).await.status, 204);
        let gone = running.project("gone").await;
        assert_eq!(running.admin(Method::DELETE, "/admin/projects/gone", &Value::Null).await.status, 204);
        let mut reader = running.key(key.project_id, "read").await;
        reader.signing_secret = minted(HMAC_SECRET, KeyKind::Server, 1).signing_secret;
        let mut other_secret = key.clone();
        other_secret.signing_secret = reader.signing_secret.clone();
        let mut altered = key.clone();
        let last = altered.text.pop().unwrap();
        altered.text.push(if last == 'a' { 'b' } else { 'a' });
        let bare = Post::bare(&key, BODY);
        let mut other_body = bare.clone();
        other_body.body = br#"{"message":"n"}"#.to_vec();
        let timed = Post::timed(&key, START_SECONDS, BODY);
        let cases = [
            ("no headers", bare.clone().without("x-project-key").without("x-signature")),
            ("no signature", bare.clone().without("x-signature")),
            ("no key", bare.clone().without("x-project-key")),
            ("a key of another service", Post::bare(&minted("another secret", KeyKind::Server, 1), BODY)),
            ("a key the database doesn't have", Post::bare(&minted(HMAC_SECRET, KeyKind::Server, 1), BODY)),
            (
                "a key of a project that never was",
                Post::bare(&minted(HMAC_SECRET, KeyKind::Server, 99), BODY),
            ),
            ("an altered key", Post::bare(&altered, BODY)),
            ("a revoked key", Post::bare(&revoked, BODY)),
            ("a key of a deleted project", Post::bare(&gone, BODY)),
            ("a read key", Post::bare(&reader, BODY)),
            ("the secret of another key", Post::bare(&other_secret, BODY)),
            ("another body", other_body),
            ("a signature cut short", bare.clone().without("x-signature").with("x-signature", "abcdef")),
            (
                "a signature that is no hex",
                bare.clone().without("x-signature").with("x-signature", &"z".repeat(64)),
            ),
            ("an empty signature", bare.clone().without("x-signature").with("x-signature", "sha256=")),
            ("two keys", bare.clone().with("x-project-key", &key.text)),
            ("two signatures", bare.clone().with("x-signature", &"0".repeat(64))),
            ("a time from too long ago", Post::timed(&key, START_SECONDS - 301, BODY)),
            ("a time too far ahead", Post::timed(&key, START_SECONDS + 301, BODY)),
            ("a time in milliseconds", Post::timed(&key, START_SECONDS * 1_000, BODY)),
            (
                "a time that is not under the MAC",
                bare.clone().with("x-timestamp", &START_SECONDS.to_string()),
            ),
            ("a MAC with a time, without the time", timed.without("x-timestamp")),
        ];
        let expected = blank(&running.send(cases[0].1.clone()).await);
        assert_eq!(expected.0, 401);
        assert!(expected.1.contains("\"unauthorized\""), "{}", expected.1);
        for (what, post) in cases {
            for path in ["/log", "/api/log"] {
                assert_eq!(blank(&running.send(post.clone().to(path)).await), expected, "{what} at {path}");
            }
        }
        assert_eq!(running.logs("").await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_at_all_is_400() {
    everywhere(async |running| {
        let key = running.project("web").await;
        for body in [
            "",
            "   ",
            "[",
            "nope",
            "[]",
            r#"{"events":[]}"#,
            r#"[{"message":"m"}] x"#,
            "\u{0}",
            r#"[{"message":"m"},]"#,
        ] {
            let answer = running.send(Post::bare(&key, body)).await;
            assert_eq!(answer.refusal(), (400, "invalid_json".to_owned()), "{body:?}");
        }
        assert_eq!(running.logs("").await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_which_every_event_is_refused_is_422_and_says_why_of_each() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let answer = running.send(Post::bare(&key, r#"[{"level":"info"},7,"text",null]"#)).await;
        assert_eq!(answer.refusal(), (422, "all_events_rejected".to_owned()));
        let problem = answer.json();
        assert_eq!(problem["received"], 4);
        let indexes: Vec<_> =
            problem["rejected"].as_array().unwrap().iter().map(|one| one["index"].clone()).collect();
        assert_eq!(indexes, [0, 1, 2, 3]);
        assert_eq!(problem["rejected"][0]["code"], "message_missing");
        assert_eq!(running.logs("").await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn each_of_the_three_ways_to_be_too_large_is_413_with_its_limit() {
    let changes = [("MAX_PAYLOAD_BYTES", "4096"), ("MAX_EVENTS_PER_POST", "20")];
    on_sqlite(&changes, async |running| {
        let key = running.project_with("web", json!({ "minute_cap": 10 })).await;
        let events = |count: usize| json!(vec![json!({ "message": "m" }); count]).to_string();
        for (what, body, code, limit) in [
            ("bytes", format!("{}{BODY}", " ".repeat(4_082)), "payload_too_large", "4096"),
            ("events", events(21), "too_many_events", "20"),
            ("the project's cap", events(11), "batch_exceeds_cap", "10"),
        ] {
            let answer = running.send(Post::bare(&key, body)).await;
            assert_eq!(answer.refusal(), (413, code.to_owned()), "{what}");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(limit), "{detail}");
            assert_eq!(answer.header("retry-after"), None, "to wait would not help");
        }
        assert_eq!(running.logs("").await.len(), 0);
        let fits = format!("{}{BODY}", " ".repeat(4_081));
        assert_eq!(running.send(Post::bare(&key, fits)).await.counts(), (1, 1, false), "exactly the cap");
        assert_eq!(running.send(Post::bare(&key, events(9))).await.counts(), (9, 9, false), "cap used up");
    })
    .await;
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_read_on_so_that_the_client_sees_the_answer() {
    on_sqlite(&[], async |running| {
        let key = running.project("web").await;
        for size in [600_000, 2_000_000] {
            let answer = running.send(Post::bare(&key, " ".repeat(size))).await;
            assert_eq!(answer.refusal(), (413, "payload_too_large".to_owned()), "{size}");
        }
    })
    .await;
}

async fn says_to_come_back(running: &Running, post: Post, code: &str) {
    let answer = running.send(post).await;
    assert_eq!(answer.refusal(), (503, code.to_owned()));
    let wait: u32 = answer.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[tokio::test]
async fn without_a_database_the_service_answers_health_and_tells_senders_to_come_back() {
    let database = TestDatabase::sqlite();
    // Nothing listens on port 1.
    let changes = [("DATABASE_URL", "mysql://root@127.0.0.1:1/none"), ("SPOOL_MAX_BYTES", "0")];
    let running = Running::start_without_database(&database, &changes);
    let health = running.request(Method::GET, "/healthz", &[], "").await;
    assert_eq!((health.status, health.json()["ok"].clone()), (200, json!(true)));
    assert_ne!(health.json()["database"], "connected");
    assert_eq!(running.request(Method::GET, "/readyz", &[], "").await.status, 503);
    let key = minted(HMAC_SECRET, KeyKind::Server, 1);
    says_to_come_back(&running, Post::bare(&key, BODY), "storage_unavailable").await;
    let forged = Post::bare(&minted("another", KeyKind::Server, 1), BODY);
    assert_eq!(running.send(forged).await.refusal(), (401, "unauthorized".to_owned()));
    running.stop().await;
}

#[tokio::test]
async fn a_database_that_is_locked_for_seconds_is_503_and_the_same_batch_is_stored_once_afterwards() {
    let database = TestDatabase::sqlite();
    let running = Running::start(&database, &[]).await;
    let key = running.project("web").await;
    let post = Post::timed(&key, START_SECONDS, BODY);
    let lock = database.lock_sqlite().await;
    says_to_come_back(&running, post.clone(), "storage_unavailable").await;
    lock.release().await;
    let since = std::time::Instant::now();
    let mut answer = running.send(post.clone()).await;
    while answer.status != 200 && since.elapsed() < PATIENCE {
        assert_eq!(answer.status, 503, "{}", answer.body);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        answer = running.send(post.clone()).await;
    }
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(running.send(post).await.counts(), (1, 1, true));
    assert_eq!(running.logs("").await.len(), 1);
    running.stop().await;
}
