//! `POST /log`: a signed batch in, its fate out.
//!
//! Nothing is ingested yet: the pipeline of [`crate::ingest`] is wired here.

use crate::error::ApiError;
use crate::http::route::{Call, Reply};
use crate::http::state::STORAGE_RETRY_SECONDS;
use crate::project::Project;

/// `POST /log` and `POST /api/log`.
///
/// # Errors
/// 503 until the pipeline is wired.
pub async fn post_log(_call: Call) -> Reply {
    Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS))
}

/// One event of ours through the pipeline, signed by the service itself.
///
/// # Errors
/// 503 until the pipeline is wired.
pub fn send_test_event(_call: &Call, _project: &Project) -> impl Future<Output = Reply> + Send {
    std::future::ready(Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS)))
}
