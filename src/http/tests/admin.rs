//! Projects and keys as an admin's client sees them.

use poem::http::Method;
use serde_json::json;

use super::harness::App;
use crate::http::json::MAX_ADMIN_BODY_BYTES;
use crate::key::{KeyStatus, SigningSecret};

fn signing_secret_of(app: &App, api_key: &str) -> SigningSecret {
    app.state.key_ring.signing_secret(&app.state.key_ring.check(api_key).expect("a key of this service"))
}

#[tokio::test]
async fn a_created_project_shows_its_secrets_once_and_its_key_works_at_once() {
    let app = App::new();
    let body = r#"{"name":"Web Shop","retention_days":7,"minute_cap":600,"scrub":{"extra_keys":["ssn"]}}"#;
    let created = app.admin(Method::POST, "/admin/projects", body).await;
    assert_eq!(created.status, 201);
    let json = created.json();
    assert_eq!(
        json["project"],
        json!({
            "id": 1, "slug": "web-shop", "name": "Web Shop", "retention_days": 7, "minute_cap": 600,
            "scrub": {"off": false, "extra_keys": ["ssn"]}, "created_at": "2026-09-21T14:13:20.000Z",
        })
    );
    let key = json["key"]["api_key"].as_str().unwrap();
    assert_eq!(json["key"]["signing_secret"], signing_secret_of(&app, key).expose());
    assert_eq!(json["key"]["kind"], "server");
    let verified = app.state.key_ring.check(key).unwrap();
    assert!(matches!(app.state.directory.lookup(&verified), KeyStatus::Active(project) if project.id == 1));

    let secret = json["key"]["signing_secret"].as_str().unwrap();
    for path in ["/admin/projects", "/admin/projects/1", "/admin/projects/web-shop", "/admin/projects/1/keys"]
    {
        let later = app.admin(Method::GET, path, "").await;
        assert_eq!(later.status, 200, "{path}");
        assert!(!later.body.contains(key) && !later.body.contains(secret), "{path}");
    }
    let keys = app.admin(Method::GET, "/admin/projects/1/keys", "").await.json();
    assert_eq!(keys["keys"][0]["hint"], key[..8]);
    assert_eq!(keys["keys"][0]["revoked_at"], json!(null));
}

