//! Projects and their keys, for an admin.
//!
//! Secrets are in the reply that creates them and in no other. A change is in this instance's directory before its
//! reply is sent; other instances follow within seconds. Input is strict (see [`crate::http::json`]).

use poem::http::StatusCode;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::http::audit;
use crate::http::ingest;
use crate::http::json::{self, Fields};
use crate::http::project_input;
use crate::http::route::{Call, Reply};
use crate::http::state::AppState;
use crate::key::{ApiKey, KeyKind, KeyRecord};
use crate::project::Project;
use crate::registry;
use crate::store::{MAX_KEYS, ProjectChange};

/// Longest note of a key, in characters.
pub const MAX_NOTE_CHARS: usize = 200;

/// `GET /admin/projects`.
///
/// # Errors
/// 503 while the storage is away.
pub async fn list_projects(call: Call) -> Reply {
    let projects = call.state.store.list_projects().await?;
    let projects: Vec<Value> = projects.iter().map(Project::json).collect();
    Ok(json::reply(StatusCode::OK, &json!({ "projects": projects })))
}

/// `POST /admin/projects`: a project and its first server key.
///
/// # Errors
/// 422 naming the field, 409 for a slug in use, 503 while the storage is away.
pub async fn create_project(mut call: Call) -> Reply {
    let fields = Fields::parse(&json::read(&mut call).await?)?;
    let state = &call.state;
    let new = project_input::new_project(fields, state.config.default_retention_days)?;
    refuse_dead_keys(state)?;
    let now = state.clock.now();
    let given = json!({ "slug": new.slug.as_str(), "name": new.name, "retention_days": new.retention_days,
                        "minute_cap": new.minute_cap });
    let recorded = audit::record(&call, "project.create", "", given).await?;
    let made =
        registry::create_project(&state.store, &state.key_ring, new, now).await.map_err(ApiError::from);
    let made = audit::note(
        recorded,
        made,
        |(project, (key, _))| json!({ "project_id": project.id, "key_id": key.id }),
    );
    let (project, (record, key)) = made.await?;
    reload(state).await;
    let created = json!({ "project": project.json(), "key": created_key_json(state, &record, &key)? });
    Ok(json::reply(StatusCode::CREATED, &created))
}

/// `GET /admin/projects/{id}`.
///
/// # Errors
/// 404 and 503.
pub async fn show_project(call: Call) -> Reply {
    let project = named_project(&call).await?;
    Ok(json::reply(StatusCode::OK, &json!({ "project": project.json() })))
}

/// `PUT /admin/projects/{id}`: changes the fields given.
///
/// # Errors
/// 404, 409 for a slug in use, 422 naming the field, 503.
pub async fn update_project(mut call: Call) -> Reply {
    let bytes = json::read(&mut call).await?;
    let project = named_project(&call).await?;
    let change = project_input::project_change(Fields::parse(&bytes)?)?;
    let recorded =
        audit::record(&call, "project.update", project_target(project.id), change_json(&change)).await?;
    let changed = call.state.store.update_project(project.id, change).await.map_err(ApiError::from);
    let changed = changed.and_then(|project| project.ok_or(ApiError::NotFound));
    let project = audit::note(recorded, changed, |_| json!({})).await?;
    reload(&call.state).await;
    Ok(json::reply(StatusCode::OK, &json!({ "project": project.json() })))
}

/// `DELETE /admin/projects/{id}`: the project, its keys and its events.
///
/// # Errors
/// 404 and 503.
pub async fn delete_project(call: Call) -> Reply {
    let project = named_project(&call).await?;
    let given = json!({ "slug": project.slug.as_str() });
    let recorded = audit::record(&call, "project.delete", project_target(project.id), given).await?;
    let hidden = call.state.store.hide_project(project.id, call.state.clock.now()).await;
    let hidden = hidden.map_err(ApiError::from);
    let found = audit::note(recorded, hidden, |found| json!({ "found": found })).await?;
    reload(&call.state).await;
    call.state.removals.remove(project.id).await;
    if found { Ok(json::no_content()) } else { Err(ApiError::NotFound) }
}

/// `GET /admin/projects/{id}/keys`.
///
/// # Errors
/// 404 and 503.
pub async fn list_keys(call: Call) -> Reply {
    let project = named_project(&call).await?;
    let keys = call.state.store.list_keys(project.id).await?;
    let keys: Vec<Value> = keys.iter().map(key_json).collect();
    Ok(json::reply(StatusCode::OK, &json!({ "keys": keys })))
}

/// `POST /admin/projects/{id}/keys`: one more key.
///
/// # Errors
/// 404, 422 naming the field, 503.
pub async fn create_key(mut call: Call) -> Reply {
    let bytes = json::read(&mut call).await?;
    let project = named_project(&call).await?;
    let (kind, note) = key_input(Fields::parse(&bytes)?)?;
    let state = &call.state;
    refuse_dead_keys(state)?;
    let now = state.clock.now();
    let given = json!({ "kind": kind.name(), "note": note });
    let recorded = audit::record(&call, "key.create", project_target(project.id), given).await?;
    let added = registry::add_key(&state.store, &state.key_ring, project.id, kind, &note, now).await;
    let full = || ApiError::InvalidField(format!("A project holds at most {MAX_KEYS} keys."));
    let added = added.map_err(ApiError::from).and_then(|added| added.ok_or_else(full));
    let (record, key) = audit::note(recorded, added, |(key, _)| json!({ "key_id": key.id })).await?;
    reload(state).await;
    Ok(json::reply(StatusCode::CREATED, &json!({ "key": created_key_json(state, &record, &key)? })))
}

