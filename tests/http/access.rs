//! Deny by default on the running service: every route of the table with every kind of wrong credential.

use reqwest::Method;
use serde_json::Value;
use tekno_logger::http::route::Access;
use tekno_logger::http::routes;

use crate::running::{Answer, Post, Running};
use crate::support::{ADMIN_TOKEN, TestDatabase};

const METRICS_TOKEN: &str = "tests-metrics-token-99aabbccddeeff00112233445566";
const CHANGES: [(&str, &str); 2] = [("METRICS_TOKEN", METRICS_TOKEN), ("CLIENT_ADDRESS_HEADER", "x-client")];

/// The table with paths that exist: project 1, its key 1 and one of its events.
fn lines(event: &str) -> Vec<(Method, String, Access)> {
    let line = |route: &tekno_logger::http::route::RouteSpec| {
        let id = if route.path.starts_with("/logs/") { event } else { "1" };
        let path = route.path.replace(":key_id", "1").replace(":id", id).replace("*path", "x");
        (Method::from_bytes(route.method.as_str().as_bytes()).unwrap(), path, route.access)
    };
    let lines: Vec<_> = routes().iter().map(line).collect();
    assert!(lines.len() > 20);
    lines
}

struct Site<'a> {
    running: &'a Running,
    calls: std::cell::Cell<u32>,
}

impl Site<'_> {
    /// From an address of its own, so that guessing is not what is refused.
    async fn call(&self, method: &Method, path: &str, credential: Option<&(&str, String)>) -> Answer {
        self.calls.set(self.calls.get() + 1);
        let address = std::net::Ipv4Addr::from_bits(0xC612_0000 + self.calls.get()).to_string();
        let mut headers = vec![("x-client", address.as_str())];
        headers.extend(credential.map(|(name, value)| (*name, value.as_str())));
        self.running.request(method.clone(), path, &headers, "{}").await
    }
}

fn is_unauthorized(answer: &Answer, what: &str) {
    assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()), "{what}: {}", answer.body);
    assert_eq!(answer.json()["detail"], "The credentials are missing or wrong.", "{what}");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
}

