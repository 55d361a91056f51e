//! Making projects and keys: the same for the HTTP API and the command line.
//!
//! A key's text and signing secret exist only in what these functions return.

use crate::key::{ApiKey, KeyKind, KeyRecord, KeyRing};
use crate::project::Project;
use crate::store::{NewKey, NewProject, ProjectError, Store, StoreError};
use crate::timestamp::Timestamp;

/// Makes a project with its first server key.
///
/// # Errors
/// As [`Store::create_project`]; a project that got no key is taken back.
pub async fn create_project(
    store: &Store,
    key_ring: &KeyRing,
    new: NewProject,
    now: Timestamp,
) -> Result<(Project, (KeyRecord, ApiKey)), ProjectError> {
    let project = store.create_project(new, now).await?;
    match add_key(store, key_ring, project.id, KeyKind::Server, "", now).await {
        Ok(Some(key)) => Ok((project, key)),
        failed => {
            // Without a key it would hold the slug against the next try; if this fails too, the list shows it.
            if store.hide_project(project.id, now).await.is_err() {
                tracing::warn!(project_id = project.id, "a project was left without a key");
            }
            let gone = || StoreError::Conflict("the project went while it was made".to_owned());
            Err(failed.err().unwrap_or_else(gone).into())
        }
    }
}

/// Makes one more key; `None` when the project isn't there or has as many as it may.
///
/// # Errors
/// What the database said.
pub async fn add_key(
    store: &Store,
    key_ring: &KeyRing,
    project_id: i64,
    kind: KeyKind,
    note: &str,
    now: Timestamp,
) -> Result<Option<(KeyRecord, ApiKey)>, StoreError> {
    let mint = |number| {
        let key = key_ring.mint(kind, project_id, number);
        (NewKey { sha256: key.sha256(), hint: key.hint().to_owned() }, key)
    };
    store.add_key(project_id, kind, note, now, mint).await
}
