//! What is worth an alert, from events posted to the real service to the message on a channel.

use reqwest::Method;
use serde_json::{Value, json};
use tekno_logger::alert::Enqueued;

use crate::delivery::{OPEN, alert, enqueued, history};
use crate::instances::ClosedPort;
use crate::process::{PATIENCE, until};
use crate::receiver::Receiver;
use crate::rule_api::made;
use crate::running::{Key, Post, Running, everywhere};
use crate::support::TestDatabase;

/// Sends so many errors with one message, each batch with a body of its own.
pub async fn send(running: &Running, key: &Key, name: &str, message: &str, count: usize) {
    let event = json!({ "level": "error", "message": message, "source": "shop", "request_id": name });
    let post = Post::bare(key, json!(vec![event; count]).to_string());
    let answer = running.send(post.with("idempotency-key", name)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Messages of a kind, once there are so many.
pub async fn said(running: &Running, kind: &str, count: usize) -> Vec<Value> {
    let of_kind = async || {
        let all = history(running, "limit=500").await;
        all.into_iter().filter(|one| one["kind"] == kind).collect::<Vec<Value>>()
    };
    until(&format!("{count} messages of {kind}"), PATIENCE, || async { of_kind().await.len() >= count })
        .await;
    of_kind().await
}

pub async fn counted(running: &Running, events: i64) {
    until(&format!("{events} events are counted"), PATIENCE, || async {
        let stats = running.admin(Method::GET, "/stats", &Value::Null).await.json();
        stats["total"] == events
    })
    .await;
}

/// A service whose environment names a Discord webhook, and what answers there.
async fn with_discord(database: &TestDatabase) -> (Running, Receiver) {
    let discord = Receiver::start().await;
    let url = discord.url("/hook");
    let settings = [OPEN, ("DISCORD_WEBHOOK_URL", &url), ("PUBLIC_URL", "http://logs.example.com")];
    (Running::start(database, &settings).await, discord)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spike_reaches_discord_with_count_and_link_and_no_clicking() {
    for database in TestDatabase::all().await {
        let (running, discord) = with_discord(&database).await;
        let key = running.project("web").await;
        made(&running, json!({ "kind": "query", "q": "\"was declined\"", "n": 5, "name": "Declined cards" }))
            .await;
        send(&running, &key, "burst", "card 4711 was declined", 5).await;
        let spikes = said(&running, "spike", 1).await;
        assert_eq!(spikes.len(), 1);
        until("it is delivered", PATIENCE, || async {
            discord.received().iter().any(|one| one.body.contains("Spike"))
        })
        .await;
        let got = discord.received();
        let spike = got.iter().find(|one| one.body.contains("Spike")).unwrap();
        assert!(spike.body.contains("http://logs.example.com/ui/issues/"), "{}", spike.body);
        // The title is what such events have in common; the sample is one of them as it came.
        for said in [
            "card 4711 was declined",
            "5 in 60 s (usually 0.0)",
            "web",
            "First seen",
            "Last seen",
            "production",
            "shop",
            "PUT /issues/",
        ] {
            assert!(spike.body.contains(said), "{said} in {}", spike.body);
        }
        let query = || discord.received().into_iter().find(|one| one.body.contains("Declined cards"));
        until("the query's is delivered", PATIENCE, || async { query().is_some() }).await;
        let body = query().unwrap().body;
        assert!(body.contains("card 4711 was declined"), "one of the events that matched: {body}");
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn four_errors_are_no_spike_and_three_and_two_around_a_bucket_are() {
    everywhere(async |running| {
        let key = running.project("web").await;
        // The clock stands at the start of a minute: one second before the next bucket of ten.
        running.hand.advance(9_000);
        send(running, &key, "three", "disk is full", 3).await;
        running.hand.advance(2_000);
        send(running, &key, "one", "disk is full", 1).await;
        counted(running, 4).await;
        assert!(history(running, "").await.iter().all(|one| one["kind"] != "spike"), "four are not enough");
        send(running, &key, "another", "disk is full", 1).await;
        assert_eq!(said(running, "spike", 1).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_errors_in_a_burst_give_two_messages_a_rule_at_most() {
    everywhere(async |running| {
        let key = running.project_with("web", json!({ "minute_cap": 100_000 })).await;
        for batch in 0..40 {
            send(running, &key, &format!("batch-{batch}"), "disk is full", 250).await;
        }
        counted(running, 10_000).await;
        for kind in ["overflow_started", "new_issue", "spike", "error_rate"] {
            let messages = said(running, kind, 1).await;
            assert!(messages.len() <= 2, "{kind}: {messages:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn events_that_are_rejected_are_said_and_how_a_rule_stands_is_shown() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let body = json!([{ "level": "error" }, { "level": "info" }, { "message": "all is well" }]);
        assert_eq!(running.send(Post::bare(&key, body.to_string())).await.status, 200);
        let messages = said(running, "near_cap", 1).await;
        assert_eq!((messages.len(), &messages[0]["title"]), (1, &json!("Events are being rejected")));
        let rules = running.admin(Method::GET, "/admin/alerts/rules", &Value::Null).await.json();
        let state = |kind: &str| {
            let rules = rules["rules"].as_array().unwrap();
            rules.iter().find(|rule| rule["kind"] == kind).unwrap()["state"].clone()
        };
        assert_eq!((&state("near_cap")["open"], &state("spike")["open"]), (&json!(1), &json!(0)));
        assert!(state("near_cap")["last_said_at"].is_string(), "{rules}");
        let path = format!("/admin/alerts/rules?project_id={}", running.project("other").await.project_id);
        let of_other = running.admin(Method::GET, &path, &Value::Null).await.json();
        assert!(of_other["rules"].as_array().unwrap().iter().all(|rule| rule["state"]["open"] == 0));
    })
    .await;
}

#[tokio::test]
async fn a_resolved_issue_that_comes_back_is_said_once_and_a_muted_one_never() {
    everywhere(async |running| {
        let key = running.project("web").await;
        send(running, &key, "first", "disk is full", 1).await;
        said(running, "new_issue", 1).await;
        let listed = running.admin(Method::GET, "/issues", &Value::Null).await.json();
        let id = listed["issues"][0]["id"].as_str().unwrap().to_owned();
        running.admin(Method::PUT, &format!("/issues/{id}/resolve"), &Value::Null).await;
        for (minute, name) in ["again", "and-again"].into_iter().enumerate() {
            running.hand.advance(120_000);
            send(running, &key, name, "disk is full", 1).await;
            counted(running, 2 + i64::try_from(minute).unwrap()).await;
        }
        assert_eq!(said(running, "regression", 1).await.len(), 1);

        let mute = json!({ "until": "now+1h" });
        assert_eq!(running.admin(Method::PUT, &format!("/issues/{id}/mute"), &mute).await.status, 200);
        send(running, &key, "many", "disk is full", 20).await;
        counted(running, 23).await;
        assert!(history(running, "").await.iter().all(|one| one["kind"] != "spike"), "it is muted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_many_issues_is_two_messages_with_a_link_to_the_projects_issues() {
    for database in TestDatabase::all().await {
        let (running, discord) = with_discord(&database).await;
        let key = running.project("web").await;
        let words = ["disk", "card", "login", "timeout", "proxy", "cache", "queue", "mail", "index", "lock"];
        let events: Vec<Value> = words
            .iter()
            .flat_map(|word| vec![json!({ "level": "error", "message": format!("the {word} is broken") }); 5])
            .collect();
        assert_eq!(running.send(Post::bare(&key, json!(events).to_string())).await.status, 200);
        let mut titles: Vec<String> = said(&running, "spike", 2)
            .await
            .iter()
            .map(|one| one["title"].as_str().unwrap().to_owned())
            .collect();
        titles.sort();
        assert_eq!((titles.len(), titles[0].as_str()), (2, "9 more issues"));
        let spikes = || {
            let all = discord.received().into_iter().map(|one| one.body);
            all.filter(|body| body.contains("9 more issues")).collect::<Vec<String>>()
        };
        // One of the issues that spike, and one of those that are new.
        until("both are delivered", PATIENCE, || async { spikes().len() == 2 }).await;
        for body in spikes() {
            assert!(body.contains("http://logs.example.com/ui/issues?project=web"), "{body}");
            assert!(body.contains("is broken"), "{body}");
        }
        let metrics = running.admin(Method::GET, "/metrics", &Value::Null).await.body;
        assert!(metrics.contains("tekno_alerts_total{rule=\"spike\",outcome=\"said\"} 2"), "{metrics}");
        assert!(metrics.contains("tekno_alerts_total{rule=\"spike\",outcome=\"summed_up\"} 9"), "{metrics}");
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_whose_messages_wait_keeps_no_other_one_out_and_what_is_lost_is_counted() {
    for database in TestDatabase::all().await {
        let closed = ClosedPort::take();
        let url = format!("http://127.0.0.1:{closed}/hook");
        let running = Running::start(&database, &[OPEN, ("SLACK_WEBHOOK_URL", &url)]).await;
        let (noisy, other) = (running.project("noisy").await, running.project("other").await);
        for slot in 0..500 {
            assert_eq!(enqueued(&running, &alert(noisy.project_id, slot)).await, Enqueued::Added(1));
        }
        for key in [&noisy, &other] {
            send(&running, key, &format!("burst-{}", key.project_id), "disk is full", 5).await;
        }
        counted(&running, 10).await;
        let state = async |state: &str, key: &Key| {
            history(&running, &format!("state={state}&limit=500&project_id={}", key.project_id)).await
        };
        let lost = state("dead", &noisy).await;
        assert_eq!(lost.len(), 3, "an overflow, a new issue, a spike: {lost:?}");
        assert!(lost.iter().all(|one| one["detail"] == "not sent: too many messages waited"), "{lost:?}");
        assert_eq!(state("waiting", &other).await.len(), 3);
        let metrics = running.admin(Method::GET, "/metrics", &Value::Null).await.body;
        assert!(metrics.contains("tekno_alerts_total{rule=\"spike\",outcome=\"lost\"} 1"), "{metrics}");
        running.stop().await;
        database.remove().await;
    }
}
