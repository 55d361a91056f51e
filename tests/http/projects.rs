//! Projects and keys by the admin's API: strict input, secrets shown once, and nothing left after a deletion.

use reqwest::Method;
use serde_json::{Value, json};

use crate::captured_log::{capture, found, written};
use crate::running::{Answer, Post, Running, everywhere};
use crate::support::TestDatabase;

const NONE: &Value = &Value::Null;

#[tokio::test]
async fn a_project_is_made_listed_shown_and_changed_by_id_or_slug() {
    everywhere(async |running| {
        let body = json!({ "name": "Web Shop", "slug": "web-shop", "retention_days": 7, "minute_cap": 100 });
        let made = running.admin(Method::POST, "/admin/projects", &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (project, key) = (made.json()["project"].clone(), made.json()["key"].clone());
        assert!(project["id"].is_i64());
        for (field, value) in body.as_object().unwrap() {
            assert_eq!(&project[field], value);
        }
        assert_eq!((key["kind"].as_str(), key["id"].as_i64()), (Some("server"), Some(1)));
        assert!(key["api_key"].as_str().unwrap().starts_with("tkl_"));
        assert_eq!(key["signing_secret"].as_str().unwrap().len(), 64);
        assert!(key["created_at"].as_str().unwrap().ends_with('Z'));
        let second = running.project("other").await;
        let defaults = running.admin(Method::GET, "/admin/projects/other", NONE).await.json();
        assert_eq!(
            (&defaults["project"]["retention_days"], &defaults["project"]["minute_cap"]),
            (&json!(3), NONE)
        );
        for path in [format!("/admin/projects/{}", project["id"]), "/admin/projects/web-shop".to_owned()] {
            assert_eq!(running.admin(Method::GET, &path, NONE).await.json(), json!({ "project": project }));
        }
        let change = json!({ "name": "Shop", "slug": "shop", "retention_days": 90, "minute_cap": null });
        let changed = running.admin(Method::PUT, "/admin/projects/web-shop", &change).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        for (field, value) in change.as_object().unwrap() {
            assert_eq!(&changed.json()["project"][field], value, "{field}");
        }
        assert_eq!(running.admin(Method::GET, "/admin/projects/web-shop", NONE).await.status, 404);
        let list = running.admin(Method::GET, "/admin/projects", NONE).await.json();
        let ids: Vec<i64> =
            list["projects"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, [project["id"].as_i64().unwrap(), second.project_id]);
        let untouched = running.admin(Method::PUT, "/admin/projects/shop", &json!({})).await;
        assert_eq!(untouched.json(), changed.json());
    })
    .await;
}

#[tokio::test]
async fn an_id_has_one_spelling_and_everything_else_is_not_found() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let id = key.project_id;
        let wrong = [
            "2abc",
            "1abc",
            "0",
            "-1",
            "01",
            "+1",
            "1.0",
            "1e0",
            "0x1",
            "99",
            "99999999999999999999",
            "1%20",
            "%201",
            "1%00",
            "WEB",
            "web%2f",
            "~1",
        ];
        for wrong in wrong {
            let base = format!("/admin/projects/{wrong}");
            for (method, path) in [
                (Method::GET, base.clone()),
                (Method::PUT, base.clone()),
                (Method::DELETE, base.clone()),
                (Method::GET, format!("{base}/keys")),
                (Method::POST, format!("{base}/keys")),
                (Method::DELETE, format!("{base}/keys/1")),
                (Method::POST, format!("{base}/test-event")),
            ] {
                let answer = running.admin(method.clone(), &path, &json!({})).await;
                assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{method} {path}");
            }
        }
        for wrong in ["1abc", "0", "01", "+1", "2", "-1", "99999999999999999999", "server"] {
            let path = format!("/admin/projects/{id}/keys/{wrong}");
            assert_eq!(
                running.admin(Method::DELETE, &path, NONE).await.refusal(),
                (404, "not_found".to_owned()),
                "{wrong}"
            );
        }
        let body = r#"{"message":"m"}"#;
        assert_eq!(running.send(Post::bare(&key, body)).await.status, 200, "nothing was revoked or deleted");
    })
    .await;
}

