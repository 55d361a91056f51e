//! Who gets where: every route of the table against every kind of credential.

use std::collections::BTreeSet;

use poem::http::Method;

use super::harness::{ADMIN_TOKEN, Answer, App, METRICS_TOKEN, config};
use crate::config::{ClientAddressSource, Secret};
use crate::http::route::{Access, RouteSpec};
use crate::http::routes;
use crate::key::{KeyKind, KeyRing};

/// The table's lines with a path that could exist.
fn lines() -> Vec<(Method, String, Access)> {
    let event = format!("{}-0", "0".repeat(26));
    let path = |route: &RouteSpec| {
        let id = match route.path {
            path if path.starts_with("/logs/") => event.as_str(),
            path if path.starts_with("/issues/") => "1-00000000000000ab",
            _ => "1",
        };
        route.path.replace(":key_id", "1").replace(":id", id)
    };
    routes().iter().map(|route| (route.method.clone(), path(route), route.access)).collect()
}

/// Past limits, guard and scope; what the search then says (503 without a storage) is not asked here.
fn passed(status: u16) -> bool {
    !matches!(status, 401 | 403 | 404 | 429 | 500)
}

async fn send_all(app: &App, access: &[Access], headers: &[(&str, &str)]) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for (method, path, declared) in lines() {
        if access.contains(&declared) {
            let answer = app.send(method.clone(), &path, headers, "{}").await;
            answers.push((format!("{method} {path} with {headers:?}"), answer));
        }
    }
    assert!(!answers.is_empty());
    answers
}

#[test]
fn only_these_routes_are_open_to_anyone() {
    let open: BTreeSet<String> = routes()
        .iter()
        .filter(|route| matches!(route.access, Access::Public | Access::Ingest))
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let expected = [
        "DELETE /session",
        "GET /",
        "GET /assets/*path",
        "GET /config",
        "GET /healthz",
        "GET /openapi.json",
        "GET /readyz",
        "GET /session",
        "GET /ui",
        "GET /ui/*path",
        "POST /api/log",
        "POST /log",
        "POST /session",
    ];
    assert_eq!(open, expected.into_iter().map(str::to_owned).collect());
}

#[test]
fn no_route_is_in_the_table_twice() {
    let all: Vec<String> = routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let unique: BTreeSet<&String> = all.iter().collect();
    assert_eq!(unique.len(), all.len());
}

#[tokio::test]
async fn without_good_credentials_every_guarded_route_gives_the_same_answer() {
    let app = App::new();
    let (project_id, server_key) = app.project("web").await;
    let read_key = app.read_key(project_id).await;
    let session = app.state.sessions.open(app.state.clock.now());
    let mut tampered = session.into_bytes();
    tampered[40] = if tampered[40] == b'0' { b'1' } else { b'0' };
    let tampered = format!("tekno_session={}", String::from_utf8(tampered).unwrap());
    let foreign = KeyRing::new(&Secret::new("another"), None).mint(KeyKind::Read, project_id, 1);
    let bearer = |token: &str| format!("Bearer {token}");
    let (server, read, foreign) = (bearer(&server_key), bearer(&read_key), bearer(foreign.expose()));
    let everywhere: [&[(&str, &str)]; 12] = [
        &[],
        &[("x-admin-token", "")],
        &[("x-admin-token", "the-admin-tokem")],
        &[("x-admin-token", ADMIN_TOKEN), ("x-admin-token", ADMIN_TOKEN)],
        &[("authorization", "Bearer the-admin-token2")],
        &[("authorization", ADMIN_TOKEN)],
        &[("authorization", "Basic dGhlLWFkbWluLXRva2Vu")],
        &[("authorization", &server)],
        &[("x-admin-token", &server_key)],
        &[("authorization", &foreign)],
        &[("cookie", &tampered)],
        &[("cookie", "tekno_session=the-admin-token")],
    ];
    for headers in everywhere {
        for (what, answer) in send_all(&app, &[Access::Read, Access::Admin, Access::Metrics], headers).await {
            assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{what}");
            let json = answer.json();
            let same = "The credentials are missing or wrong.";
            assert_eq!(
                (json["detail"].as_str(), json["title"].as_str()),
                (Some(same), Some("Not authorized")),
                "{what}"
            );
        }
    }
    for (what, answer) in send_all(&app, &[Access::Admin, Access::Metrics], &[("authorization", &read)]).await
    {
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{what}");
    }
    let metrics = bearer(METRICS_TOKEN);
    for (what, answer) in send_all(&app, &[Access::Admin, Access::Read], &[("authorization", &metrics)]).await
    {
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{what}");
    }
}

