//! `POST /log`: a signed batch in, its fate out.
//!
//! Nothing is ingested yet: the pipeline of [`crate::ingest`] is wired here.

use poem::http::HeaderMap;

use crate::error::ApiError;
use crate::http::route::{Call, Reply};
use crate::http::state::{AppState, STORAGE_RETRY_SECONDS};
use crate::key::KeyStatus;
use crate::project::Project;
use crate::verify::{SignatureHeaders, VerifiedBatch, verify_request};

/// `POST /log` and `POST /api/log`.
///
/// # Errors
/// 503 until the pipeline is wired.
pub async fn post_log(_call: Call) -> Reply {
    Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS))
}

/// Who signed a body: the check of [`crate::verify`], and for a key the directory doesn't know a reload of it.
///
/// A batch without a project comes from a key that vouches for itself while the database can't be asked; it goes to the
/// spool, and whether the key is revoked is checked when that drains.
///
/// # Errors
/// As [`verify_request`].
pub async fn authenticate(
    state: &AppState,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<VerifiedBatch, ApiError> {
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = SignatureHeaders::from_pairs(pairs);
    let now = state.clock.now();
    let mut batch = verify_request(&headers, body, &state.key_ring, &state.directory, now)?;
    if batch.project.is_none() {
        batch.project = match state.key_status(&batch.key).await {
            KeyStatus::Active(project) => Some(project),
            KeyStatus::Unknown => None,
            KeyStatus::Revoked => return Err(ApiError::Unauthorized),
        };
    }
    Ok(batch)
}

/// One event of ours through the pipeline, signed by the service itself.
///
/// # Errors
/// 503 until the pipeline is wired.
pub fn send_test_event(_call: &Call, _project: &Project) -> impl Future<Output = Reply> + Send {
    std::future::ready(Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS)))
}
