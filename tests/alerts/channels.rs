//! Channels by the API: made, shown masked, changed, tested, guarded; and what a thief of the database gets.

use reqwest::Method;
use serde_json::{Value, json};

use crate::delivery::{OPEN, alert, enqueued, in_history};
use crate::receiver::{Receiver, Reply};
use crate::running::Running;
use crate::support::{HMAC_SECRET, TestDatabase};

const CHANNELS: &str = "/admin/alerts/channels";

async fn list(running: &Running) -> Vec<Value> {
    running.admin(Method::GET, CHANNELS, &Value::Null).await.json()["channels"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_made_shown_masked_changed_tested_and_removed() {
    for database in TestDatabase::all().await {
        let receiver = Receiver::start().await;
        let running = Running::start(&database, &[OPEN]).await;
        let project = running.project("shop").await.project_id;
        let body = json!({ "kind": "discord", "name": "ops", "url": receiver.url("/api/webhooks/1/hush"), "project_id": project });
        let made = running.admin(Method::POST, CHANNELS, &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let channel = made.json()["channel"].clone();
        assert_eq!(channel["settings"], json!({ "url": receiver.url("/…"), "thread_id": null }));
        assert_eq!(
            (&channel["kind"], &channel["enabled"], &channel["read_only"]),
            (&json!("discord"), &json!(true), &json!(false))
        );
        let path = format!("{CHANNELS}/{}", channel["id"]);
        let change = json!({ "name": "people", "thread_id": "77", "project_id": null });
        let changed = running.admin(Method::PUT, &path, &change).await.json()["channel"].clone();
        assert_eq!((&changed["name"], &changed["project_id"]), (&json!("people"), &Value::Null));
        assert_eq!(changed["settings"]["thread_id"], "77");
        receiver.script([Reply::status(404).saying(r#"{"message": "Unknown Webhook", "code": 10015}"#)]);
        let answer = running.admin(Method::POST, &format!("{path}/test"), &Value::Null).await.json();
        assert_eq!((&answer["delivered"], &answer["status"]), (&json!(false), &json!(404)));
        assert!(answer["answer"].as_str().unwrap().contains("Unknown Webhook"), "{answer}");
        let answer = running.admin(Method::POST, &format!("{path}/test"), &json!({})).await.json();
        assert_eq!((&answer["delivered"], &answer["status"]), (&json!(true), &json!(204)));
        assert_eq!(receiver.received()[1].path, "/api/webhooks/1/hush?wait=true&thread_id=77");
        let cleared = running.admin(Method::PUT, &path, &json!({ "thread_id": null })).await.json();
        assert_eq!(cleared["channel"]["settings"]["thread_id"], Value::Null);
        let audit = running.admin(Method::GET, "/admin/audit", &Value::Null).await;
        for action in ["alert_channel.create", "alert_channel.update"] {
            assert!(audit.body.contains(action), "{action}: {}", audit.body);
        }
        assert!(!audit.body.contains("hush"), "{}", audit.body);
        let dump = String::from_utf8_lossy(&database.dump().await).into_owned();
        assert!(dump.contains("people") && !dump.contains("hush"), "{}", database.name);
        assert!(!list(&running).await[0].to_string().contains("hush"));
        assert_eq!(running.admin(Method::DELETE, &path, &Value::Null).await.status, 204);
        assert_eq!(
            running.admin(Method::DELETE, &path, &Value::Null).await.refusal(),
            (404, "not_found".to_owned())
        );
        assert_eq!(list(&running).await, Vec::<Value>::new());
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_channel_is_said_by_the_fields_name() {
    let database = TestDatabase::sqlite();
    let running = Running::start(&database, &[]).await;
    for (body, field) in [
        (json!({}), "kind"),
        (json!({ "kind": "pigeon" }), "kind"),
        (json!({ "kind": "discord" }), "url"),
        (json!({ "kind": "discord", "url": "http://discord.com/x" }), "url"),
        (json!({ "kind": "discord", "url": "https://127.1/x" }), "url"),
        (json!({ "kind": "slack", "url": "https://[::ffff:a9fe:a9fe]/" }), "url"),
        (json!({ "kind": "slack", "url": "https://user:pw@example.com/" }), "url"),
        (json!({ "kind": "slack", "url": "https://example.com/", "thread_id": "1" }), "thread_id"),
        (json!({ "kind": "slack", "url": "https://example.com/", "project_id": 999 }), "project_id"),
        (json!({ "kind": "webhook", "url": "https://example.com/", "secret": "whsec_c2hvcnQ=" }), "secret"),
        (json!({ "kind": "pagerduty", "routing_key": "a b" }), "routing_key"),
        (json!({ "kind": "pagerduty", "routing_key": "a", "url": "https://10.0.0.1/" }), "url"),
        (json!({ "kind": "email", "to": ["a@b.example"] }), "smtp_url"),
        (json!({ "kind": "email", "to": ["a@b.example"], "smtp_url": "smtp://127.0.0.1:25" }), "smtp_url"),
        (
            json!({ "kind": "email", "to": ["a@b.example\r\nBcc: c@d.example"], "smtp_url": "smtps://m.example" }),
            "to",
        ),
        (json!({ "kind": "email", "to": [7], "smtp_url": "smtps://m.example" }), "to"),
        (json!({ "kind": "mail_api", "to": ["a@b.example"], "api_key": "k" }), "from"),
    ] {
        let answer = running.admin(Method::POST, CHANNELS, &body).await;
        assert_eq!(answer.refusal(), (422, "invalid_field".to_owned()), "{body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(&format!("{field}: ")), "{body}: {detail}");
    }
    assert_eq!(list(&running).await, Vec::<Value>::new());
    for (path, method) in [
        ("/12/test", Method::POST),
        ("/x", Method::PUT),
        ("/012", Method::DELETE),
        ("/env-slack/test", Method::POST),
    ] {
        let answer = running.admin(method, &format!("{CHANNELS}{path}"), &Value::Null).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(running.request(Method::GET, CHANNELS, &[], "").await.status, 401);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_not_reached_even_from_the_environment() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let url = receiver.url("/hook");
    let running = Running::start(&database, &[("DISCORD_WEBHOOK_URL", &url)]).await;
    let answer =
        running.admin(Method::POST, &format!("{CHANNELS}/env-discord/test"), &Value::Null).await.json();
    assert_eq!((&answer["delivered"], &answer["status"]), (&json!(false), &Value::Null));
    enqueued(&running, &alert(1, 1)).await;
    running.state.outbox.ring();
    in_history(&running, "dead", 1).await;
    assert_eq!(receiver.received().len(), 0);
    assert!(running.state.config.warnings().iter().any(|warning| warning.contains("DISCORD_WEBHOOK_URL")));
    let put =
        running.admin(Method::PUT, &format!("{CHANNELS}/env-discord"), &json!({ "enabled": false })).await;
    assert_eq!(put.status, 422);
    let listed = list(&running).await.remove(0);
    assert_eq!(
        (&listed["id"], &listed["read_only"], &listed["source"]),
        (&json!("env-discord"), &json!(true), &json!("environment"))
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_outlive_a_change_of_hmac_secret_and_say_so_when_they_cannot() {
    let (database, receiver) = (TestDatabase::sqlite(), Receiver::start().await);
    let running = Running::start(&database, &[OPEN]).await;
    let body = json!({ "kind": "slack", "url": receiver.url("/hush") });
    assert_eq!(running.admin(Method::POST, CHANNELS, &body).await.status, 201);
    running.stop().await;
    let new = ("HMAC_SECRET", "tests-second-secret-9c8b7a69584736251403f2e1d0cabbed");
    let running = Running::start(&database, &[OPEN, new, ("HMAC_SECRET_PREVIOUS", HMAC_SECRET)]).await;
    assert_eq!(list(&running).await[0]["problem"], Value::Null);
    running.stop().await;
    // Sealed anew meanwhile: the previous secret can go.
    let running = Running::start(&database, &[OPEN, new]).await;
    let answer = running.admin(Method::POST, &format!("{CHANNELS}/1/test"), &Value::Null).await.json();
    assert_eq!(answer["delivered"], true, "{answer}");
    running.stop().await;
    let other = ("HMAC_SECRET", "tests-third-secret-1a2b3c4d5e6f7081928374655647382910");
    let running = Running::start(&database, &[OPEN, other]).await;
    assert!(list(&running).await[0]["problem"].as_str().unwrap().contains("HMAC_SECRET"));
    let answer = running.admin(Method::POST, &format!("{CHANNELS}/1/test"), &Value::Null).await.json();
    assert_eq!(answer["delivered"], false);
    running.stop().await;
}
