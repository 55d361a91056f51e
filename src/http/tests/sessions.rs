//! The life of an admin session, and what other sites can't do with it.

use poem::http::Method;

use super::harness::{ADMIN_TOKEN, Answer, App, config};
use crate::config::{Config, Secret};
use crate::http::routes;

const TWELVE_HOURS_MILLIS: i64 = 12 * 60 * 60 * 1000;

async fn sign_in(app: &App, headers: &[(&str, &str)]) -> Answer {
    app.send(Method::POST, "/session", headers, &format!(r#"{{"token":"{ADMIN_TOKEN}"}}"#)).await
}

/// `name=value` of the cookie a reply sets.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn app_at(public_url: &str) -> App {
    App::with(Config { public_url: Some(public_url.to_owned()), ..config() }, routes())
}

#[tokio::test]
async fn a_session_lives_twelve_hours_and_ends_at_sign_out() {
    let app = App::new();
    let signed_in = sign_in(&app, &[]).await;
    assert_eq!((signed_in.status, signed_in.body.as_str()), (204, ""));
    let attributes = signed_in.header("set-cookie").unwrap();
    assert!(attributes.starts_with("tekno_session="), "{attributes}");
    assert!(attributes.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{attributes}");
    assert!(!attributes.contains(ADMIN_TOKEN));
    let cookie = cookie(&signed_in);
    let status = async || app.get("/session", &[("cookie", &cookie)]).await.status;
    assert_eq!(status().await, 204);
    assert_eq!(app.get("/admin/projects", &[("cookie", &cookie)]).await.status, 200);
    let among_others = format!("a=b; {cookie}; c");
    assert_eq!(app.get("/session", &[("cookie", &among_others)]).await.status, 204);

    app.hand.advance(TWELVE_HOURS_MILLIS - 1);
    assert_eq!(status().await, 204);
    app.hand.advance(1);
    assert_eq!(status().await, 401);
    app.hand.advance(-1);

    let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
    let signed_out = app.send(Method::DELETE, "/session", &headers, "").await;
    assert_eq!(signed_out.status, 204);
    assert!(signed_out.header("set-cookie").unwrap().starts_with("tekno_session=; Path=/; Max-Age=0;"));
    assert_eq!(status().await, 401, "a copy of the cookie is of no use");
    assert_eq!(app.send(Method::DELETE, "/session", &headers, "").await.status, 204, "again is harmless");
}

#[tokio::test]
async fn a_wrong_sign_in_is_refused_with_its_reason() {
    let app = App::new();
    for (body, status) in [
        (r#"{"token":"wrong"}"#, 401),
        (r#"{"token":7}"#, 422),
        (r#"{"token":""}"#, 422),
        ("{}", 422),
        ("", 422),
        (r#"{"token":"the-admin-token","more":1}"#, 422),
        ("token=the-admin-token", 400),
        ("[]", 400),
    ] {
        let answer = app.send(Method::POST, "/session", &[], body).await;
        assert_eq!(answer.status, status, "{body}");
        assert_eq!(answer.header("set-cookie"), None);
        answer.code();
    }
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_host_and_transport() {
    let app = app_at("https://logs.example.org");
    let signed_in = sign_in(&app, &[]).await;
    let attributes = signed_in.header("set-cookie").unwrap();
    assert!(attributes.starts_with("__Host-tekno_session="), "{attributes}");
    assert!(attributes.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{attributes}");
    assert_eq!(app.get("/session", &[("cookie", &cookie(&signed_in))]).await.status, 204);
    let renamed = cookie(&signed_in).replace("__Host-", "");
    assert_eq!(
        app.get("/session", &[("cookie", &renamed)]).await.status,
        401,
        "a subdomain could set that one"
    );

    let behind_proxy = App::new();
    let signed_in = sign_in(&behind_proxy, &[("x-forwarded-proto", "https")]).await;
    assert!(cookie(&signed_in).starts_with("__Host-tekno_session="));
}

#[tokio::test]
async fn a_change_of_a_secret_ends_every_session() {
    let app = App::new();
    let cookie = cookie(&sign_in(&app, &[]).await);
    let later = [
        Config { admin_token: Secret::new("another-token"), ..config() },
        Config { hmac_secret: Secret::new("another secret"), ..config() },
    ];
    assert_eq!(App::new().get("/session", &[("cookie", &cookie)]).await.status, 204, "any instance knows it");
    for config in later {
        let app = App::with(config, routes());
        assert_eq!(app.get("/session", &[("cookie", &cookie)]).await.status, 401);
    }
}

#[tokio::test]
async fn another_site_changes_nothing_with_a_session() {
    let create = async |app: &App, cookie: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("cookie", cookie)];
        all.extend(headers);
        let answer = app.send(Method::POST, "/admin/projects", &all, r#"{"slug":"web"}"#).await;
        if answer.status == 403 {
            assert_eq!(answer.code(), "forbidden");
        }
        answer.status
    };
    let app = app_at("https://logs.example.org");
    let session = cookie(&sign_in(&app, &[]).await);
    let foreign: [&[(&str, &str)]; 7] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null"), ("host", "logs.example.org")],
        // The Host header never decides where PUBLIC_URL is known.
        &[("origin", "https://evil.example"), ("host", "evil.example")],
    ];
    for headers in foreign {
        assert_eq!(create(&app, &session, headers).await, 403, "{headers:?}");
    }
    assert_eq!(create(&app, &session, &[("origin", "https://logs.example.org")]).await, 201);
    assert_eq!(create(&app, &session, &[("sec-fetch-site", "same-origin")]).await, 409);
    let cross_site = [("cookie", session.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(app.send(Method::DELETE, "/session", &cross_site, "").await.status, 403);
    assert_eq!(app.get("/session", &cross_site).await.status, 204, "still signed in");

    let local = App::new();
    let session = cookie(&sign_in(&local, &[]).await);
    let own = [("origin", "http://localhost:8080"), ("host", "localhost:8080")];
    assert_eq!(create(&local, &session, &own).await, 201);
    let other_port = [("origin", "http://localhost:9999"), ("host", "localhost:8080")];
    assert_eq!(create(&local, &session, &other_port).await, 403);
}

#[tokio::test]
async fn a_token_in_a_header_needs_no_origin() {
    let app = App::new();
    let headers = [("x-admin-token", ADMIN_TOKEN), ("sec-fetch-site", "cross-site")];
    let answer = app.send(Method::POST, "/admin/projects", &headers, r#"{"slug":"web"}"#).await;
    assert_eq!(answer.status, 201, "a browser doesn't add that header by itself");
}
