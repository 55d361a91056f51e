//! What an admin does with events in quarantine, and how they end without one.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::refusing::{Site, batch, messages};

const DAY_MS: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_stored_again_once_under_its_own_id() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        site.refuse_old().await;
        assert_eq!(site.send(&key, "one", &batch("event", 10, &[4])).await.status, 200);
        site.running.hand.advance(2 * 3_600_000);
        let quarantined = site.quarantine("", 10).await;
        let id = quarantined[0]["id"].as_str().unwrap();
        assert!(id.ends_with("-4"), "{id}");
        let refused = site.retry(id).await;
        assert_eq!(refused.refusal(), (409, "still_refused".to_owned()));
        assert!(!refused.body.contains("not this one"), "the answer is in our words: {}", refused.body);
        site.allow("blocks").await;
        let at_once = futures_util::future::join_all((0..6).map(|_| site.retry(id))).await;
        let mut statuses: Vec<u16> = at_once.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses[0], 200, "{at_once:?}");
        assert!(statuses[1..].iter().all(|status| matches!(status, 404 | 503)), "{statuses:?}");
        assert_eq!(site.retry(id).await.status, 404);
        assert_eq!(site.stored(&key).await, messages("event", 0..10));
        let one = site.running.admin(Method::GET, &format!("/logs/{id}"), &Value::Null).await;
        assert_eq!((one.status, &one.json()["message"]), (200, &json!("event 4")), "{}", one.body);
        assert_eq!(site.quarantine("", 10).await.len(), 0);
        site.counted(&key, 10).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_is_stored_again_when_the_database_is_mended_in_part() {
    Site::everywhere(async |site| {
        let (shop, blog) = (site.running.project("shop").await, site.running.project("blog").await);
        site.refuse_old().await;
        for key in [&shop, &blog] {
            let bad_at: Vec<usize> = (0..40).filter(|index| index % 8 != 0).collect();
            assert_eq!(site.send(key, "many", &batch("event", 40, &bad_at)).await.status, 200);
        }
        site.allow("blocks").await;
        site.refuse("blocks", &format!("NEW.project_id = {}", shop.project_id)).await;
        let all =
            async |body: Value| site.running.admin(Method::POST, "/admin/quarantine/retry", &body).await;
        let done = all(json!({ "project_id": blog.project_id })).await.json();
        assert_eq!(done, json!({ "stored": 35, "still_refused": 0, "next_cursor": null }));
        let done = all(Value::Null).await.json();
        assert_eq!(done, json!({ "stored": 0, "still_refused": 35, "next_cursor": null }));
        assert_eq!((site.stored(&blog).await.len(), site.stored(&shop).await.len()), (40, 5));
        assert_eq!(site.quarantine("", 100).await.len(), 35);
        for (body, field) in [(json!({ "x": 1 }), "x"), (json!({ "cursor": "x" }), "cursor")] {
            let refused = all(body).await;
            assert_eq!(refused.refusal(), (422, "invalid_field".to_owned()));
            assert!(refused.json()["detail"].as_str().unwrap().starts_with(field), "{}", refused.body);
        }
        assert_eq!(all(json!({ "project_id": 4_000 })).await.status, 404);
        site.counted(&blog, 40).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_admin_deletes_is_gone_and_pages_show_each_event_once() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        site.refuse_old().await;
        for number in 0..4 {
            let name = format!("b{number}");
            assert_eq!(site.send(&key, &name, &batch(&name, 6, &[1, 2, 5])).await.status, 200);
            site.running.hand.advance(1_000);
        }
        for limit in [1, 5, 12, 100] {
            let found = site.quarantine("project_id=shop", limit).await;
            let ids: BTreeSet<&str> = found.iter().map(|one| one["id"].as_str().unwrap()).collect();
            assert_eq!((found.len(), ids.len()), (12, 12), "in pages of {limit}");
            let times: Vec<&str> = found.iter().map(|one| one["received_at"].as_str().unwrap()).collect();
            assert!(times.is_sorted_by(|a, b| a >= b), "the latest first: {times:?}");
        }
        let id = site.quarantine("", 1).await[0]["id"].as_str().unwrap().to_owned();
        let delete = async |id: &str| {
            site.running.admin(Method::DELETE, &format!("/admin/quarantine/{id}"), &Value::Null).await.status
        };
        assert_eq!((delete(&id).await, delete(&id).await, delete("nothing").await), (204, 404, 404));
        assert_eq!(site.retry(&id).await.status, 404);
        assert_eq!(site.quarantine("", 100).await.len(), 11);
        for (query, name) in [("limit=0", "limit"), ("limit=101", "limit"), ("cursor=zz", "cursor")] {
            let path = format!("/admin/quarantine?{query}");
            let answer = site.running.admin(Method::GET, &path, &Value::Null).await;
            assert_eq!(answer.refusal(), (400, "invalid_parameter".to_owned()));
            assert!(answer.json()["detail"].as_str().unwrap().starts_with(name), "{}", answer.body);
        }
        let path = "/admin/quarantine?project_id=4000";
        assert_eq!(site.running.admin(Method::GET, path, &Value::Null).await.status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_quarantine_is_told_in_numbers() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        site.refuse_old().await;
        assert_eq!(site.send(&key, "one", &batch("event", 30, &[4, 5])).await.status, 200);
        let metrics = site.running.admin(Method::GET, "/metrics", &Value::Null).await.body;
        assert!(metrics.contains("tekno_quarantine_events 2\n"), "{metrics}");
        assert!(metrics.contains("tekno_quarantine_events_added_total 2\n"), "{metrics}");
        let ready = site.running.admin(Method::GET, "/readyz", &Value::Null).await;
        assert_eq!((ready.status, &ready.json()["quarantine"]["events"]), (200, &json!(2)), "{}", ready.body);
        let public = site.running.request(Method::GET, "/readyz", &[], "").await;
        assert_eq!((public.status, &public.json()["quarantine"]), (200, &Value::Null), "{}", public.body);
        site.running.state.quarantine.recount().await.unwrap();
        let (events, bytes) = site.running.state.quarantine.size();
        let stored = site.database.rows("SELECT stored_bytes FROM quarantine").await;
        assert_eq!((events, stored.len()), (2, 2));
        assert!(bytes > 100, "{bytes}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_ends_it_and_a_reader_never_sees_what_has_expired() {
    Site::everywhere(async |site| {
        let key = site.running.project_with("shop", json!({ "retention_days": 1 })).await;
        let other = site.running.project_with("blog", json!({ "retention_days": 3 })).await;
        site.refuse_old().await;
        for key in [&key, &other] {
            assert_eq!(site.send(key, "one", &batch("event", 30, &[4, 5])).await.status, 200);
        }
        let id = site.quarantine("project_id=shop", 1).await[0]["id"].as_str().unwrap().to_owned();
        site.running.hand.advance(DAY_MS + 1);
        assert_eq!(site.quarantine("", 100).await.len(), 2, "not yet deleted, but not shown");
        assert_eq!(site.retry(&id).await.status, 404, "nor stored");
        let look = json!({ "project_id": key.project_id, "older_than": "now", "dry_run": true });
        let look = site.running.admin(Method::POST, "/admin/purge", &look).await.json();
        assert_eq!(look["deleted_events"], 30, "{look}");
        let done = site.running.admin(Method::POST, "/admin/maintain", &Value::Null).await.json();
        assert_eq!(done["complete"], true, "{done}");
        assert_eq!(site.database.count("quarantine", key.project_id).await, 0);
        assert_eq!(site.database.count("quarantine", other.project_id).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_with_its_project() {
    Site::everywhere(async |site| {
        let (key, other) = (site.running.project("shop").await, site.running.project("blog").await);
        site.refuse_old().await;
        for key in [&key, &other] {
            assert_eq!(site.send(key, "one", &batch("event", 30, &[4, 5])).await.status, 200);
        }
        let removed = site.running.admin(Method::DELETE, "/admin/projects/shop", &Value::Null).await;
        assert_eq!(removed.status, 204);
        assert_eq!(site.database.count("quarantine", key.project_id).await, 0);
        assert_eq!(site.quarantine("", 100).await.len(), 2);
    })
    .await;
}