#[tokio::test]
async fn every_route_refuses_every_credential_it_does_not_ask_for() {
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &CHANGES).await;
        let key = running.project("own").await;
        let foreign = running.project("foreign").await;
        let foreign_reader = running.key(foreign.project_id, "read").await;
        assert_eq!(running.send(Post::bare(&key, r#"{"message":"only of own"}"#)).await.status, 200);
        let event = running.logs("").await[0]["id"].as_str().unwrap().to_owned();
        let site = Site { running: &running, calls: std::cell::Cell::new(0) };
        let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
        let nobody = [
            None,
            Some(bearer("a-wrong-token-of-some-length-000000000")),
            Some(("x-admin-token", "a-wrong-token-of-some-length-000000000".to_owned())),
            Some(("x-admin-token", String::new())),
            Some(bearer(&key.text)),
            Some(("x-admin-token", key.text.clone())),
            Some(bearer(&key.signing_secret)),
            Some(("x-project-key", key.text.clone())),
            Some(("cookie", format!("tekno_session={ADMIN_TOKEN}"))),
        ];
        let reader = Some(bearer(&foreign_reader.text));
        let scraper = Some(bearer(METRICS_TOKEN));
        for (method, path, access) in lines(&event) {
            let open = site.call(&method, &path, None).await.status;
            for credential in nobody.iter().chain([&reader, &scraper]) {
                let what = format!("{} {method} {path} with {credential:?}", database.name);
                let answer = site.call(&method, &path, credential.as_ref()).await;
                match access {
                    // Nobody is kept out and nobody gets more; a session route checks what it is given.
                    Access::Public => assert_eq!(answer.status, open, "{what}: {}", answer.body),
                    Access::Metrics if *credential == scraper => assert_eq!(answer.status, 200, "{what}"),
                    Access::Read if *credential == reader => {
                        assert!(matches!(answer.status, 200 | 404), "{what}: {}", answer.body);
                        assert!(
                            !answer.body.contains("only of own") && !answer.body.contains(&event),
                            "{what}: {}",
                            answer.body
                        );
                    }
                    Access::Ingest | Access::Read | Access::Admin | Access::Metrics => {
                        is_unauthorized(&answer, &what);
                    }
                }
            }
        }
        let kept = running.admin(Method::GET, "/admin/projects/1/keys", &Value::Null).await.json();
        assert_eq!(kept["keys"].as_array().unwrap().len(), 1, "nothing was made");
        assert_eq!(kept["keys"][0]["revoked_at"], Value::Null, "or revoked");
        assert_eq!(running.logs("").await.len(), 1, "or sent");
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn a_read_key_sees_its_project_and_a_probe_for_another_looks_like_nothing() {
    let database = TestDatabase::sqlite();
    let running = Running::start(&database, &CHANGES).await;
    let (own, other) = (running.project("own").await, running.project("other").await);
    let reader = running.key(own.project_id, "read").await;
    for (key, message) in [(&own, "ours"), (&other, "theirs")] {
        let body = format!(r#"{{"message":"{message}","level":"error"}}"#);
        assert_eq!(running.send(Post::bare(key, body)).await.status, 200);
    }
    let theirs = running.logs("project_id=other").await[0]["id"].as_str().unwrap().to_owned();
    let site = Site { running: &running, calls: std::cell::Cell::new(0) };
    let bearer = Some(("authorization", format!("Bearer {}", reader.text)));
    let get = async |path: &str| site.call(&Method::GET, path, bearer.as_ref()).await;
    for path in ["/logs", "/api/log", "/admin/logs/search", "/logs?project_id=own"] {
        let answer = get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(answer.body.contains("ours") && !answer.body.contains("theirs"), "{path}: {}", answer.body);
    }
    let blank = |answer: &Answer| answer.body.replace(answer.header("x-request-id").unwrap(), "ID");
    let nothing = get("/logs?project_id=77").await;
    for path in [
        "/logs?project_id=other".to_owned(),
        format!("/logs?project_id={}", other.project_id),
        "/stats?project_id=other".to_owned(),
    ] {
        let answer = get(&path).await;
        assert_eq!((answer.status, blank(&answer)), (404, blank(&nothing)), "{path}");
    }
    let never = format!("{}-0", "0".repeat(26));
    let (probe, nothing) = (get(&format!("/logs/{theirs}")).await, get(&format!("/logs/{never}")).await);
    assert_eq!((probe.status, blank(&probe)), (nothing.status, blank(&nothing)));
    assert_eq!(probe.status, 404);
    running.stop().await;
}

#[tokio::test]
async fn guessing_the_admin_token_is_limited_and_the_right_one_never() {
    let database = TestDatabase::sqlite();
    let running = Running::start(&database, &[]).await;
    let ask = async |token: &str| {
        running.request(Method::GET, "/admin/projects", &[("x-admin-token", token)], "").await
    };
    for number in 0..10 {
        assert_eq!(ask(&format!("guess-{number}")).await.status, 401);
        assert_eq!(ask(ADMIN_TOKEN).await.status, 200);
    }
    let refused = ask("guess-10").await;
    assert_eq!(refused.refusal(), (429, "rate_limited_client".to_owned()));
    assert!(refused.header("retry-after").is_some());
    let sign_in = running.request(Method::POST, "/session", &[], r#"{"token":"guess-11"}"#).await;
    assert_eq!(sign_in.status, 429, "by every door");
    assert_eq!(ask(ADMIN_TOKEN).await.status, 200);
    running.stop().await;
}

#[tokio::test]
async fn a_session_does_what_the_token_does_but_nothing_for_another_site() {
    let database = TestDatabase::sqlite();
    let running = Running::start(&database, &[]).await;
    let token = format!(r#"{{"token":"{ADMIN_TOKEN}"}}"#);
    let signed_in = running.request(Method::POST, "/session", &[], token).await;
    assert_eq!(signed_in.status, 204, "{}", signed_in.body);
    let set = signed_in.header("set-cookie").unwrap();
    assert!(set.contains("; HttpOnly; SameSite=Strict") && set.contains("; Max-Age=43200"), "{set}");
    assert!(!set.contains(ADMIN_TOKEN));
    let cookie = ("cookie", set.split(';').next().unwrap());
    let create = async |origin: (&str, &str), slug: &str| {
        let body = format!(r#"{{"slug":"{slug}"}}"#);
        running.request(Method::POST, "/admin/projects", &[cookie, origin], body).await.status
    };
    assert_eq!(create(("sec-fetch-site", "same-origin"), "a").await, 201);
    assert_eq!(create(("origin", &format!("http://{}", running.address)), "b").await, 201);
    for origin in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("x-nothing", "no header at all"),
    ] {
        assert_eq!(create(origin, "c").await, 403, "{origin:?}");
    }
    let projects = running.request(Method::GET, "/admin/projects", &[cookie], "").await;
    assert_eq!(projects.json()["projects"].as_array().unwrap().len(), 2);
    running.hand.advance(12 * 3_600_000);
    assert_eq!(
        running.request(Method::GET, "/admin/projects", &[cookie], "").await.status,
        401,
        "after 12 h"
    );
    running.stop().await;
}
