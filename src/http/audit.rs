//! The audit log, for an admin; and the rows that handlers write into it.

use poem::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Actor, Change, Origin, Recorded};
use crate::error::ApiError;
use crate::http::guard;
use crate::http::json;
use crate::http::route::{Call, Reply};

/// Rows on a page when none are asked for.
const DEFAULT_LIMIT: usize = 100;
/// Rows on a page at most.
const MAX_LIMIT: usize = 1_000;

/// `GET /admin/audit`: what admins changed, newest first.
///
/// # Errors
/// 400 naming the parameter, 503 while the storage is away.
pub async fn list(call: Call) -> Reply {
    let (limit, before) = paging(call.request.uri().query().unwrap_or(""))?;
    // One more than asked for tells whether there is a further page.
    let mut rows = call.state.store.audit_rows(before, limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let entries: Vec<Value> = rows.iter().map(audit::row_json).collect();
    Ok(json::reply(StatusCode::OK, &json!({ "entries": entries, "next_cursor": next })))
}

fn paging(query: &str) -> Result<(usize, Option<Uuid>), ApiError> {
    let wrong = |name: &str, why: &str| ApiError::InvalidParameter(format!("{name} {why}."));
    let (mut limit, mut before) = (DEFAULT_LIMIT, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty())
    {
        match name.as_ref() {
            "limit" => {
                let asked = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                limit = asked.ok_or_else(|| wrong("limit", "must be a whole number from 1 to 1000"))?;
            }
            "cursor" => {
                let id = Uuid::try_parse(&value).ok();
                before = Some(id.ok_or_else(|| wrong("cursor", "must be a next_cursor as it was given"))?);
            }
            _ => {}
        }
    }
    Ok((limit, before))
}

/// Writes into the audit log that the caller, an admin, is about to change something.
///
/// # Errors
/// 503 while the storage is away: the change must not be made then.
pub async fn record(
    call: &Call,
    action: &'static str,
    target: impl Into<String>,
    parameters: Value,
) -> Result<Recorded, ApiError> {
    let actor = if guard::has_token(&call.request) { Actor::AdminToken } else { Actor::Session };
    let origin = Origin {
        actor,
        network: audit::network(call.client()),
        request_id: call.request_id.as_str().to_owned(),
    };
    let change = Change { action, target: target.into(), parameters };
    Ok(audit::record(&call.state.store, &origin, change, call.state.clock.now()).await?)
}

/// Notes how a change ended, and hands its outcome on.
///
/// # Errors
/// What `outcome` has.
pub async fn note<T>(
    recorded: Recorded,
    outcome: Result<T, ApiError>,
    result: impl FnOnce(&T) -> Value,
) -> Result<T, ApiError> {
    match &outcome {
        Ok(done) => recorded.done(result(done)).await,
        Err(error) => recorded.failed(error.code()).await,
    }
    outcome
}
