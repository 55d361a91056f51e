//! The description of the API, held against the running service: each GET it has is made, and the answer is what it says.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Answer, Key, PATIENCE, Post, Running, START_SECONDS, everywhere, on_sqlite};
use crate::schema::problems;

async fn document(running: &Running) -> Value {
    let answer = running.request(Method::GET, "/openapi.json", &[], "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

/// Something of every kind that can be shown.
async fn filled(running: &Running) -> Key {
    let key = running.project_with("shop", json!({ "minute_cap": 100 })).await;
    let event = |number: usize| {
        json!({ "message": format!("payment {number} failed"), "level": "error", "source": "web", "release": "1.2", "stack": "at pay (pay.js:1)",
                "user_id": "u1", "request_id": "r1", "tags": ["a"], "ctx": { "n": number, "deep": [null, 1.5] } })
    };
    let events: Vec<Value> = (0..3).map(event).chain([json!({ "level": "info" })]).collect();
    let sent = running.send(Post::timed(&key, START_SECONDS, json!(events).to_string())).await;
    assert_eq!(sent.counts(), (4, 3, false));
    let forged = Post::bare(&key, "[]").without("x-signature").with("x-signature", &"0".repeat(64));
    assert_eq!(running.send(forged).await.status, 401);
    running.key(key.project_id, "read").await;
    let hook = json!({ "kind": "webhook", "url": "https://example.com/hook", "enabled": false });
    assert_eq!(running.admin(Method::POST, "/admin/alerts/channels", &hook).await.status, 201);
    for (path, body) in [("/admin/maintain", Value::Null), ("/admin/purge", json!({ "older_than": "-80d" }))]
    {
        assert_eq!(running.admin(Method::POST, path, &body).await.status, 200, "{path}");
    }
    key
}

/// Waits until an issue is there, which is when alerts about it are too; gives its id.
async fn issue(running: &Running) -> String {
    let started = std::time::Instant::now();
    loop {
        let found = running.admin(Method::GET, "/issues", &Value::Null).await.json();
        if let Some(id) = found["issues"][0]["id"].as_str() {
            return id.to_owned();
        }
        assert!(started.elapsed() < PATIENCE, "an issue: {found}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// What each parameter of a path stands for, by path.
async fn targets(running: &Running) -> BTreeMap<&'static str, String> {
    let event = running.logs("limit=1").await[0]["id"].as_str().unwrap().to_owned();
    let page = running.request(Method::GET, "/ui", &[], "").await.body;
    let asset = page.split("/assets/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    BTreeMap::from([
        ("/logs/{id}", event.clone()),
        ("/logs/{id}/context", event),
        ("/issues/{id}", issue(running).await),
        ("/admin/projects/{id}", "shop".to_owned()),
        ("/admin/projects/{id}/keys", "shop".to_owned()),
        ("/ui/{path}", "issues".to_owned()),
        ("/assets/{path}", asset),
    ])
}

/// What is wrong with an answer, by what its operation says.
fn check(document: &Value, operation: &Value, path: &str, answer: &Answer) -> Vec<String> {
    let said = &operation["responses"][answer.status.to_string()];
    if said.is_null() {
        return vec![format!("{path}: status {} is not described: {}", answer.status, answer.body)];
    }
    let Some(content) = said["content"].as_object() else {
        let bare = answer.body.is_empty() || answer.status >= 400;
        return if bare { Vec::new() } else { vec![format!("{path}: has a body")] };
    };
    let kind = answer.header("content-type").unwrap_or("").split(';').next().unwrap_or("");
    let Some(media) = content.get(kind) else { return vec![format!("{path}: is {kind}")] };
    if !kind.ends_with("/json") && !kind.ends_with("+json") {
        return Vec::new();
    }
    problems(document, &media["schema"], &answer.json()).iter().map(|why| format!("{path}: {why}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_get_answers_as_it_is_described() {
    everywhere(async |running| {
        filled(running).await;
        let (document, targets) = (document(running).await, targets(running).await);
        let mut found = Vec::new();
        let mut queries: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
            ("/logs", vec!["?include=histogram,facets,patterns", "?limit=1&q=failed", "?limit=0"]),
            ("/logs/histogram", vec!["?by=user_id&buckets=5", "?tz=Mars"]),
            ("/logs/export", vec!["?format=json", "?format=csv"]),
            ("/issues", vec!["?status=all&limit=1"]),
            ("/stats/ledger", vec!["?project_id=shop"]),
        ]);
        for (path, methods) in document["paths"].as_object().unwrap() {
            let operation = &methods["get"];
            if operation.is_null() {
                continue;
            }
            let target = targets.get(path.as_str()).map_or("", String::as_str);
            let filled_in = path.replace("{id}", target).replace("{path}", target);
            assert!(!filled_in.contains('{'), "the test knows nothing for {path}");
            for query in queries.remove(path.as_str()).into_iter().flatten().chain([""]) {
                let asked = format!("{filled_in}{query}");
                let answer = running.admin(Method::GET, &asked, &Value::Null).await;
                let is_refusal = answer.status == 400 && query.len() > 1;
                let said =
                    if is_refusal { &document["components"]["responses"]["Problem"] } else { &Value::Null };
                if is_refusal {
                    let schema = &said["content"]["application/problem+json"]["schema"];
                    found.extend(problems(&document, schema, &answer.json()));
                } else {
                    found.extend(check(&document, operation, &asked, &answer));
                }
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
        assert!(queries.is_empty(), "{queries:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_and_made_is_answered_as_it_is_described() {
    on_sqlite(&[], async |running| {
        let document = document(running).await;
        let mut found = Vec::new();
        let mut answered = |method: &str, path: &str, answer: &Answer| {
            found.extend(check(&document, &document["paths"][path][method], path, answer));
        };
        let made = running.admin(Method::POST, "/admin/projects", &json!({ "slug": "shop" })).await;
        answered("post", "/admin/projects", &made);
        let clash = running.admin(Method::POST, "/admin/projects", &json!({ "slug": "shop" })).await;
        answered("post", "/admin/projects", &clash);
        let key = running.project("web").await;
        answered("post", "/log", &running.send(Post::bare(&key, "[{\"message\":\"m\"},7]")).await);
        answered("post", "/log", &running.send(Post::bare(&key, "[{}]")).await);
        for (method, path, body) in [
            (Method::PUT, "/admin/projects/{id}", json!({ "name": "The shop" })),
            (Method::POST, "/admin/projects/{id}/keys", json!({ "kind": "read" })),
            (Method::POST, "/admin/projects/{id}/test-event", Value::Null),
            (
                Method::POST,
                "/admin/alerts/channels",
                json!({ "kind": "slack", "url": "https://example.com/hook" }),
            ),
            (Method::POST, "/admin/maintain", Value::Null),
            (Method::POST, "/admin/purge", json!({ "dry_run": true })),
            (Method::POST, "/admin/quarantine/retry", json!({})),
            (Method::DELETE, "/admin/projects/{id}", Value::Null),
        ] {
            let answer = running.admin(method.clone(), &path.replace("{id}", "shop"), &body).await;
            answered(&method.as_str().to_lowercase(), path, &answer);
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_document_gets_no_second_one() {
    on_sqlite(&[], async |running| {
        let first = running.request(Method::GET, "/openapi.json", &[], "").await;
        assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
        let tag = first.header("etag").unwrap();
        for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let again = running.request(Method::GET, "/openapi.json", &[("if-none-match", &known)], "").await;
            assert_eq!(
                (again.status, again.body.len(), again.header("etag")),
                (304, 0, Some(tag)),
                "{known}"
            );
        }
        let other = running.request(Method::GET, "/openapi.json", &[("if-none-match", "\"x\"")], "").await;
        assert_eq!((other.status, other.body), (200, first.body.clone()));
    })
    .await;
}
