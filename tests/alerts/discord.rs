//! Discord: its limits, by its headers and by its refusals.

use serde_json::json;
use tekno_logger::alert::AlertMessage;

use crate::delivery::{alert, enqueued, in_history};
use crate::receiver::{Receiver, Reply};
use crate::running::Running;
use crate::support::TestDatabase;

const OPEN: (&str, &str) = ("OUTBOUND_ALLOW_PRIVATE", "true");

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_arrives_whole_at_discords_pace_and_is_never_refused_for_it() {
    let (database, discord) = (TestDatabase::sqlite(), Receiver::discord().await);
    let url = discord.url("/api/webhooks/1/token");
    let running = Running::start_in_real_time(&database, &[OPEN, ("DISCORD_WEBHOOK_URL", &url)]).await;
    for slot in 0..12 {
        enqueued(&running, &alert(1, slot)).await;
    }
    running.state.outbox.ring();
    let received = discord.at_least(12).await;
    in_history(&running, "delivered", 12).await;
    assert!(received.iter().all(|one| one.status == 200), "the headers were heeded: {received:?}");
    assert!(received.iter().all(|one| one.path == "/api/webhooks/1/token?wait=true"), "{}", received[0].path);
    let body = received[0].json();
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_is_waited_out_by_its_fraction_of_a_second_on_the_services_clock() {
    let (database, discord) = (TestDatabase::sqlite(), Receiver::start().await);
    let url = discord.url("/hook");
    let running = Running::start(&database, &[OPEN, ("DISCORD_WEBHOOK_URL", &url)]).await;
    let limited =
        json!({ "message": "You are being rate limited.", "retry_after": 6000.25, "global": false });
    // The header is rounded; the body says it to the millisecond, and is cut to an hour.
    discord.script([Reply::status(429).with("retry-after", "1").saying(&limited.to_string())]);
    enqueued(&running, &alert(1, 1)).await;
    running.state.outbox.ring();
    discord.at_least(1).await;
    let waiting = in_history(&running, "waiting", 1).await;
    assert_eq!(waiting[0]["attempts"], 1);
    running.hand.advance(3_599_000);
    running.state.outbox.ring();
    let later = alert(1, 2);
    enqueued(&running, &later).await;
    running.state.outbox.ring();
    assert_eq!(in_history(&running, "waiting", 2).await.len(), 2);
    assert_eq!(discord.received().len(), 1, "the channel rests, for other messages too");
    running.hand.advance(2_000);
    let received = discord.at_least(3).await;
    in_history(&running, "delivered", 2).await;
    assert_eq!(received.len(), 3);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_message_there_can_be_is_taken_and_a_thread_is_named() {
    let (database, discord) = (TestDatabase::sqlite(), Receiver::discord().await);
    let running = Running::start(&database, &[OPEN]).await;
    let body = json!({ "kind": "discord", "url": discord.url("/hook?x=y"), "thread_id": "123456789" });
    let made = running.admin(reqwest::Method::POST, "/admin/alerts/channels", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let mut alert = alert(1, 1);
    let long = "@everyone ```*_~`|>\r\n\u{0}😀é\"&'<script>[a](https://b.example)".repeat(2_000);
    alert.message = AlertMessage {
        title: long.clone(),
        project: long.clone(),
        rule: long.clone(),
        sample: Some(long.clone()),
        release: Some(long.clone()),
        mute: Some(long.clone()),
        environments: vec![long.clone(); 200],
        sources: vec![long; 200],
        ..alert.message
    };
    enqueued(&running, &alert).await;
    running.state.outbox.ring();
    let received = discord.at_least(1).await;
    assert_eq!((received[0].status, &*received[0].path), (200, "/hook?x=y&wait=true&thread_id=123456789"));
    in_history(&running, "delivered", 1).await;
    running.stop().await;
}
