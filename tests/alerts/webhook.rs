//! The signed webhook, by the specification's own library; `PagerDuty` and Slack as they are spoken to.

use serde_json::json;

use crate::delivery::{OPEN, alert, enqueued, in_history, webhook};
use crate::peers::webhook_is_right;
use crate::receiver::Receiver;
use crate::running::Running;
use crate::support::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn the_specifications_library_takes_the_signature_and_refuses_an_altered_one() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start_in_real_time(&database, &[OPEN]).await;
    let (_, secret) = webhook(&running, &receiver.url("/hook")).await;
    enqueued(&running, &alert(1, 1)).await;
    running.state.outbox.ring();
    let got = receiver.at_least(1).await.remove(0);
    let headers = json!(got.headers);
    let Some(verdict) = webhook_is_right(&secret, &headers, &got.body) else { return running.stop().await };
    assert_eq!(verdict, Ok(()));
    assert!(webhook_is_right(&secret, &headers, &got.body.replace("42", "43")).unwrap().is_err());
    let other = tekno_logger::alert::channel::make_secret();
    assert!(webhook_is_right(&other, &headers, &got.body).unwrap().is_err());
    let body = got.json();
    assert_eq!(body["type"], "alert.spike.triggered");
    assert_eq!((&body["data"]["count"], &body["data"]["title"]), (&json!(42), &json!("card declined")));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_of_the_environment_work_with_no_clicking() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let (slack, pager, hook) = (receiver.url("/slack"), receiver.url("/pager"), receiver.url("/hook"));
    let secret = tekno_logger::alert::channel::make_secret();
    let changes = [
        OPEN,
        ("SLACK_WEBHOOK_URL", &*slack),
        ("PAGERDUTY_ROUTING_KEY", "R0UT1NG"),
        ("PAGERDUTY_URL", &*pager),
        ("ALERT_WEBHOOK_URL", &*hook),
        ("ALERT_WEBHOOK_SECRET", &*secret),
    ];
    let running = Running::start(&database, &changes).await;
    let mut over = alert(1, -1);
    over.message.resolved = true;
    for alert in [alert(1, 1), over] {
        enqueued(&running, &alert).await;
        running.state.outbox.ring();
        // Slack rests a second after each message.
        running.hand.advance(1_000);
    }
    crate::process::until("all are delivered", crate::process::PATIENCE, || async {
        running.hand.advance(500);
        crate::delivery::history(&running, "state=delivered").await.len() == 6
    })
    .await;
    in_history(&running, "delivered", 6).await;
    let of = |path: &str| receiver.received().into_iter().filter(|one| one.path == path).collect::<Vec<_>>();
    let (incidents, slacks) = (of("/pager"), of("/slack"));
    assert_eq!((incidents.len(), slacks.len(), of("/hook").len()), (2, 2, 2));
    let mut actions: Vec<String> =
        incidents.iter().map(|one| one.json()["event_action"].as_str().unwrap().to_owned()).collect();
    actions.sort();
    assert_eq!(actions, ["resolve", "trigger"]);
    assert_eq!(incidents[0].json()["dedup_key"], incidents[1].json()["dedup_key"]);
    assert_eq!(incidents[0].json()["routing_key"], "R0UT1NG");
    assert!(slacks[0].json()["blocks"].as_array().is_some());
    running.stop().await;
}