#[tokio::test]
async fn ranges_are_checked_and_the_wrong_field_is_named() {
    everywhere(async |running| {
        for (number, right) in
            [json!({ "retention_days": 1 }), json!({ "retention_days": 90 }), json!({ "minute_cap": 1 })]
                .iter()
                .enumerate()
        {
            running.project_with(&format!("right-{number}"), right.clone()).await;
        }
        running.project(&"s".repeat(64)).await;
        for (field, value) in [
            ("retention_days", json!(0)),
            ("retention_days", json!(91)),
            ("retention_days", json!(1.5)),
            ("retention_days", json!("3")),
            ("retention_days", json!(-1)),
            ("minute_cap", json!(0)),
            ("minute_cap", json!(-5)),
            ("minute_cap", json!(1e12)),
            ("minute_cap", json!(true)),
            ("slug", json!("")),
            ("slug", json!("s".repeat(65))),
            ("slug", json!("Web")),
            ("slug", json!("a_b")),
            ("slug", json!("a b")),
            ("slug", json!("123")),
            ("slug", json!("ü")),
            ("slug", json!("a/b")),
            ("name", json!("n".repeat(129))),
            ("name", json!("a\nb")),
            ("colour", json!("red")),
        ] {
            let mut body = json!({ "name": "fine", "slug": "fine" });
            body[field] = value;
            for (method, path) in
                [(Method::POST, "/admin/projects"), (Method::PUT, "/admin/projects/right-0")]
            {
                let answer = running.admin(method.clone(), path, &body).await;
                assert_eq!(answer.refusal(), (422, "invalid_field".to_owned()), "{method} {body}");
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.starts_with(field), "{body}: {detail}");
            }
        }
        for body in ["", "[]", "{", "null"] {
            let answer = running
                .request(
                    Method::POST,
                    "/admin/projects",
                    &[("x-admin-token", crate::support::ADMIN_TOKEN)],
                    body,
                )
                .await;
            assert!(matches!(answer.status, 400 | 422), "{body}: {}", answer.body);
        }
        for kind in ["public", "admin", "", "SERVER"] {
            let answer =
                running.admin(Method::POST, "/admin/projects/right-0/keys", &json!({ "kind": kind })).await;
            assert_eq!(answer.refusal(), (422, "invalid_field".to_owned()), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_taken_slug_is_a_conflict_also_when_two_ask_at_once() {
    everywhere(async |running| {
        running.project("web").await;
        running.project("other").await;
        let create =
            async |slug: &str| running.admin(Method::POST, "/admin/projects", &json!({ "slug": slug })).await;
        assert_eq!(create("web").await.refusal(), (409, "slug_taken".to_owned()));
        let renamed = running.admin(Method::PUT, "/admin/projects/other", &json!({ "slug": "web" })).await;
        assert_eq!(renamed.refusal(), (409, "slug_taken".to_owned()));
        let itself = running.admin(Method::PUT, "/admin/projects/web", &json!({ "slug": "web" })).await;
        assert_eq!(itself.status, 200);
        let answers: Vec<Answer> = futures_util::future::join_all((0..6).map(|_| create("race"))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_project_leaves_nothing_and_others_lose_nothing() {
    const TABLES: [&str; 6] = ["api_keys", "blocks", "batches", "unfolded", "issues", "counts"];
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[("RATE_LIMIT_PER_MINUTE", "0")]).await;
        let (gone, kept) = (running.project("gone").await, running.project("kept").await);
        let reader = running.key(gone.project_id, "read").await;
        for key in [&gone, &kept] {
            for number in 0..30 {
                let event = |what: &str| json!({ "message": format!("{what} {number}"), "level": "error", "ts": "-3h" });
                let body = json!([event("failed to reach"), event("lost the way"), { "message": "late", "ts": 1_790_000_000 }]);
                assert_eq!(running.send(Post::bare(key, body.to_string())).await.counts(), (3, 3, false));
            }
        }
        database.until_folded(&[gone.project_id, kept.project_id]).await;
        // One more that the fold may not have seen.
        assert_eq!(running.send(Post::bare(&gone, r#"{"message":"last"}"#)).await.status, 200);
        let mut before = Vec::new();
        for table in TABLES {
            before.push(database.count(table, kept.project_id).await);
            assert!(table == "unfolded" || database.count(table, gone.project_id).await > 0, "{table}");
        }
        assert_eq!(running.admin(Method::DELETE, "/admin/projects/gone", NONE).await.status, 204);
        for (table, before) in TABLES.iter().zip(before) {
            assert_eq!(database.count(table, gone.project_id).await, 0, "{} {table}", database.name);
            assert_eq!(database.count(table, kept.project_id).await, before, "{} {table}", database.name);
        }
        let find = format!("SELECT slug, name FROM projects WHERE id = {}", gone.project_id);
        let left = database.rows(&find).await;
        assert!(!format!("{left:?}").contains(&format!("{:?}", b"gone")), "its row has lost its names");
        running.hand.advance(61_000);
        running.state.store.forget_project(gone.project_id, running.state.clock.now()).await.unwrap();
        assert_eq!(database.rows(&find).await.len(), 0, "and goes a minute later");
        assert_eq!(running.admin(Method::DELETE, "/admin/projects/gone", NONE).await.status, 404);
        assert_eq!(running.send(Post::bare(&gone, r#"{"message":"after"}"#)).await.status, 401);
        let bearer = format!("Bearer {}", reader.text);
        assert_eq!(
            running.request(Method::GET, "/logs", &[("authorization", &bearer)], "").await.status,
            401
        );
        assert_eq!(running.logs("limit=1000").await.len(), 90);
        let again = running.project("gone").await;
        assert!(again.project_id > kept.project_id, "the slug is free, the id is not used again");
        assert_eq!(running.logs("project_id=gone").await.len(), 0);
        running.stop().await;
        database.remove().await;
    }
}

async fn replies_after_creation(running: &Running, key_ids: &[i64]) -> String {
    let mut replies = String::new();
    for path in [
        "/admin/projects",
        "/admin/projects/web",
        "/admin/projects/web/keys",
        "/logs",
        "/stats",
        "/config",
        "/metrics",
        "/readyz",
        "/healthz",
    ] {
        let answer = running.admin(Method::GET, path, NONE).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        replies += &answer.body;
        for value in answer.headers.values() {
            replies += value.to_str().unwrap();
        }
    }
    replies += &running.admin(Method::PUT, "/admin/projects/web", &json!({ "name": "new" })).await.body;
    replies += &running.admin(Method::POST, "/admin/projects/web/test-event", NONE).await.body;
    for id in key_ids {
        replies += &running.admin(Method::DELETE, &format!("/admin/projects/web/keys/{id}"), NONE).await.body;
    }
    replies + &running.admin(Method::GET, "/admin/projects/web/keys", NONE).await.body
}

#[tokio::test]
async fn keys_and_secrets_are_shown_once_and_stand_in_no_dump_log_or_later_reply() {
    capture();
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        let first = running.project("web").await;
        let keys = [first.clone(), running.key(1, "server").await, running.key(1, "read").await];
        let mut secrets: Vec<String> = Vec::new();
        for key in &keys {
            secrets.push(key.text.clone());
            // The part that nobody can guess, in case something keeps it without its prefix.
            secrets.push(key.text[8..].to_owned());
            secrets.extend((!key.signing_secret.is_empty()).then(|| key.signing_secret.clone()));
        }
        secrets.push(crate::support::HMAC_SECRET.to_owned());
        secrets.push(crate::support::ADMIN_TOKEN.to_owned());
        let all = || secrets.iter().map(String::as_str);
        assert_eq!(running.send(Post::bare(&first, r#"{"message":"good"}"#)).await.status, 200);
        let wrong = Post::bare(&first, "x").with("x-signature", &first.signing_secret);
        assert_eq!(running.send(wrong).await.status, 401);
        let bearer = format!("Bearer {}", first.text);
        assert_eq!(
            running.request(Method::GET, "/logs", &[("authorization", &bearer)], "").await.status,
            401
        );
        let in_path = format!("/admin/projects/{}", first.signing_secret);
        assert_eq!(running.admin(Method::GET, &in_path, NONE).await.status, 404);
        // Events that quote them, as a client that logs its own settings would send.
        let quoting = json!({ "message": format!("key {}", keys[1].text), "ctx": { "signing_secret": keys[1].signing_secret, "key": keys[2].text } });
        assert_eq!(running.send(Post::bare(&first, quoting.to_string())).await.status, 200);
        let ids: Vec<i64> = keys.iter().map(|key| key.id).collect();
        let replies = replies_after_creation(&running, &ids).await;
        assert_eq!(found(replies.as_bytes(), all()), (0, None), "{}: a later reply", database.name);
        assert_eq!(found(&database.dump().await, all()), (0, None), "{}: a dump", database.name);
        running.stop().await;
        assert_eq!(
            found(&database.dump().await, all()),
            (0, None),
            "{}: a dump after the end",
            database.name
        );
        assert_eq!(found(&written(), all()), (0, None), "{}: our log", database.name);
        database.remove().await;
    }
}

#[tokio::test]
async fn a_key_is_rotated_without_a_gap_and_a_revoked_one_is_refused_at_once() {
    everywhere(async |running| {
        let old = running.project("web").await;
        let new = running.key(old.project_id, "server").await;
        let send = async |key, name: &str| {
            running.send(Post::bare(key, json!({ "message": name }).to_string())).await.status
        };
        assert_eq!((send(&old, "a").await, send(&new, "b").await), (200, 200), "both at once");
        let path = format!("/admin/projects/web/keys/{}", old.id);
        assert_eq!(running.admin(Method::DELETE, &path, NONE).await.status, 204);
        assert_eq!((send(&old, "c").await, send(&new, "d").await), (401, 200));
        assert_eq!(running.admin(Method::DELETE, &path, NONE).await.status, 204, "again changes nothing");
        let list = running.admin(Method::GET, "/admin/projects/web/keys", NONE).await.json();
        let revoked: Vec<bool> =
            list["keys"].as_array().unwrap().iter().map(|key| key["revoked_at"].is_string()).collect();
        assert_eq!(revoked, [true, false]);
        // A key of one project is not revoked through another.
        let other = running.project("other").await;
        let path = format!("/admin/projects/other/keys/{}", new.id);
        assert_eq!(running.admin(Method::DELETE, &path, NONE).await.status, 404);
        assert_eq!((send(&new, "e").await, send(&other, "f").await), (200, 200));
        assert_eq!(running.logs("").await.len(), 5);
    })
    .await;
}