#[tokio::test]
async fn a_project_is_changed_and_deleted_by_id_or_slug() {
    let app = App::new();
    let (_, key) = app.project("web").await;
    app.project("api").await;
    let changed =
        app.admin(Method::PUT, "/admin/projects/web", r#"{"retention_days":30,"name":"Web"}"#).await;
    assert_eq!(changed.status, 200);
    let project = &changed.json()["project"];
    assert_eq!(
        (&project["retention_days"], &project["name"], &project["slug"]),
        (&json!(30), &json!("Web"), &json!("web"))
    );
    let taken = app.admin(Method::PUT, "/admin/projects/1", r#"{"slug":"api"}"#).await;
    assert_eq!((taken.status, taken.code().as_str()), (409, "slug_taken"));

    assert_eq!(app.admin(Method::DELETE, "/admin/projects/1", "").await.status, 204);
    assert_eq!(app.admin(Method::DELETE, "/admin/projects/1", "").await.status, 404);
    let verified = app.state.key_ring.check(&key).unwrap();
    assert_eq!(app.state.directory.lookup(&verified), KeyStatus::Unknown, "no longer active");
}

#[tokio::test]
async fn a_sloppy_id_never_reaches_a_project() {
    let app = App::new();
    for slug in ["a", "b"] {
        app.project(slug).await;
    }
    for id in ["2abc", "02", "2.0", "-2", "+2", "0", "9223372036854775808", "%20", "2%00", "A"] {
        for (method, tail) in
            [(Method::DELETE, ""), (Method::GET, ""), (Method::PUT, ""), (Method::POST, "/keys")]
        {
            let answer = app.admin(method, &format!("/admin/projects/{id}{tail}"), "{}").await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{id}{tail}");
        }
    }
    for key in ["01", "1x", "0", "2"] {
        assert_eq!(
            app.admin(Method::DELETE, &format!("/admin/projects/2/keys/{key}x"), "").await.status,
            404
        );
    }
    assert_eq!(
        app.admin(Method::DELETE, "/admin/projects/2/keys/7", "").await.status,
        404,
        "a number this project never had"
    );
    assert_eq!(
        app.admin(Method::GET, "/admin/projects", "").await.json()["projects"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn keys_are_added_listed_and_revoked() {
    let app = App::new();
    app.project("web").await;
    let server = app.admin(Method::POST, "/admin/projects/1/keys", r#"{"note":"worker"}"#).await;
    assert_eq!(server.status, 201);
    let server = &server.json()["key"];
    assert_eq!((&server["kind"], &server["note"]), (&json!("server"), &json!("worker")));
    let api_key = server["api_key"].as_str().unwrap();
    assert_eq!(server["signing_secret"], signing_secret_of(&app, api_key).expose());

    let read = app.admin(Method::POST, "/admin/projects/1/keys", r#"{"kind":"read"}"#).await.json();
    assert!(read["key"]["api_key"].as_str().unwrap().starts_with("tkr_"));
    assert_eq!(read["key"]["signing_secret"], json!(null));

    for (body, field) in [
        (r#"{"kind":"public"}"#, "kind: public keys are not available yet."),
        (r#"{"kind":"root"}"#, "kind: "),
        (r#"{"kind":7}"#, "kind: "),
        (r#"{"allowed_origins":["https://a.example"]}"#, "allowed_origins: "),
        (r#"{"scope":"all"}"#, "scope: "),
    ] {
        let answer = app.admin(Method::POST, "/admin/projects/1/keys", body).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_field"), "{body}");
        assert!(answer.json()["detail"].as_str().unwrap().starts_with(field), "{}", answer.body);
    }

    assert_eq!(app.admin(Method::DELETE, "/admin/projects/web/keys/2", "").await.status, 204);
    let verified = app.state.key_ring.check(api_key).unwrap();
    assert_eq!(app.state.directory.lookup(&verified), KeyStatus::Revoked, "at once on this instance");
    let keys = app.admin(Method::GET, "/admin/projects/1/keys", "").await.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 3);
    assert!(keys["keys"][1]["revoked_at"].is_string());
}

#[tokio::test]
async fn a_body_that_is_wrong_as_a_whole_is_refused() {
    let app = App::new();
    for (body, status, code) in [
        ("{", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        ("\"web\"", 400, "invalid_json"),
        (r#"{"name":"a"}x"#, 400, "invalid_json"),
        (r#"{"name":"a","retention_days":91}"#, 422, "invalid_field"),
        (r#"{"name":"a","owner":"me"}"#, 422, "invalid_field"),
    ] {
        let answer = app.admin(Method::POST, "/admin/projects", body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    }
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(MAX_ADMIN_BODY_BYTES));
    let answer = app.admin(Method::POST, "/admin/projects", &large).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "payload_too_large"));
    assert_eq!(app.admin(Method::GET, "/admin/projects", "").await.json(), json!({"projects": []}));
}

#[tokio::test]
async fn with_the_storage_away_an_admin_is_told_to_try_again() {
    let app = App::new();
    app.set_away(true);
    for (method, path) in [
        (Method::GET, "/admin/projects"),
        (Method::POST, "/admin/projects"),
        (Method::DELETE, "/admin/projects/1"),
        (Method::GET, "/admin/projects/web/keys"),
    ] {
        let answer = app.admin(method, path, r#"{"slug":"web"}"#).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "storage_unavailable"), "{path}");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
}

#[tokio::test]
async fn no_key_is_made_that_would_never_verify() {
    let app = App::new();
    app.project("web").await;
    app.state
        .health
        .set_check("hmac_secret", Some("HMAC_SECRET is not the one of this database.".to_owned()));
    for (path, body) in [("/admin/projects", r#"{"slug":"shop"}"#), ("/admin/projects/web/keys", "{}")] {
        let answer = app.admin(Method::POST, path, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "storage_unavailable"), "{path}");
    }
    app.state.health.set_check("hmac_secret", None);
    app.project("shop").await;
}
