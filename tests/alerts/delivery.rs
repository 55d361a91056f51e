//! The outbox: each alert once to each channel, retried, given up in sight, and in nobody's way.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tekno_logger::alert::{AlertKind, AlertMessage, ChannelId, ChannelKind, Enqueued, NewAlert, enqueue};
use tekno_logger::fingerprint::Fingerprint;
use tekno_logger::store::STATEMENT_TIMEOUT;
use tekno_logger::timestamp::Timestamp;

use crate::process::{PATIENCE, until};
use crate::receiver::{Receiver, Reply};
use crate::running::{Post, Running, START_SECONDS, everywhere};
use crate::support::TestDatabase;

pub const OPEN: (&str, &str) = ("OUTBOUND_ALLOW_PRIVATE", "true");

/// An alert of a rule of its own slot.
pub fn alert(project_id: i64, slot: i64) -> NewAlert {
    let at = Timestamp::from_millis(START_SECONDS * 1_000);
    let mut message = AlertMessage::new(AlertKind::Spike, project_id, "web-shop", "card declined", at);
    message.count = Some(42);
    message.issue = Some(Fingerprint(0xab));
    message.sample = Some("card declined for order 4711".to_owned());
    NewAlert {
        rule: "spike".to_owned(),
        group: "1:ab".to_owned(),
        cooldown_slot: slot,
        message,
        channels: None,
    }
}

/// Puts an alert into the outbox in a transaction of its own.
pub async fn enqueued(running: &Running, alert: &NewAlert) -> Enqueued {
    let (state, now) = (&running.state, running.state.clock.now());
    let mut session = state.store.work().await.unwrap();
    session.begin(STATEMENT_TIMEOUT).await.unwrap();
    let done = enqueue(&mut session, &state.channels, alert, now).await.unwrap();
    session.commit(STATEMENT_TIMEOUT).await.unwrap();
    done
}

