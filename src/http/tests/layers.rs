//! What every reply has, whatever was asked.

use poem::http::Method;
use serde_json::json;

use super::harness::{ADMIN_TOKEN, App, config};
use crate::config::Config;
use crate::error::{ApiError, RateLimit, Rejection};
use crate::http::request_id::RequestId;
use crate::http::route::{Access, Call, Reply, RouteSpec};
use crate::http::{problem, routes};
use crate::store::DatabaseStatus;

async fn fall_over(_call: Call) -> Reply {
    panic!("a bug")
}

fn app_at(public_url: &str) -> App {
    App::with(Config { public_url: Some(public_url.to_owned()), ..config() }, routes())
}

#[tokio::test]
async fn what_no_route_answers_is_a_problem_document() {
    let app = App::new();
    let missing = app.get("/nothing/here", &[]).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "not_found"));
    assert_eq!(
        missing.json(),
        json!({
            "type": "urn:tekno-logger:problem:not_found", "title": "Not found", "status": 404, "code": "not_found",
            "detail": "There is nothing at this address.", "request_id": missing.header("x-request-id").unwrap(),
        })
    );
    for (method, path, allow) in [
        (Method::DELETE, "/log", "POST, OPTIONS"),
        (Method::PATCH, "/admin/projects", "GET, HEAD, POST"),
        (Method::OPTIONS, "/admin/projects", "GET, HEAD, POST"),
        (Method::POST, "/healthz", "GET, HEAD"),
    ] {
        let answer = app.send(method, path, &[], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{path}");
        assert_eq!(answer.header("allow"), Some(allow));
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_document_and_the_next_request_is_served() {
    let table = vec![
        RouteSpec::new(Method::GET, "/bug", Access::Public, fall_over),
        RouteSpec::new(Method::POST, "/bug", Access::Ingest, fall_over),
    ];
    let app = App::with(config(), table);
    for method in [Method::GET, Method::POST, Method::GET] {
        let answer = app.send(method, "/bug", &[], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
        assert!(!answer.body.contains("a bug"));
    }
    assert_eq!(
        app.send(Method::POST, "/bug", &[], "").await.header("access-control-allow-origin"),
        Some("*")
    );
}

#[tokio::test]
async fn every_reply_has_an_id_and_the_security_headers() {
    let app = App::new();
    for path in ["/healthz", "/nothing", "/admin/projects", "/"] {
        let answer = app.get(path, &[]).await;
        assert_eq!(answer.header("x-request-id").unwrap().len(), 16, "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}");
    }
    let longest = "x".repeat(64);
    for safe in ["a", "req-1_2.3", &longest] {
        assert_eq!(app.get("/healthz", &[("x-request-id", safe)]).await.header("x-request-id"), Some(safe));
    }
    for unsafe_id in ["", "a b", "<script>", "a\"b", "ä", &format!("{longest}x")] {
        let answer = app.get("/healthz", &[("x-request-id", unsafe_id)]).await;
        assert_eq!(answer.header("x-request-id").unwrap().len(), 16, "{unsafe_id}");
    }
    assert_ne!(RequestId::new(), RequestId::new());
}

#[tokio::test]
async fn pages_of_other_sites_may_send_and_read_the_limits_only() {
    let app = App::new();
    let origin = [("origin", "https://shop.example"), ("access-control-request-method", "POST")];
    for (path, methods) in
        [("/log", "POST, OPTIONS"), ("/api/log", "POST, OPTIONS"), ("/config", "GET, HEAD, OPTIONS")]
    {
        let preflight = app.send(Method::OPTIONS, path, &origin, "").await;
        assert_eq!(preflight.status, 204, "{path}");
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
        assert_eq!(preflight.header("access-control-allow-methods"), Some(methods));
        let allowed = preflight.header("access-control-allow-headers").unwrap();
        for name in ["x-project-key", "x-signature", "x-timestamp", "idempotency-key", "content-type"] {
            assert!(allowed.contains(name), "{name}");
        }
        assert_eq!(preflight.header("access-control-allow-credentials"), None);
    }
    let refused = app.send(Method::POST, "/log", &origin, "[]").await;
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"), "an error must be readable too");
    for path in ["/api/log", "/logs", "/admin/projects", "/session", "/healthz", "/metrics", "/nothing"] {
        let answer =
            app.get(path, &[("origin", "https://shop.example"), ("x-admin-token", ADMIN_TOKEN)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    assert_eq!(app.send(Method::OPTIONS, "/admin/projects", &origin, "").await.status, 405);
}

#[tokio::test]
async fn behind_https_plain_reads_are_redirected_and_nothing_else() {
    let app = app_at("https://logs.example.org");
    let plain = [("x-forwarded-proto", "http"), ("host", "evil.example")];
    for path in ["/", "/logs?q=a%20b", "//evil.example/x", "/admin/projects"] {
        let answer = app.get(path, &plain).await;
        assert_eq!(answer.status, 308, "{path}");
        assert_eq!(answer.header("location"), Some(format!("https://logs.example.org{path}").as_str()));
        assert_eq!(answer.header("strict-transport-security"), None, "not over plain HTTP");
    }
    assert_eq!(app.get("/healthz", &plain).await.status, 200, "a platform's own check");
    assert_eq!(app.send(Method::POST, "/session", &plain, "{}").await.status, 422);
    let secure = app.get("/healthz", &[("x-forwarded-proto", "https")]).await;
    assert_eq!(secure.header("strict-transport-security"), Some("max-age=31536000"));

    let local = App::new();
    let answer = local.get("/", &[("x-forwarded-proto", "http")]).await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/ui/")));
}

#[tokio::test]
async fn health_needs_no_database_and_readiness_says_why_to_an_admin_only() {
    let app = App::new();
    app.state.store.set_status(DatabaseStatus::Connecting);
    app.hand.advance(12_345_000);
    let health = app.get("/healthz", &[]).await;
    assert_eq!(
        health.json(),
        json!({"ok": true, "database": "connecting", "uptime": 12345, "version": env!("CARGO_PKG_VERSION")})
    );
    let ready = app.get("/readyz", &[]).await;
    assert_eq!((ready.status, ready.header("retry-after")), (503, Some("5")));
    assert_eq!(ready.json(), json!({"ready": false, "checks": {"database": false}}));

    app.state.store.set_status(DatabaseStatus::Connected);
    app.state
        .health
        .set_check("hmac_secret", Some("HMAC_SECRET is not the one of this database.".to_owned()));
    assert_eq!(app.get("/healthz", &[]).await.json()["database"], "connected");
    let public = app.get("/readyz", &[]).await;
    assert_eq!(public.json(), json!({"ready": false, "checks": {"database": true, "hmac_secret": false}}));
    let admin = app.get("/readyz", &[("x-admin-token", ADMIN_TOKEN)]).await.json();
    assert_eq!(admin["checks"]["hmac_secret"]["detail"], "HMAC_SECRET is not the one of this database.");

    app.state.health.set_check("hmac_secret", None);
    assert_eq!(app.get("/readyz", &[]).await.status, 200);
    app.state.store.set_status(DatabaseStatus::Disconnected);
    assert_eq!(app.get("/readyz", &[]).await.status, 503);
    assert_eq!(app.get("/healthz", &[]).await.json()["database"], "disconnected");
    assert_eq!(app.get("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn clients_read_their_limits_and_may_keep_them_five_minutes() {
    let app = App::new();
    let answer = app.get("/config", &[]).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let json = answer.json();
    assert_eq!(json["max_events_per_post"], 250);
    assert_eq!(json["max_payload_bytes"], 524_288);
    assert!(!answer.body.contains("secret") && !answer.body.contains(ADMIN_TOKEN));
}

#[tokio::test]
async fn head_is_answered_where_get_is() {
    let app = App::new();
    for (path, headers) in [("/healthz", &[][..]), ("/admin/projects", &[("x-admin-token", ADMIN_TOKEN)])] {
        assert_eq!(app.send(Method::HEAD, path, headers, "").await.status, 200, "{path}");
    }
    assert_eq!(app.send(Method::HEAD, "/admin/projects", &[], "").await.status, 401);
    assert_eq!(app.send(Method::HEAD, "/log", &[], "").await.status, 405);
}

#[tokio::test]
async fn a_refused_batch_lists_its_events_and_a_limit_says_when_to_come_back() {
    let id = RequestId::new();
    let rejected = vec![Rejection { index: 3, code: "message_missing", detail: "No message.".into() }];
    let body = problem::respond(&ApiError::AllRejected { received: 1, rejected }, &id).into_body();
    let json: serde_json::Value = serde_json::from_str(&body.into_string().await.unwrap()).unwrap();
    assert_eq!(json["received"], 1);
    assert_eq!(json["rejected"], json!([{"index": 3, "code": "message_missing", "detail": "No message."}]));

    let limit = RateLimit { per_minute: 5_000, retry_after: 12 };
    let response = problem::respond(&ApiError::RateLimitedProject(limit), &id);
    assert_eq!(response.header("retry-after"), Some("12"));
    assert_eq!(response.header("ratelimit-policy"), Some("\"project\";q=5000;w=60"));
    assert_eq!(response.header("ratelimit"), Some("\"project\";r=0;t=12"));
    assert_eq!(problem::respond(&ApiError::Overloaded(0), &id).header("retry-after"), Some("1"));
}
