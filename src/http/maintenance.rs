//! Maintenance, for an admin: how it goes, do it now, purge.

use poem::http::StatusCode;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::http::json::{self, Fields};
use crate::http::route::{Call, Reply};
use crate::maintenance::{NoAnswer, Purge, Ran, Report, holder_json};
use crate::project::ProjectRef;
use crate::timestamp::Timestamp;

/// Seconds until a refused request is worth another try.
const RETRY_SECONDS: u32 = 5;
/// Longest time in words, in characters.
const MAX_TIME_CHARS: usize = 64;

/// `GET /admin/maintenance`: who has the lease, what goes on here, what the last run of this process did.
///
/// # Errors
/// 503 while the storage is away.
pub async fn show(call: Call) -> Reply {
    let (store, progress) = (&call.state.store, call.state.maintenance.progress());
    let lease = store.maintenance_holder().await?.map(|holder| {
        let mut shown = holder_json(&holder);
        shown["mine"] = json!(holder.owner == store.instance());
        shown
    });
    let last = progress.last().map(|(at, report)| {
        let mut shown = report.json();
        shown["finished_at"] = json!(at.to_string());
        shown
    });
    let shown = json!({
        "instance": store.instance(),
        "lease": lease,
        "finished_ms_ago": store.maintained_ms_ago().await?,
        "running": progress.running().map(|report| report.json()),
        "last_run": last,
    });
    Ok(json::reply(StatusCode::OK, &shown))
}

/// `POST /admin/maintain`: everything that is due, now. `"ran": false` and the lease when another instance is at it.
///
/// # Errors
/// 400 and 422 for a body that says anything, 503.
pub async fn maintain(mut call: Call) -> Reply {
    Fields::parse(&json::read(&mut call).await?)?.finish()?;
    let ran = call.state.maintenance.maintain().await?;
    Ok(json::reply(StatusCode::OK, &ran.json()))
}

/// `POST /admin/purge`: deletes blocks by retention, or those whose last event was received before `older_than`.
///
/// # Errors
/// 409 while another instance maintains, 422 naming the field, 503.
pub async fn purge(mut call: Call) -> Reply {
    let mut fields = Fields::parse(&json::read(&mut call).await?)?;
    let now = call.state.clock.now();
    let purge = Purge {
        project_id: match fields.whole("project_id", 1..=u32::MAX)? {
            None => None,
            Some(id) => Some(existing(&call, &fields, i64::from(id)).await?),
        },
        older_than: older_than(&mut fields, now)?,
        dry_run: fields.flag("dry_run")?.unwrap_or(false),
    };
    if fields.text("q", 0..=4_096)?.is_some() {
        return Err(fields.wrong("q", "is not available yet"));
    }
    fields.finish()?;
    match call.state.maintenance.purge(purge).await? {
        Ran::Done(report) => Ok(json::reply(StatusCode::OK, &purged_json(&report, purge.dry_run))),
        Ran::HeldBy(holder) => Err(ApiError::MaintenanceRunning(format!(
            "Instance {} maintains the database; its lease ends in {} ms at the latest.",
            holder.owner, holder.expires_in_ms
        ))),
        Ran::TooSoon => Err(ApiError::Internal),
    }
}

async fn existing(call: &Call, fields: &Fields, id: i64) -> Result<i64, ApiError> {
    let found = call.state.store.project(&ProjectRef::Id(id)).await?;
    found.map(|project| project.id).ok_or_else(|| fields.wrong("project_id", "there is no such project"))
}

fn older_than(fields: &mut Fields, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = fields.text("older_than", 1..=MAX_TIME_CHARS)? else { return Ok(None) };
    let time = Timestamp::parse_query(&text, now);
    time.map(Some)
        .ok_or_else(|| fields.wrong("older_than", "must be RFC 3339, epoch seconds or milliseconds, or -24h"))
}

/// What a purge did, or would do.
#[must_use]
pub fn purged_json(report: &Report, dry_run: bool) -> Value {
    json!({
        "deleted_events": report.purged.events,
        "deleted_blocks": report.purged.blocks,
        "rewritten_blocks": 0,
        "dry_run": dry_run,
        "complete": report.complete,
    })
}

impl From<NoAnswer> for ApiError {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Busy => Self::Overloaded(RETRY_SECONDS),
            NoAnswer::Store(error) => error.into(),
        }
    }
}