pub async fn history(running: &Running, query: &str) -> Vec<Value> {
    let answer = running.admin(Method::GET, &format!("/admin/alerts/history?{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["history"].as_array().unwrap().clone()
}

/// The history's messages in a state, once there are so many.
pub async fn in_history(running: &Running, state: &str, count: usize) -> Vec<Value> {
    let query = format!("state={state}");
    until(&format!("{count} messages {state}"), PATIENCE, || async {
        history(running, &query).await.len() >= count
    })
    .await;
    history(running, &query).await
}

fn now(running: &Running) -> Timestamp {
    running.state.clock.now()
}

/// A webhook channel through the API; gives its number and its secret.
pub async fn webhook(running: &Running, url: &str) -> (i64, String) {
    let body = json!({ "kind": "webhook", "name": "mine", "url": url });
    let made = running.admin(Method::POST, "/admin/alerts/channels", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    (made["channel"]["id"].as_i64().unwrap(), made["secret"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_said_once_on_each_channel_however_often_it_is_found() {
    for database in TestDatabase::all().await {
        let (one, two) = (Receiver::start().await, Receiver::start().await);
        let url = one.url("/env");
        let running = Running::start(&database, &[OPEN, ("DISCORD_WEBHOOK_URL", &url)]).await;
        webhook(&running, &two.url("/hook")).await;
        assert_eq!(enqueued(&running, &alert(1, 7)).await, Enqueued::Added(2));
        assert_eq!(enqueued(&running, &alert(1, 7)).await, Enqueued::Known);
        running.state.outbox.ring();
        in_history(&running, "delivered", 2).await;
        assert_eq!(
            enqueued(&running, &alert(1, 7)).await,
            Enqueued::Known,
            "delivered messages keep their slot"
        );
        assert_eq!(enqueued(&running, &alert(1, 8)).await, Enqueued::Added(2));
        running.state.outbox.ring();
        in_history(&running, "delivered", 4).await;
        assert_eq!((one.received().len(), two.received().len()), (2, 2), "{}", database.name);
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transaction_takes_back_is_not_sent() {
    everywhere(async |running| {
        let state = &running.state;
        let mut session = state.store.work().await.unwrap();
        session.begin(STATEMENT_TIMEOUT).await.unwrap();
        let added = enqueue(&mut session, &state.channels, &alert(1, 1), state.clock.now()).await.unwrap();
        assert_eq!(added, Enqueued::Added(1), "one row, as there is no channel");
        session.rollback(STATEMENT_TIMEOUT).await.unwrap();
        drop(session);
        assert_eq!(history(running, "").await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_without_a_channel_is_in_the_history_and_one_for_another_project_goes_elsewhere() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start(&database, &[OPEN]).await;
    assert_eq!(enqueued(&running, &alert(1, 1)).await, Enqueued::Added(1));
    let unsent = in_history(&running, "unsent", 1).await;
    assert_eq!((&unsent[0]["channel"], &unsent[0]["title"]), (&Value::Null, &json!("card declined")));
    let (first, second) = (running.project("first").await, running.project("second").await);
    let body = json!({ "kind": "slack", "url": receiver.url("/slack"), "project_id": second.project_id });
    assert_eq!(running.admin(Method::POST, "/admin/alerts/channels", &body).await.status, 201);
    enqueued(&running, &alert(first.project_id, 2)).await;
    enqueued(&running, &alert(second.project_id, 2)).await;
    in_history(&running, "unsent", 2).await;
    running.state.outbox.ring();
    let sent = in_history(&running, "delivered", 1).await;
    assert_eq!(sent[0]["project_id"], second.project_id);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_channel_is_tried_again_with_growing_pauses_for_a_day_and_then_given_up_in_sight() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start(&database, &[OPEN]).await;
    webhook(&running, &receiver.url("/hook")).await;
    receiver.script(vec![Reply::status(503); 100]);
    enqueued(&running, &alert(1, 1)).await;
    running.state.outbox.ring();
    let mut pauses = Vec::new();
    for attempt in 1_u64.. {
        // The note of an attempt is written a moment after its number.
        let seen = || async {
            let all = history(&running, "").await;
            let next = all[0]["next_attempt_at"]
                .as_str()
                .and_then(|next| Timestamp::parse_query(next, now(&running)));
            all[0]["state"] == "dead"
                || all[0]["attempts"] == attempt && next.is_some_and(|next| next > now(&running))
        };
        until(&format!("attempt {attempt}"), PATIENCE, seen).await;
        let now = now(&running);
        let message = history(&running, "").await.remove(0);
        if message["state"] == "dead" {
            assert!(message["detail"].as_str().unwrap().starts_with("given up after a day"), "{message}");
            break;
        }
        let next = Timestamp::parse_query(message["next_attempt_at"].as_str().unwrap(), now).unwrap();
        pauses.push(next.as_millis() - now.as_millis());
        running.hand.advance(next.as_millis() - now.as_millis());
    }
    assert!((4_000..=6_000).contains(&pauses[0]) && (12_000..=18_000).contains(&pauses[1]), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= 4_320_000), "{pauses:?}");
    assert!(pauses.iter().sum::<i64>() >= 86_400_000, "{pauses:?}");
    let ids: std::collections::BTreeSet<String> =
        receiver.received().iter().map(|one| one.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1, "every attempt carries the same id");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_channel_is_not_stormed_with_all_that_waits_for_it() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start(&database, &[OPEN]).await;
    webhook(&running, &receiver.url("/hook")).await;
    receiver.script(vec![Reply::status(503); 3]);
    for slot in 0..30 {
        enqueued(&running, &alert(1, slot)).await;
    }
    for failures in 1..=3 {
        running.state.outbox.ring();
        receiver.at_least(failures).await;
        let noted = format!("{failures} failures are noted");
        until(&noted, PATIENCE, || async {
            let all = history(&running, "state=waiting").await;
            all.iter().filter(|one| one["detail"] != "").count() == failures
        })
        .await;
        assert_eq!(receiver.received().len(), failures, "one try, then a pause");
        running.hand.advance(4_000);
    }
    until("all arrive", PATIENCE, || async {
        running.hand.advance(1_000);
        history(&running, "state=delivered").await.len() == 30
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_dead_at_once_and_a_receiver_that_is_gone_turns_its_channel_off() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start(&database, &[OPEN]).await;
    let (id, _) = webhook(&running, &receiver.url("/hook")).await;
    receiver.script([Reply::status(400).saying("no"), Reply::status(410)]);
    enqueued(&running, &alert(1, 1)).await;
    running.state.outbox.ring();
    let dead = in_history(&running, "dead", 1).await;
    assert_eq!(
        (&dead[0]["attempts"], &dead[0]["detail"]),
        (&json!(1), &json!("the channel refused it (HTTP 400)"))
    );
    enqueued(&running, &alert(1, 2)).await;
    running.state.outbox.ring();
    in_history(&running, "dead", 2).await;
    let shown = || async {
        let all = running.admin(Method::GET, "/admin/alerts/channels", &Value::Null).await.json();
        all["channels"][0].clone()
    };
    until("the channel is off", PATIENCE, || async { shown().await["enabled"] == false }).await;
    assert_eq!(shown().await["reason"], "the receiver answered 410");
    assert_eq!(enqueued(&running, &alert(1, 3)).await, Enqueued::Added(1), "kept as unsent");
    let on = running
        .admin(Method::PUT, &format!("/admin/alerts/channels/{id}"), &json!({ "enabled": true }))
        .await;
    assert_eq!((on.status, &on.json()["channel"]["reason"]), (200, &json!("")));
    enqueued(&running, &alert(1, 4)).await;
    running.state.outbox.ring();
    in_history(&running, "delivered", 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_channel_is_given_up_when_it_moves_to_another_project_but_for_ends() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start(&database, &[OPEN]).await;
    let (left, other) = (running.project("left").await, running.project("other").await);
    let (id, _) = webhook(&running, &receiver.url("/hook")).await;
    receiver.script([Reply::status(500)]);
    enqueued(&running, &alert(left.project_id, 1)).await;
    running.state.outbox.ring();
    receiver.at_least(1).await;
    until("tried once", PATIENCE, || async {
        history(&running, "state=waiting").await.first().is_some_and(|one| one["attempts"] == 1)
    })
    .await;
    let mut end = alert(left.project_id, 2);
    end.message.resolved = true;
    end.channels = Some(vec![ChannelId::Stored(id)]);
    enqueued(&running, &end).await;
    let path = format!("/admin/alerts/channels/{id}");
    let moved = running.admin(Method::PUT, &path, &json!({ "project_id": other.project_id })).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    running.hand.advance(3_600_000);
    running.state.outbox.ring();
    let dead = in_history(&running, "dead", 1).await;
    assert_eq!((dead.len(), &dead[0]["detail"]), (1, &json!("the channel was given to another project")));
    in_history(&running, "delivered", 1).await;
    let bodies = receiver.at_least(2).await;
    assert_eq!(bodies.len(), 2, "the first attempt and the end");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_hangs_delays_neither_ingest_nor_other_channels() {
    let (database, fast) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start(&database, &[OPEN]).await;
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    webhook(&running, &format!("http://{}/", silent.local_addr().unwrap())).await;
    webhook(&running, &fast.url("/hook")).await;
    let key = running.project("quick").await;
    for slot in 0..3 {
        enqueued(&running, &alert(key.project_id, slot)).await;
    }
    running.state.outbox.ring();
    let (_held, _) = silent.accept().await.unwrap();
    fast.at_least(3).await;
    let sent = tokio::time::timeout(
        Duration::from_secs(12),
        running.send(Post::bare(&key, "[{\"message\":\"x\"}]")),
    );
    assert_eq!(sent.await.expect("long before the hanging channel is given up").status, 200);
    assert_eq!(in_history(&running, "delivered", 3).await.len(), 3);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_is_bounded_and_old_messages_go_with_maintenance() {
    everywhere(async |running| {
        let fill = async |project_id: i64, slots: i64| {
            let now = running.state.clock.now();
            let mut session = running.state.store.work().await.unwrap();
            session.begin(STATEMENT_TIMEOUT).await.unwrap();
            let mut added = 0;
            for slot in 0..slots {
                let mut alert = alert(project_id, slot);
                alert.group = format!("{project_id}:ab");
                alert.channels = Some(vec![ChannelId::Environment(ChannelKind::Slack)]);
                let done = enqueue(&mut session, &running.state.channels, &alert, now).await.unwrap();
                added += usize::from(done == Enqueued::Added(1));
            }
            session.commit(STATEMENT_TIMEOUT).await.unwrap();
            added
        };
        assert_eq!(fill(1, 600).await, 500, "a project has no more places than there are left");
        assert_eq!(fill(2, 300).await, 250, "another one has its own");
        assert_eq!((fill(3, 1).await, fill(4, 200).await), (1, 125));
        assert_eq!(fill(1, 600).await, 0);
        let lost = history(running, "state=dead&limit=500").await;
        assert_eq!(lost.len(), 100 + 50 + 75, "each is in the history, once");
        assert_eq!(lost[0]["detail"], "not sent: too many messages waited");
        // No instance has this channel.
        running.hand.advance(86_400_000 + 1_000);
        running.state.outbox.ring();
        until("all given up", PATIENCE, || async { history(running, "state=waiting").await.is_empty() })
            .await;
        let page = history(running, "state=dead&limit=500&project_id=2").await;
        let given_up = page.iter().filter(|one| one["detail"] == "no instance had this channel for a day");
        assert_eq!(given_up.count(), 250);
        running.hand.advance(30 * 86_400_000 + 1_000);
        enqueued(running, &alert(1, -1)).await;
        let done = running.admin(Method::POST, "/admin/maintain", &Value::Null).await.json();
        // All at once, by this run or by the timer's before it.
        let gone = done["deleted_alerts"].as_u64().unwrap();
        assert!(gone == 876 + 225 || gone == 0, "{done}");
        let left = history(running, "").await;
        // What the timer may have said meanwhile of alerts whose messages are gone.
        let ends = left.iter().filter(|one| one["title"].as_str().unwrap().starts_with("Resolved:"));
        assert_eq!(left.len() - ends.count(), 1, "{left:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_projects_messages_and_channels_go_with_it() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start(&database, &[OPEN]).await;
    let key = running.project("gone").await;
    let body = json!({ "kind": "slack", "url": receiver.url("/slack"), "project_id": key.project_id });
    assert_eq!(running.admin(Method::POST, "/admin/alerts/channels", &body).await.status, 201);
    enqueued(&running, &alert(key.project_id, 1)).await;
    assert_eq!(running.admin(Method::DELETE, "/admin/projects/gone", &Value::Null).await.status, 204);
    until("nothing is left", PATIENCE, || async {
        database.count("alert_outbox", key.project_id).await == 0
            && database.count("alert_channels", key.project_id).await == 0
    })
    .await;
    running.stop().await;
}
