//! Who may send: keys this instance knows, keys it doesn't know yet, and keys it can't ask about.

use poem::http::{HeaderMap, HeaderValue};

use super::harness::App;
use crate::error::ApiError;
use crate::http::ingest::authenticate;
use crate::key::{ApiKey, KeyKind};
use crate::verify::VerifiedBatch;

const BODY: &[u8] = br#"[{"message":"disk full"}]"#;

async fn send(app: &App, key: &str) -> Result<VerifiedBatch, ApiError> {
    let ring = &app.state.key_ring;
    let secret = ring.signing_secret(&ring.check(key).expect("a key of this service"));
    let signature = data_encoding::HEXLOWER.encode(&secret.mac(&[BODY]));
    let mut headers = HeaderMap::new();
    headers.insert("x-project-key", HeaderValue::try_from(key).unwrap());
    headers.insert("x-signature", HeaderValue::try_from(signature).unwrap());
    authenticate(&app.state, &headers, BODY).await
}

/// A key as another instance makes it: stored, but not in this instance's directory.
async fn key_of_another_instance(app: &App, project_id: i64) -> ApiKey {
    app.stored_key(project_id, KeyKind::Server).await
}

#[tokio::test]
async fn a_known_key_and_one_of_another_instance_are_both_taken() {
    let app = App::new();
    let (project_id, key) = app.project("web").await;
    assert_eq!(send(&app, &key).await.unwrap().project.unwrap().id, project_id);
    let other = key_of_another_instance(&app, project_id).await;
    assert_eq!(send(&app, other.expose()).await.unwrap().project.unwrap().id, project_id);
}

#[tokio::test]
async fn a_key_the_database_does_not_have_is_refused_and_many_at_once_share_a_reload() {
    let app = App::new();
    let (project_id, _) = app.project("web").await;
    let never_stored = app.state.key_ring.mint(KeyKind::Server, project_id, 9);
    let gone_with_its_project = app.state.key_ring.mint(KeyKind::Server, 77, 1);
    let before = app.state.directory.snapshots_taken();
    let keys = [&never_stored, &gone_with_its_project].into_iter().cycle().take(20);
    let answers = futures_util::future::join_all(keys.map(|key| send(&app, key.expose()))).await;
    assert!(answers.into_iter().all(|answer| answer == Err(ApiError::Unauthorized)));
    let reloads = app.state.directory.snapshots_taken() - before;
    assert!((1..=2).contains(&reloads), "one, and one more for those that came while it went on: {reloads}");
}

#[tokio::test]
async fn keys_made_one_after_another_on_another_instance_are_all_taken() {
    let app = App::new();
    let (project_id, _) = app.project("web").await;
    for _ in 0..3 {
        let key = key_of_another_instance(&app, project_id).await;
        assert!(
            send(&app, key.expose()).await.is_ok(),
            "though the directory was reloaded within the second"
        );
    }
}

#[tokio::test]
async fn with_the_database_away_a_new_key_vouches_for_itself_and_a_revoked_one_stays_out() {
    let app = App::new();
    app.set_away(true);
    let unseen = app.state.key_ring.mint(KeyKind::Server, 1, 1);
    assert_eq!(send(&app, unseen.expose()).await.unwrap().project, None, "nothing was ever loaded");

    app.set_away(false);
    let (project_id, key) = app.project("web").await;
    let other = key_of_another_instance(&app, project_id).await;
    assert_eq!(app.admin(poem::http::Method::DELETE, "/admin/projects/1/keys/1", "").await.status, 204);
    let newer = app.state.key_ring.mint(KeyKind::Server, project_id, 9);
    app.set_away(true);
    app.hand.advance(1_000);
    assert_eq!(send(&app, &key).await, Err(ApiError::Unauthorized), "revoked");
    assert_eq!(send(&app, other.expose()).await.unwrap().project.unwrap().id, project_id);
    assert_eq!(send(&app, newer.expose()).await.unwrap().project, None);
    assert_eq!(send(&app, newer.expose()).await.unwrap().project, None, "also without a reload of its own");
}