/// `DELETE /admin/projects/{id}/keys/{key_id}`: revokes the key; it stays in the list.
///
/// # Errors
/// 404 and 503.
pub async fn revoke_key(call: Call) -> Reply {
    let key_id = strict_id(call.param("key_id")).ok_or(ApiError::NotFound)?;
    let project = named_project(&call).await?;
    let given = json!({ "key_id": key_id });
    let recorded = audit::record(&call, "key.revoke", project_target(project.id), given).await?;
    let revoked = call.state.store.revoke_key(project.id, key_id, call.state.clock.now()).await;
    let revoked = revoked.map_err(ApiError::from);
    let found = audit::note(recorded, revoked, |found| json!({ "found": found })).await?;
    reload(&call.state).await;
    if found { Ok(json::no_content()) } else { Err(ApiError::NotFound) }
}

/// `POST /admin/projects/{id}/test-event`: one event through the whole pipeline, as if a client had signed it.
///
/// # Errors
/// 404, and whatever the pipeline answers.
pub async fn send_test_event(call: Call) -> Reply {
    let project = named_project(&call).await?;
    ingest::send_test_event(&call, &project).await
}

async fn named_project(call: &Call) -> Result<Project, ApiError> {
    call.state.store.project(&call.project_ref()?).await?.ok_or(ApiError::NotFound)
}

/// Under another `HMAC_SECRET` than the database's a key made now would never verify; `/readyz` says what to do.
fn refuse_dead_keys(state: &AppState) -> Result<(), ApiError> {
    if state.health.is_wrong("hmac_secret") {
        return Err(ApiError::StorageUnavailable(crate::error::STORAGE_RETRY_SECONDS));
    }
    Ok(())
}

/// The change is stored already; if it can't be read back now, the regular reload follows within seconds.
async fn reload(state: &AppState) {
    if let Err(error) = state.reload_directory().await {
        tracing::warn!(?error, "the key directory could not be reloaded after a change");
    }
}

fn key_input(mut fields: Fields) -> Result<(KeyKind, String), ApiError> {
    let kind = match fields.text("kind", 1..=16)?.as_deref() {
        None => KeyKind::Server,
        Some("public") => return Err(fields.wrong("kind", "public keys are not available yet")),
        Some(name) => {
            KeyKind::from_name(name).ok_or_else(|| fields.wrong("kind", "must be \"server\" or \"read\""))?
        }
    };
    let note = fields.text("note", 0..=MAX_NOTE_CHARS)?.unwrap_or_default();
    if fields.array("allowed_origins")?.is_some_and(|origins| !origins.is_empty()) {
        return Err(fields.wrong("allowed_origins", "is for public keys, which are not available yet"));
    }
    fields.finish()?;
    Ok((kind, note))
}

/// A positive number in its one spelling.
fn strict_id(text: &str) -> Option<i64> {
    let id: i64 = text.parse().ok()?;
    (id > 0 && id.to_string() == text).then_some(id)
}

/// A project in the audit log.
fn project_target(id: i64) -> String {
    format!("project {id}")
}

/// What an admin changes of a project, for the audit log.
fn change_json(change: &ProjectChange) -> Value {
    let ProjectChange { slug, name, retention_days, minute_cap, scrub } = change;
    let mut given = json!({});
    let fields = [
        ("slug", slug.as_ref().map(|slug| json!(slug.as_str()))),
        ("name", name.as_ref().map(|name| json!(name))),
        ("retention_days", retention_days.map(|days| json!(days))),
        ("minute_cap", minute_cap.map(|cap| json!(cap))),
        ("scrub", scrub.as_ref().map(|scrub| json!({ "off": scrub.off, "extra_keys": scrub.extra_keys }))),
    ];
    for (name, value) in fields.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        given[name] = value;
    }
    given
}

fn key_json(key: &KeyRecord) -> Value {
    json!({
        "id": key.id,
        "kind": key.kind.name(),
        "note": key.note,
        "hint": key.hint,
        "created_at": key.created_at.to_string(),
        "revoked_at": key.revoked_at.map(|at| at.to_string()),
    })
}

/// The one place that shows secrets. A read key signs nothing, so it has no signing secret.
fn created_key_json(state: &AppState, record: &KeyRecord, key: &ApiKey) -> Result<Value, ApiError> {
    let verified = state.key_ring.check(key.expose()).ok_or(ApiError::Internal)?;
    let signs = record.kind == KeyKind::Server;
    let signing_secret = signs.then(|| state.key_ring.signing_secret(&verified).expose().to_owned());
    Ok(json!({
        "id": record.id,
        "api_key": key.expose(),
        "signing_secret": signing_secret,
        "kind": record.kind.name(),
        "note": record.note,
        "created_at": record.created_at.to_string(),
    }))
}