#[tokio::test]
async fn good_credentials_pass_the_guard_everywhere_they_should() {
    let app = App::new();
    let session = format!("tekno_session={}", app.state.sessions.open(app.state.clock.now()));
    let bearer = format!("bearer {ADMIN_TOKEN}");
    let good: [&[(&str, &str)]; 3] = [
        &[("x-admin-token", ADMIN_TOKEN)],
        &[("authorization", &bearer)],
        &[("cookie", &session), ("sec-fetch-site", "same-origin")],
    ];
    for headers in good {
        for (what, answer) in send_all(&app, &[Access::Read, Access::Admin, Access::Metrics], headers).await {
            assert!(!matches!(answer.status, 401 | 403 | 429 | 500), "{what}: {}", answer.status);
        }
    }
    let metrics = format!("Bearer {METRICS_TOKEN}");
    assert_eq!(app.get("/metrics", &[("authorization", &metrics)]).await.status, 200);
}

#[tokio::test]
async fn a_read_key_sees_its_own_project_only() {
    let app = App::new();
    let (own, _) = app.project("own").await;
    let (other, _) = app.project("other").await;
    let key = format!("Bearer {}", app.read_key(own).await);
    for path in [
        "/logs",
        "/api/log",
        "/admin/logs/search",
        "/logs/histogram",
        "/logs/facets",
        "/logs/patterns",
        "/stats",
    ] {
        for asked in [String::new(), own.to_string(), "own".to_owned()] {
            let answer = app.get(&format!("{path}?project_id={asked}"), &[("authorization", &key)]).await;
            assert!(passed(answer.status), "{path} {asked}: {}", answer.body);
        }
        for (project, status) in [
            (other.to_string(), 404),
            ("other".to_owned(), 404),
            ("99".to_owned(), 404),
            ("01".to_owned(), 404),
            (format!("{own}&project_id={other}"), 400),
        ] {
            let answer = app.get(&format!("{path}?project_id={project}"), &[("authorization", &key)]).await;
            assert_eq!(answer.status, status, "{path} {project}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_revoked_read_key_reads_nothing() {
    let app = App::new();
    let (project_id, _) = app.project("web").await;
    let key = format!("Bearer {}", app.read_key(project_id).await);
    assert!(passed(app.get("/logs", &[("authorization", &key)]).await.status));
    let revoked = app.admin(Method::DELETE, &format!("/admin/projects/{project_id}/keys/2"), "").await;
    assert_eq!(revoked.status, 204);
    assert_eq!(app.get("/logs", &[("authorization", &key)]).await.status, 401);
}

#[tokio::test]
async fn a_read_key_made_by_another_instance_works_after_one_reload() {
    let app = App::new();
    let (project_id, _) = app.project("web").await;
    let key = format!("Bearer {}", app.stored_key(project_id, KeyKind::Read).await.expose());
    app.hand.advance(1_000);
    assert!(passed(app.get("/logs", &[("authorization", &key)]).await.status));
}

#[tokio::test]
async fn a_read_key_does_not_read_while_the_database_cannot_be_asked_about_it() {
    let app = App::new();
    app.set_away(true);
    let key = format!("Bearer {}", app.state.key_ring.mint(KeyKind::Read, 1, 1).expose());
    let answer = app.get("/logs", &[("authorization", &key)]).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "storage_unavailable"));
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn odd_spellings_of_a_path_open_nothing() {
    let app = App::new();
    app.project("web").await;
    let paths = [
        "//admin/projects",
        "/admin//projects",
        "/admin/projects/",
        "/admin/./projects",
        "/admin/%2e/projects",
        "/x/../admin/projects",
        "/x/%2e%2e/admin/projects",
        "/%61dmin/projects",
        "/ADMIN/projects",
        "/admin%2fprojects",
        "/admin/projects%00",
        "/admin/projects;a=b",
        "/healthz/../admin/projects",
        "/log/../admin/projects",
        "/admin/projects/%31",
        "/admin/projects/1/",
        "/admin/projects/1//keys",
        "/admin/projects/1%2fkeys",
        "/logs/",
        "//logs",
        "/logs//",
        "/metrics/",
        "//metrics",
    ];
    for path in paths {
        let answer = app.get(path, &[]).await;
        assert!(matches!(answer.status, 401 | 404), "{path}: {}", answer.status);
        answer.code();
    }
    // Decoded once, the same project; with a wrong spelling, none.
    let status = async |path: &str| app.admin(Method::GET, path, "").await.status;
    assert_eq!(status("/admin/projects/%31").await, 200);
    for path in ["/admin/projects/01", "/admin/projects/1abc", "/admin/projects/+1", "/admin/projects/1%20"] {
        assert_eq!(status(path).await, 404, "{path}");
    }
}

#[tokio::test]
async fn only_wrong_tokens_count_and_the_right_one_always_passes() {
    let app = App::new();
    let status = async |client: &str, token: &str| {
        app.send_from(client, Method::GET, "/admin/projects", &[("x-admin-token", token)], "").await
    };
    for _ in 0..30 {
        assert_eq!(status("192.0.2.1:1", ADMIN_TOKEN).await.status, 200);
    }
    for _ in 0..10 {
        assert_eq!(status("192.0.2.1:2", "guess").await.status, 401);
    }
    let refused = status("192.0.2.1:3", "guess").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited_client"));
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"client\";q=10;w=60"));
    assert_eq!(refused.header("ratelimit"), Some(format!("\"client\";r=0;t={wait}").as_str()));
    assert_eq!(
        status("192.0.2.1:4", ADMIN_TOKEN).await.status,
        200,
        "never refused for the guesses before it"
    );
    assert_eq!(status("192.0.2.2:1", "guess").await.status, 401, "another client");
}

