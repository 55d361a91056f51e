//! `POST /log`: a signed batch in, its fate out.
//!
//! The gates stand in the order of what they cost: the client's limit (charged for every route), the body's cap, the
//! signature, then the pipeline of [`crate::ingest`]. A refused body is read on up to a bound, so that the client sees the answer.

use std::sync::Arc;

use poem::Response;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::timeout_at;

use crate::error::{ApiError, Rejection, STORAGE_RETRY_SECONDS};
use crate::http::body::{BodyTimes, ReadBody, read_body};
use crate::http::json;
use crate::http::problem;
use crate::http::route::{Call, Reply};
use crate::http::state::AppState;
use crate::ingest::{IncomingBody, Receipt, answer_by, test_event};
use crate::key::KeyStatus;
use crate::memory::BUDGET_WAIT;
use crate::project::{Project, ProjectSlug, ScrubSettings};
use crate::spool::Spool;
use crate::verify::{SignatureHeaders, VerifiedBatch, verify_request};
use crate::write::BatchKeys;

/// `POST /log` and `POST /api/log`.
///
/// # Errors
/// Every line of API.md's table of statuses.
pub async fn post_log(mut call: Call) -> Reply {
    let headers = std::mem::take(call.request.headers_mut());
    let body = call.request.take_body();
    let state = &call.state;
    let arrival = state.ingest.outcomes().arrival(None, state.clock.now());
    let cap = state.config.limits.max_payload_bytes;
    let read = read_body(&headers, body, cap, &state.bodies, BodyTimes::default()).await;
    let ReadBody { bytes, reservation, waited } = match read {
        Ok(read) => read,
        Err(refusal) => {
            arrival.refused(&refusal.error);
            return Ok(refuse(&call, &refusal.error, refusal.drained));
        }
    };
    let answer_by = answer_by(waited);
    let known = async {
        let verified = timeout_at(answer_by, authenticate(state, &headers, &bytes)).await;
        let verified = verified.unwrap_or(Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS)))?;
        let project = project_of(state, &verified)?;
        Ok((verified, project, content_encoding(&headers)?))
    };
    let (verified, project, encoding) = match known.await {
        Ok(known) => known,
        Err(error) => return arrival.end_with(error),
    };
    arrival.passed();
    let keys = BatchKeys::of(&verified, state.clock.now());
    let body = IncomingBody { bytes, encoding, room: reservation };
    let receipt = state.ingest.accept_by(answer_by, &project, keys, body).await?;
    Ok(json::reply(StatusCode::OK, &receipt_json(&receipt, call.request_id.as_str())))
}

/// The project of a verified batch, as far as it can be known now.
fn project_of(state: &AppState, verified: &VerifiedBatch) -> Result<Arc<Project>, ApiError> {
    match &verified.project {
        Some(project) => Ok(project.clone()),
        None if state.spool.as_ref().is_some_and(Spool::is_open) => {
            Ok(Arc::new(unknown_project(state, verified)))
        }
        None => Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS)),
    }
}

/// A project that is known by its key alone: what it sends is kept in the spool under the service's defaults until the
/// database says whether there is such a project.
fn unknown_project(state: &AppState, batch: &VerifiedBatch) -> Project {
    let id = batch.key.project_id;
    let slug = ProjectSlug::parse(&format!("project-{id}")).expect("letters, a dash and a number are a slug");
    Project {
        id,
        slug,
        name: String::new(),
        retention_days: state.config.default_retention_days,
        minute_cap: None,
        scrub: ScrubSettings::default(),
        created_at: state.clock.now(),
    }
}

/// Answers before the body was read to its end; the connection goes when some of it is still to come.
fn refuse(call: &Call, error: &ApiError, drained: bool) -> Response {
    let mut response: Response = problem::respond(error, &call.request_id);
    if !drained {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn content_encoding(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(first) = values.next() else { return Ok(None) };
    let unreadable = || ApiError::UnsupportedEncoding("Content-Encoding must be one plain name.".to_owned());
    if values.next().is_some() {
        return Err(unreadable());
    }
    first.to_str().map(|name| Some(name.to_owned())).map_err(|_| unreadable())
}

fn receipt_json(receipt: &Receipt, request_id: &str) -> Value {
    let mut shown = json!({
        "received": receipt.received,
        "accepted": receipt.accepted,
        "rejected": rejected_json(&receipt.rejected),
        "duplicate": receipt.duplicate,
        "stored": receipt.stored.name(),
        "request_id": request_id,
    });
    if receipt.quarantined > 0 {
        shown["quarantined"] = receipt.quarantined.into();
    }
    shown
}

/// Refused events as a client sees them.
#[must_use]
pub fn rejected_json(rejected: &[Rejection]) -> Value {
    let one = |rejection: &Rejection| json!({"index": rejection.index, "code": rejection.code, "detail": rejection.detail});
    rejected.iter().map(one).collect()
}

/// Who signed a body: the check of [`crate::verify`], and for a key the directory doesn't know a reload of it.
///
/// A batch without a project comes from a key that vouches for itself while the database can't be asked.
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

/// One event of ours through the pipeline, for an admin who wants to see one arrive.
///
/// # Errors
/// Whatever the pipeline answers.
pub async fn send_test_event(call: &Call, project: &Project) -> Reply {
    let state = &call.state;
    let now = state.clock.now();
    let bytes = test_event(call.request_id.as_str());
    let room = state.bodies.reserve(bytes.len(), BUDGET_WAIT).await.map_err(|_| ApiError::Overloaded(1))?;
    let keys = BatchKeys::of_our_own(project.id, call.request_id.as_str(), now);
    let body = IncomingBody { bytes, encoding: None, room };
    let receipt = state.ingest.accept(&Arc::new(project.clone()), keys, body).await?;
    Ok(json::reply(StatusCode::OK, &receipt_json(&receipt, call.request_id.as_str())))
}
