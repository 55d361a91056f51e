//! Which events a rule looks at, and which channels it speaks on.

use serde_json::{Value, json};

use crate::delivery::{OPEN, history, webhook};
use crate::receiver::Receiver;
use crate::rule_api::{changed, made};
use crate::rules::{counted, said, send};
use crate::running::{Key, Post, Running, everywhere, on_sqlite};

/// Sends so many events of a level and environment.
async fn send_as(running: &Running, key: &Key, name: &str, event: Value, count: usize) {
    let post = Post::bare(key, json!(vec![event; count]).to_string());
    let answer = running.send(post.with("idempotency-key", name)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn error(message: &str, env: &str) -> Value {
    json!({ "level": "error", "message": message, "env": env })
}

async fn titles(running: &Running, kind: &str) -> Vec<String> {
    let all = history(running, "limit=500").await;
    let of_kind = all.iter().filter(|one| one["kind"] == kind);
    of_kind.map(|one| one["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn environments_and_levels_choose_which_issues_are_new() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let body = json!({ "environments": { "include": [], "exclude": ["Staging"] }, "levels": ["fatal"] });
        changed(running, &json!("new_issue"), body).await;
        send_as(
            running,
            &key,
            "a",
            json!({ "level": "fatal", "message": "in staging", "env": "staging" }),
            1,
        )
        .await;
        send_as(running, &key, "b", error("only an error", "production"), 1).await;
        counted(running, 2).await;
        assert_eq!(titles(running, "new_issue").await, [""; 0]);
        // One batch, both environments: one of them is looked at.
        let both = json!([
            { "level": "fatal", "message": "in both", "env": "staging" },
            { "level": "fatal", "message": "in both", "env": "production" }
        ]);
        let answer = running.send(Post::bare(&key, both.to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        said(running, "new_issue", 1).await;
        assert_eq!(titles(running, "new_issue").await, ["in both"]);
    })
    .await;
}

#[tokio::test]
async fn an_error_rate_of_some_environments_counts_only_their_errors() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let body = json!({ "n": 10, "environments": { "include": ["production"], "exclude": [] } });
        changed(running, &json!("error_rate"), body).await;
        send_as(running, &key, "a", error("in staging", "staging"), 60).await;
        send_as(running, &key, "b", error("in production", "production"), 9).await;
        send_as(running, &key, "c", json!({ "level": "info", "message": "all is well" }), 20).await;
        counted(running, 89).await;
        assert_eq!(titles(running, "error_rate").await, [""; 0]);
        send_as(running, &key, "d", error("in production", "Production"), 1).await;
        said(running, "error_rate", 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_spike_within_some_environments_counts_only_their_events_of_the_issue() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let body = json!({ "environments": { "include": ["production"], "exclude": [] } });
        changed(running, &json!("spike"), body).await;
        // One batch, one issue, both environments: four of them count.
        let of = |env: &str, count: usize| vec![error("disk is full", env); count];
        let both = [of("staging", 30), of("Production", 4)].concat();
        let answer = running.send(Post::bare(&key, json!(both).to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        counted(running, 34).await;
        send_as(running, &key, "other", error("card was declined", "staging"), 20).await;
        counted(running, 54).await;
        assert_eq!(titles(running, "spike").await, [""; 0]);
        send_as(running, &key, "one-more", error("disk is full", "production"), 1).await;
        let messages = said(running, "spike", 1).await;
        assert_eq!(messages.len(), 1);
        assert_eq!(titles(running, "spike").await, ["disk is full"]);

        // Everything but one: what is young is held against all events of the issue, of which those of now are many.
        let body = json!({ "environments": { "include": [], "exclude": ["staging"] }, "cooldown_sec": 60 });
        changed(running, &json!("spike"), body).await;
        send_as(running, &key, "third", error("queue is stuck", "staging"), 40).await;
        send_as(running, &key, "fourth", error("queue is stuck", "testing"), 4).await;
        counted(running, 99).await;
        assert_eq!(titles(running, "spike").await.len(), 1);
        send_as(running, &key, "fifth", error("queue is stuck", "production"), 1).await;
        said(running, "spike", 2).await;
        assert!(titles(running, "spike").await.contains(&"queue is stuck".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_share_of_errors_is_of_all_events_and_of_at_least_n_errors() {
    everywhere(async |running| {
        for (slug, body) in [
            ("whole", json!({ "kind": "error_rate", "n": 10, "share": 0.5 })),
            ("part", json!({ "kind": "error_rate", "n": 10, "share": 0.5, "environments": { "include": ["production"] } })),
        ] {
            let key = running.project(slug).await;
            let mut body = body.clone();
            body["project_id"] = json!(key.project_id);
            made(running, body).await;
            let of_project = async || {
                let all = history(running, &format!("limit=500&project_id={}", key.project_id)).await;
                all.iter().filter(|one| one["kind"] == "error_rate").count()
            };
            let before = running.admin(reqwest::Method::GET, "/stats", &Value::Null).await.json()["total"].as_i64().unwrap();
            let ok = json!({ "level": "info", "message": "all is well", "env": "production" });
            send_as(running, &key, "a", error("broken", "production"), 9).await;
            counted(running, before + 9).await;
            assert_eq!(of_project().await, 0, "{slug}: all of them, but nine");
            send_as(running, &key, "b", ok.clone(), 13).await;
            send_as(running, &key, "c", error("broken", "production"), 3).await;
            counted(running, before + 25).await;
            assert_eq!(of_project().await, 0, "{slug}: twelve, but of 25");
            send_as(running, &key, "d", error("broken", "production"), 1).await;
            crate::process::until("it is said", crate::process::PATIENCE, || async { of_project().await == 1 }).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_issue_left_out_has_no_spike_and_warnings_are_errors_where_a_rule_says_so() {
    everywhere(async |running| {
        let key = running.project("web").await;
        send(running, &key, "one", "disk is full", 1).await;
        counted(running, 1).await;
        let listed = running.admin(reqwest::Method::GET, "/issues", &Value::Null).await.json();
        let id = listed["issues"][0]["id"].clone();
        changed(running, &json!("spike"), json!({ "issues": { "include": [], "exclude": [id] } })).await;
        changed(running, &json!("error_rate"), json!({ "n": 30, "levels": ["warn"] })).await;
        send(running, &key, "two", "disk is full", 40).await;
        send(running, &key, "three", "card was declined", 5).await;
        said(running, "spike", 1).await;
        assert_eq!(titles(running, "spike").await, ["card was declined"]);
        counted(running, 46).await;
        assert_eq!(titles(running, "error_rate").await, [""; 0], "errors are none of its levels");
        send_as(running, &key, "four", json!({ "level": "warn", "message": "getting full" }), 30).await;
        said(running, "error_rate", 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_speaks_on_its_channels_alone_and_on_none_that_is_off() {
    on_sqlite(&[OPEN], async |running| {
        let (one, two) = (Receiver::start().await, Receiver::start().await);
        let (mine, _) = webhook(running, &one.url("/mine")).await;
        webhook(running, &two.url("/other")).await;
        changed(running, &json!("spike"), json!({ "channels": [mine], "name": "my spikes" })).await;
        let key = running.project("web").await;
        send(running, &key, "burst", "disk is full", 5).await;
        let messages = said(running, "spike", 1).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(
            (&messages[0]["channel"], &messages[0]["rule"]),
            (&json!(mine.to_string()), &json!("my spikes"))
        );
        let path = format!("/admin/alerts/channels/{mine}");
        running.admin(reqwest::Method::PUT, &path, &json!({ "enabled": false })).await;
        send(running, &key, "another", "card was declined", 5).await;
        let messages = said(running, "spike", 2).await;
        let unsent = messages.iter().filter(|one| one["channel"].is_null() && one["state"] == "unsent");
        assert_eq!((messages.len(), unsent.count()), (2, 1), "{messages:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_no_channel_speaks_in_the_history_alone() {
    on_sqlite(&[OPEN], async |running| {
        let receiver = Receiver::start().await;
        webhook(running, &receiver.url("/never")).await;
        let rule = changed(running, &json!("spike"), json!({ "channels": [] })).await;
        assert_eq!(rule["channels"], json!([]), "{rule}");
        let rule = changed(running, &rule["id"], json!({ "cooldown_sec": 60 })).await;
        assert_eq!(rule["channels"], json!([]), "{rule}");
        let key = running.project("web").await;
        send(running, &key, "burst", "disk is full", 5).await;
        let messages = said(running, "spike", 1).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!((&messages[0]["channel"], &messages[0]["state"]), (&Value::Null, &json!("unsent")));
        let everywhere = changed(running, &rule["id"], json!({ "channels": null })).await;
        assert_eq!(everywhere["channels"], Value::Null, "{everywhere}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_given_to_another_project_hears_no_more_of_the_one_whose_rule_names_it() {
    on_sqlite(&[OPEN], async |running| {
        let receiver = Receiver::start().await;
        let (moved, _) = webhook(running, &receiver.url("/moved")).await;
        let (key, other) = (running.project("web").await, running.project("other").await);
        made(running, json!({ "kind": "spike", "project_id": key.project_id, "channels": [moved] })).await;
        let path = format!("/admin/alerts/channels/{moved}");
        let answer =
            running.admin(reqwest::Method::PUT, &path, &json!({ "project_id": other.project_id })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        send(running, &key, "burst", "disk is full", 5).await;
        let messages = said(running, "spike", 1).await;
        assert_eq!((&messages[0]["channel"], &messages[0]["state"]), (&Value::Null, &json!("unsent")));
    })
    .await;
}

/// The number of a counter on `/metrics`; 0 where it isn't there yet.
async fn metric(running: &Running, name: &str) -> u64 {
    let metrics = running.admin(reqwest::Method::GET, "/metrics", &Value::Null).await.body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |number| number.trim().parse().unwrap())
}

#[tokio::test]
async fn blocks_beyond_the_bounds_of_a_fold_are_left_out_and_said_so() {
    let settings = [("MAX_PAYLOAD_BYTES", "4194304"), ("RATE_LIMIT_PER_MINUTE", "0")];
    on_sqlite(&settings, async |running| {
        let key = running.project("web").await;
        made(running, json!({ "kind": "query", "q": "needle -\"not this\"", "n": 1_000_000 })).await;
        // Ten of about two mebibytes, when sixteen are looked through at once.
        let long = format!("needle {}", "hay ".repeat(2_000));
        for batch in 0..10 {
            let event = json!({ "level": "info", "message": long, "user_id": batch.to_string() });
            send_as(running, &key, &format!("batch-{batch}"), event, 250).await;
        }
        counted(running, 2_500).await;
        let state = &running.state;
        let mut session = state.store.work().await.unwrap();
        let since = tekno_logger::timestamp::Timestamp::from_millis(0);
        let blocks = session.recent_blocks(&[key.project_id], since, 1_000).await.unwrap().blocks;
        let (channels, directory) = (state.channels.clone(), state.directory.clone());
        let rules = tekno_logger::alert::Rules::new(channels, state.outbox.clone(), directory, None, 0);
        rules.reload(&mut session).await.unwrap();
        drop(session);
        let piece = |block: &tekno_logger::store::RecentBlock| tekno_logger::store::FoldPiece {
            block: tekno_logger::store::Unfolded { project_id: block.project_id, block_id: block.id },
            events: block.events,
            received: since,
            levels: Vec::new(),
            issues: Vec::new(),
        };
        let pieces: Vec<_> = blocks.iter().map(piece).collect();
        let of = async |outcome: &str| {
            metric(running, &format!("tekno_alert_rule_blocks_total{{outcome=\"{outcome}\"}}")).await
        };
        let before = (of("tested").await, of("skipped").await);
        let tested = rules.test(&state.store, &pieces).await;
        let (whole, skipped) = (of("tested").await - before.0, of("skipped").await - before.1);
        assert_eq!(whole + skipped, blocks.len() as u64, "each block is one or the other");
        assert!(skipped > 0, "{whole} of {}", blocks.len());
        let matched: i64 =
            tested.of_blocks(&pieces.iter().collect::<Vec<_>>()).values().map(|count| count.matched).sum();
        assert!((0..2_500).contains(&matched), "{matched}");
    })
    .await;
}