#[tokio::test]
async fn every_door_counts_guesses_alike() {
    let app = App::new();
    let client = "192.0.2.1:1";
    let guess = async |method: Method, path: &str, headers: &[(&str, &str)], body: &str| {
        app.send_from(client, method, path, headers, body).await.status
    };
    let sign_in = async || guess(Method::POST, "/session", &[], r#"{"token":"guess"}"#).await;
    for _ in 0..5 {
        assert_eq!(guess(Method::GET, "/readyz", &[("x-admin-token", "guess")], "").await, 200);
        assert_eq!(sign_in().await, 401);
    }
    assert_eq!(sign_in().await, 429);
    assert_eq!(guess(Method::GET, "/logs", &[("authorization", "Bearer guess")], "").await, 429);
    assert_eq!(guess(Method::GET, "/logs", &[], "").await, 401, "sending nothing is no guess");
}

#[tokio::test]
async fn each_kind_of_request_has_its_own_allowance_and_health_has_no_limit() {
    let mut config = config();
    config.limits.rate_limit_per_ip = 2;
    config.limits.read_rate_limit_per_ip = 3;
    config.client_address = ClientAddressSource::ForwardedHops(1);
    let app = App::with(config, routes());
    let status = async |method: Method, path: &str, client: &str| {
        let headers = [("x-admin-token", ADMIN_TOKEN), ("x-forwarded-for", client)];
        app.send(method, path, &headers, "").await.status
    };
    for _ in 0..3 {
        assert_eq!(status(Method::GET, "/admin/projects", "192.0.2.1").await, 200);
    }
    assert_eq!(status(Method::GET, "/admin/projects", "192.0.2.1").await, 429);
    assert_eq!(status(Method::GET, "/logs", "192.0.2.1").await, 429);
    assert!(passed(status(Method::GET, "/logs", "192.0.2.2").await), "another client");
    for _ in 0..2 {
        assert_ne!(status(Method::POST, "/log", "192.0.2.1").await, 429);
    }
    assert_eq!(status(Method::POST, "/api/log", "192.0.2.1").await, 429);
    for _ in 0..9 {
        assert_eq!(status(Method::GET, "/healthz", "192.0.2.1").await, 200);
    }
}
