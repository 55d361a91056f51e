//! Rules over folds, cooldowns, restarts and instances: the same is said once, and nothing found is forgotten.

use reqwest::Method;
use serde_json::{Value, json};

use crate::delivery::history;
use crate::process::{PATIENCE, until};
use crate::rule_api::{changed, deleted, made};
use crate::rules::{counted, said, send};
use crate::running::{Key, Post, Running, START_SECONDS, everywhere};
use crate::support::TestDatabase;

const COOLDOWN_MS: i64 = 900_000;
const SLEEP_MS: i64 = 3_700_000;

/// Kinds of what began, sorted; ends are not among them.
async fn kinds(running: &Running) -> Vec<String> {
    let all = history(running, "limit=500").await;
    let began = all.iter().filter(|one| {
        let title = one["title"].as_str().unwrap();
        !title.starts_with("Resolved: ") && one["kind"] != "overflow_ended"
    });
    let mut kinds: Vec<String> = began.map(|one| one["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds
}

async fn without_spool(database: &TestDatabase) -> Running {
    Running::start(database, &[("SPOOL_MAX_BYTES", "0")]).await
}

async fn both_on(database: &TestDatabase) -> (Running, Running) {
    (without_spool(database).await, without_spool(database).await)
}

/// As if the service had been awake before the test begins: what is usual is told by minutes awake.
async fn awake_for_an_hour(database: &TestDatabase) {
    let minute = START_SECONDS / 60;
    let store = database.store().await;
    store.work().await.unwrap().cover_minutes(minute - 60, minute).await.unwrap();
}

/// What messages of a kind say was held back before them, oldest first.
async fn suppressed(database: &TestDatabase, kind: &str) -> Vec<u64> {
    let find = format!("SELECT message FROM alert_outbox WHERE kind = '{kind}' ORDER BY id");
    let read =
        |row: Vec<Vec<u8>>| serde_json::from_slice::<Value>(&row[0]).unwrap()["suppressed"].as_u64().unwrap();
    database.rows(&find).await.into_iter().map(read).collect()
}

/// Sends more events at once than the project may send in a minute.
async fn limited(running: &Running, key: &Key, name: &str, count: usize) {
    let event = json!({ "level": "error", "message": "disk is full" });
    let post = Post::bare(key, json!(vec![event; count]).to_string());
    let answer = running.send(post.with("idempotency-key", name)).await;
    assert_eq!(answer.refusal(), (413, "batch_exceeds_cap".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_that_fold_at_once_say_each_alert_once() {
    let Some(database) = TestDatabase::server().await else { return };
    let (one, two) = both_on(&database).await;
    let key = one.project_with("web", json!({ "minute_cap": 2_000 })).await;
    made(&one, json!({ "kind": "query", "q": "\"disk is\"", "n": 40 })).await;
    let (mut sent, rounds) = (0, 2);
    for round in 1..=rounds {
        // Each fold of either has a part of everything.
        for part in 0..6 {
            let name = |instance: &str| format!("{round}-{part}-{instance}");
            let (name_one, name_two) = (name("one"), name("two"));
            tokio::join!(
                send(&one, &key, &name_one, "disk is full", 140),
                send(&two, &key, &name_two, "disk is full", 140)
            );
            sent += 280;
        }
        counted(&one, sent).await;
        let mut expected = vec!["custom", "error_rate", "near_cap", "overflow_started", "spike"];
        if round == 1 {
            expected.push("new_issue");
        }
        let expected_now = if round == 1 { 6 } else { 11 };
        until("all is said", PATIENCE, || async { kinds(&one).await.len() >= expected_now }).await;
        let mut wanted: Vec<String> = expected.iter().map(|kind| (*kind).to_owned()).collect();
        if round == 2 {
            wanted.extend(
                ["custom", "error_rate", "near_cap", "new_issue", "overflow_started", "spike"]
                    .map(str::to_owned),
            );
        }
        wanted.sort();
        assert_eq!(kinds(&one).await, wanted, "round {round}");
        for running in [&one, &two] {
            // Longer than what says what is usual, of which all was slept through but a moment.
            running.hand.advance(SLEEP_MS);
        }
    }
    one.stop().await;
    two.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_counts_over_folds_instances_and_restarts() {
    let Some(database) = TestDatabase::server().await else { return };
    let (one, two) = both_on(&database).await;
    let key = one.project("web").await;
    // The other instance folds something first, so that it knows the rules of before.
    send(&two, &key, "zero", "nothing of that kind", 1).await;
    counted(&one, 1).await;
    made(
        &one,
        json!({ "kind": "query", "name": "declined cards", "q": "declined source:shop project:web", "n": 5 }),
    )
    .await;
    for running in [&one, &two] {
        running.hand.advance(9_000);
    }
    send(&two, &key, "first", "card 1 was declined", 2).await;
    counted(&one, 3).await;
    one.stop().await;
    let one = without_spool(&database).await;
    // Around the edge of a bucket.
    one.hand.advance(11_000);
    send(&one, &key, "second", "card 2 was declined", 2).await;
    counted(&one, 5).await;
    assert!(!kinds(&one).await.contains(&"custom".to_owned()), "four are not enough");
    send(&one, &key, "third", "card 3 was declined", 1).await;
    let messages = said(&one, "custom", 1).await;
    assert_eq!((messages.len(), &messages[0]["rule"]), (1, &json!("declined cards")));
    one.stop().await;
    two.stop().await;
    database.remove().await;
}

#[tokio::test]
async fn what_is_found_in_the_cooldown_is_counted_and_a_restart_says_nothing_again() {
    for database in TestDatabase::all().await {
        awake_for_an_hour(&database).await;
        let running = Running::start(&database, &[]).await;
        let key = running.project("web").await;
        changed(&running, &json!("spike"), json!({ "cooldown_sec": 300 })).await;
        send(&running, &key, "burst", "disk is full", 5).await;
        said(&running, "spike", 1).await;
        // Ten minutes of it: said once more in the middle.
        let mut sent = 5;
        let mut running = running;
        for minute in 1..10 {
            if minute == 3 {
                running.stop().await;
                running = Running::start(&database, &[]).await;
                running.hand.advance(120_000);
            }
            running.hand.advance(60_000);
            send(&running, &key, &format!("minute-{minute}"), "disk is full", 60).await;
            sent += 60;
            counted(&running, sent).await;
        }
        assert_eq!(said(&running, "spike", 2).await.len(), 2, "{}", database.name);
        assert_eq!(suppressed(&database, "spike").await, [0, 4], "a minute each in between");
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn new_issues_within_the_cooldown_are_counted_one_by_one() {
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        let key = running.project("web").await;
        let words = ["disk", "card", "login", "timeout", "proxy", "cache", "queue"];
        for (number, word) in words.iter().enumerate() {
            send(&running, &key, word, &format!("the {word} is broken"), 1).await;
            counted(&running, i64::try_from(number).unwrap() + 1).await;
        }
        assert_eq!(said(&running, "new_issue", 1).await.len(), 1);
        running.hand.advance(COOLDOWN_MS);
        send(&running, &key, "late", "quite another thing", 1).await;
        assert_eq!(said(&running, "new_issue", 2).await.len(), 2);
        assert_eq!(suppressed(&database, "new_issue").await, [0, 6], "{}", database.name);
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_on_the_other_instance_and_the_default_is_back_after_deletion() {
    let Some(database) = TestDatabase::server().await else { return };
    let (one, two) = both_on(&database).await;
    let key = one.project("web").await;
    send(&two, &key, "zero", "disk is full", 1).await;
    counted(&one, 1).await;
    let rule = changed(&one, &json!("spike"), json!({ "n": 20, "name": "many" })).await;
    send(&two, &key, "nine", "disk is full", 9).await;
    counted(&one, 10).await;
    assert!(!kinds(&one).await.contains(&"spike".to_owned()), "ten are not enough");
    send(&two, &key, "ten-more", "disk is full", 10).await;
    assert_eq!(said(&one, "spike", 1).await[0]["rule"], "many");
    deleted(&one, &rule["id"]).await;
    send(&two, &key, "five", "another disk is broken", 5).await;
    let messages = said(&one, "spike", 2).await;
    let mut rules: Vec<&Value> = messages.iter().map(|message| &message["rule"]).collect();
    rules.sort_by_key(ToString::to_string);
    assert_eq!(rules, [&json!("many"), &json!("spike")]);
    changed(&two, &json!("spike"), json!({ "enabled": false })).await;
    send(&one, &key, "off", "a third thing goes wrong", 30).await;
    counted(&one, 55).await;
    assert_eq!(said(&one, "spike", 2).await.len(), 2, "it is off");
    one.stop().await;
    two.stop().await;
    database.remove().await;
}

#[tokio::test]
async fn a_burst_gives_two_messages_a_rule_at_most_with_a_query_and_a_cap() {
    everywhere(async |running| {
        let key = running.project_with("web", json!({ "minute_cap": 10_500 })).await;
        made(running, json!({ "kind": "query", "q": "level:error", "n": 100 })).await;
        made(running, json!({ "kind": "query", "q": "\"disk is\" -staging", "n": 100, "name": "disks" }))
            .await;
        for batch in 0..40 {
            send(running, &key, &format!("batch-{batch}"), "disk is full", 250).await;
        }
        counted(running, 10_000).await;
        said(running, "near_cap", 1).await;
        let path = format!("/admin/projects/{}", key.project_id);
        assert_eq!(running.admin(Method::PUT, &path, &json!({ "minute_cap": 100 })).await.status, 200);
        limited(running, &key, "refused", 250).await;
        for kind in ["overflow_started", "new_issue", "spike", "error_rate"] {
            let messages = said(running, kind, 1).await;
            assert!(messages.len() <= 2, "{kind}: {messages:?}");
        }
        let queries = said(running, "custom", 2).await;
        assert_eq!(queries.len(), 2, "one of each rule: {queries:?}");
        let cap = said(running, "near_cap", 2).await;
        assert_eq!(cap.len(), 2, "near it, then over it: {cap:?}");
        assert!(cap.iter().any(|one| one["title"].as_str().unwrap().contains("dropped")), "{cap:?}");
        let metrics = running.admin(Method::GET, "/metrics", &Value::Null).await.body;
        assert!(metrics.contains("tekno_alerts_total{rule=\"query\",outcome=\"said\"} 2"), "{metrics}");
        assert!(metrics.contains("tekno_alert_rule_blocks_total{outcome=\"tested\"}"), "{metrics}");
    })
    .await;
}

#[tokio::test]
async fn what_is_dropped_whole_is_said_though_nothing_is_stored() {
    everywhere(async |running| {
        let key = running.project_with("web", json!({ "minute_cap": 10 })).await;
        limited(running, &key, "too-many", 20).await;
        let messages = said(running, "near_cap", 1).await;
        assert!(messages[0]["title"].as_str().unwrap().contains("dropped"), "{messages:?}");
        limited(running, &key, "again", 20).await;
        let ledger = || async {
            let ledger = running.admin(Method::GET, "/stats/ledger", &Value::Null).await.body;
            ledger.contains("40")
        };
        until("both are in the ledger", PATIENCE, ledger).await;
        assert_eq!(said(running, "near_cap", 1).await.len(), 1);
    })
    .await;
}
