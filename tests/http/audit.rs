//! What the audit log says of what admins do, and purges by a query as an admin asks for them.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Key, PATIENCE, Post, Running, everywhere};
use crate::support::{ADMIN_TOKEN, HMAC_SECRET};

async fn send(running: &Running, key: &Key, messages: &[&str]) {
    let at = running.state.clock.now().as_seconds();
    let events: Vec<Value> =
        messages.iter().map(|message| json!({ "message": message, "level": "error" })).collect();
    let answer = running.send(Post::timed(key, at, json!(events).to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn audit(running: &Running, query: &str) -> Value {
    let answer = running.admin(Method::GET, &format!("/admin/audit{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn purge(running: &Running, body: &Value) -> Value {
    let answer = running.admin(Method::POST, "/admin/purge", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_an_admin_is_in_the_audit_log_newest_first_and_without_secrets() {
    everywhere(async |running| {
        let key = running.project("shop").await;
        let id = key.project_id;
        running.admin(Method::PUT, "/admin/projects/shop", &json!({ "retention_days": 5 })).await;
        let second = running.key(id, "read").await;
        running
            .admin(Method::DELETE, &format!("/admin/projects/shop/keys/{}", second.id), &Value::Null)
            .await;
        running.admin(Method::POST, "/admin/maintain", &Value::Null).await;
        purge(running, &json!({ "older_than": "-1h", "dry_run": true })).await;
        purge(running, &json!({ "project_id": id, "older_than": "-1h", "q": "level:error" })).await;
        running.admin(Method::PUT, "/admin/projects/shop", &json!({ "slug": "shop" })).await;
        running.admin(Method::POST, "/admin/projects", &json!({ "slug": "shop" })).await;
        running.admin(Method::DELETE, "/admin/projects/shop", &Value::Null).await;
        let log = audit(running, "").await;
        let entries = log["entries"].as_array().unwrap();
        let told: Vec<(&str, &str, &str)> = entries
            .iter()
            .map(|entry| {
                let text = |value: &'_ Value| -> &str {
                    Box::leak(value.as_str().unwrap().to_owned().into_boxed_str())
                };
                (text(&entry["action"]), text(&entry["target"]), text(&entry["result"]["state"]))
            })
            .collect();
        let shop = &*format!("project {id}");
        let expected = [
            ("project.delete", shop, "done"),
            ("project.create", "", "failed"),
            ("project.update", shop, "done"),
            ("purge", shop, "done"),
            ("maintain", "", "done"),
            ("key.revoke", shop, "done"),
            ("key.create", shop, "done"),
            ("project.update", shop, "done"),
            ("project.create", "", "done"),
        ];
        assert_eq!(told, expected);
        assert_eq!(entries[1]["result"]["code"], "slug_taken");
        assert_eq!(entries[3]["parameters"]["q"], "level:error");
        assert_eq!(entries[3]["result"]["complete"], true);
        for entry in entries {
            assert_eq!((&entry["actor"], &entry["network"]), (&json!("admin_token"), &json!("127.0.0.0/24")));
            assert!(entry["request_id"].is_string() && entry["at"].is_string(), "{entry}");
        }
        let text = log.to_string();
        for secret in [&key.text, &key.signing_secret, &second.text, ADMIN_TOKEN, HMAC_SECRET] {
            assert!(!text.contains(secret), "a secret is in the audit log");
        }
        assert!(!text.contains("127.0.0.1"), "a full address is in the audit log");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_read_in_pages_by_admins_alone() {
    everywhere(async |running| {
        for number in 0..7 {
            running.project(&format!("p{number}")).await;
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = audit(running, &format!("?limit=3{cursor}")).await;
            let entries = page["entries"].as_array().unwrap().clone();
            assert!(entries.len() <= 3);
            seen.extend(entries.iter().map(|entry| entry["parameters"]["slug"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]);
        for query in ["limit=0", "limit=1001", "limit=x", "cursor=x"] {
            let answer = running.admin(Method::GET, &format!("/admin/audit?{query}"), &Value::Null).await;
            assert_eq!(answer.refusal(), (400, "invalid_parameter".to_owned()), "{query}");
        }
        assert_eq!(running.request(Method::GET, "/admin/audit", &[], "").await.refusal().0, 401);
        let key = running.project("reader").await;
        let read = running.key(key.project_id, "read").await;
        let bearer = format!("Bearer {}", read.text);
        let answer = running.request(Method::GET, "/admin/audit", &[("authorization", &bearer)], "").await;
        assert_eq!(answer.refusal().0, 401);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_deletes_by_a_query_after_a_look() {
    everywhere(async |running| {
        let (shop, blog) = (running.project("shop").await, running.project("blog").await);
        send(running, &shop, &["mail to ann@example.org failed", "disk full"]).await;
        send(running, &shop, &["mail to bob@example.org failed"]).await;
        send(running, &blog, &["mail to ann@example.org failed"]).await;
        running.hand.advance(10_000);
        let asked = |dry_run: bool| json!({ "project_id": shop.project_id, "q": "mail", "dry_run": dry_run });
        let expected = |dry_run: bool| {
            json!({ "deleted_events": 2, "deleted_blocks": 1, "rewritten_blocks": 1, "dry_run": dry_run,
                    "complete": true })
        };
        assert_eq!(purge(running, &asked(true)).await, expected(true));
        assert_eq!(running.logs("q=mail").await.len(), 3, "nothing is deleted yet");
        assert_eq!(purge(running, &asked(false)).await, expected(false));
        let left = running.logs("from=-1d").await;
        assert_eq!(left.len(), 2, "{left:?}");
        assert_eq!(running.logs("project_id=shop").await[0]["message"], "disk full");
        assert_eq!(purge(running, &asked(false)).await["deleted_events"], 0);
        let since = Instant::now();
        loop {
            let stats =
                running.admin(Method::GET, "/stats?project_id=shop&from=-1d", &Value::Null).await.json();
            if stats["total"] == 3 {
                break;
            }
            assert!(since.elapsed() < PATIENCE, "counts say what was received: {stats}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let shown = running.admin(Method::GET, "/admin/maintenance", &Value::Null).await.json();
        assert_eq!(shown["last_purge"]["complete"], true, "{shown}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_not_clear_deletes_nothing() {
    everywhere(async |running| {
        let shop = running.project("shop").await;
        send(running, &shop, &["kept (really"]).await;
        running.hand.advance(10_000);
        for query in ["", "kept (really", "message:/(/", "status:>=x OR"] {
            let body = json!({ "q": query });
            let answer = running.admin(Method::POST, "/admin/purge", &body).await;
            assert_eq!(answer.refusal(), (422, "invalid_field".to_owned()), "{query}");
            assert!(answer.json()["detail"].as_str().unwrap().starts_with("q:"), "{}", answer.body);
        }
        assert_eq!(running.logs("from=-1d").await.len(), 1);
    })
    .await;
}
