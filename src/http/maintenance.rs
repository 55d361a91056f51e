//! Maintenance, for an admin: how it goes, do it now, purge.

use poem::http::StatusCode;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::http::audit;
use crate::http::json::{self, Fields};
use crate::http::route::{Call, Reply};
use crate::maintenance::{Erasure, NoAnswer, Purge, Ran, Report, holder_json};
use crate::project::ProjectRef;
use crate::search::language::{MAX_CHARS, Query};
use crate::timestamp::Timestamp;

/// Seconds until a refused request is worth another try.
const RETRY_SECONDS: u32 = 5;
/// What an answer says that comes before the end.
const UNFINISHED: &str = "It goes on by itself while this instance runs: GET /admin/maintenance shows it as running, and how it \
                          ended as last_purge. Asking again does what is left.";
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
    let last_purge = progress.last_purge().map(|ended| {
        let mut shown = purged_json(&ended.report, ended.dry_run);
        shown["finished_at"] = json!(ended.at.to_string());
        shown
    });
    let shown = json!({
        "instance": store.instance(),
        "lease": lease,
        "finished_ms_ago": store.maintained_ms_ago().await?,
        "running": progress.running().map(|report| report.json()),
        "last_run": last,
        "last_purge": last_purge,
    });
    Ok(json::reply(StatusCode::OK, &shown))
}

/// `POST /admin/maintain`: everything that is due, now. `"ran": false` and the lease when another instance is at it.
///
/// # Errors
/// 400 and 422 for a body that says anything, 503.
pub async fn maintain(mut call: Call) -> Reply {
    Fields::parse(&json::read(&mut call).await?)?.finish()?;
    let recorded = audit::record(&call, "maintain", "", json!({})).await?;
    let ran = call.state.maintenance.maintain(Some(recorded)).await?;
    Ok(json::reply(StatusCode::OK, &ran.json()))
}

/// `POST /admin/purge`: deletes blocks by retention, or those whose last event was received before `older_than`; with
/// `q`, events that match it.
///
/// # Errors
/// 409 while another instance maintains, 422 naming the field, 503.
pub async fn purge(mut call: Call) -> Reply {
    let mut fields = Fields::parse(&json::read(&mut call).await?)?;
    let now = call.state.clock.now();
    let project_id = match fields.whole("project_id", 1..=u32::MAX)? {
        None => None,
        Some(id) => Some(existing(&call, &fields, i64::from(id)).await?),
    };
    let older_than = older_than(&mut fields, now)?;
    let dry_run = fields.flag("dry_run")?.unwrap_or(false);
    let query = filter(&mut fields, now)?;
    fields.finish()?;
    let target = project_id.map_or_else(|| "all projects".to_owned(), |id| format!("project {id}"));
    let given = json!({
        "older_than": older_than.map(|time| time.to_string()),
        "q": query.as_ref().map(Query::to_string),
    });
    // A dry run changes nothing.
    let recorded = if dry_run { None } else { Some(audit::record(&call, "purge", target, given).await?) };
    let maintenance = &call.state.maintenance;
    let ran = match query {
        None => maintenance.purge(Purge { project_id, older_than, dry_run }, recorded).await?,
        Some(query) => {
            maintenance.erase(Erasure { project_id, older_than, query, dry_run }, recorded).await?
        }
    };
    let answer = |report: &Report| {
        let mut shown = purged_json(report, dry_run);
        // Who looked first deletes by the time that was looked at, however the age was given.
        if let Some(time) = older_than {
            shown["older_than"] = json!(time.to_string());
        }
        Ok(json::reply(StatusCode::OK, &shown))
    };
    match ran {
        Ran::Done(report) => answer(&report),
        Ran::Waiting => answer(&Report::default()),
        Ran::HeldBy(holder) => Err(ApiError::MaintenanceRunning(format!(
            "Instance {} maintains the database; its lease ends in {} ms at the latest.",
            holder.owner, holder.expires_in_ms
        ))),
        Ran::TooSoon => Err(ApiError::Internal),
    }
}

/// A query that says exactly what goes: what a search would take as text with a warning is refused here.
fn filter(fields: &mut Fields, now: Timestamp) -> Result<Option<Query>, ApiError> {
    let Some(text) = fields.text("q", 0..=MAX_CHARS)? else { return Ok(None) };
    strict_query(&text, now).map(Some).map_err(|why| fields.wrong("q", &why))
}

/// Reads a query for a deletion.
///
/// # Errors
/// Why it is refused: one that matches everything, or that was not understood as it is written.
pub fn strict_query(text: &str, now: Timestamp) -> Result<Query, String> {
    let (query, warnings) = Query::parse(text, now).map_err(|error| error.to_string())?;
    if let Some(warning) = warnings.first() {
        return Err(format!(
            "nothing is deleted by a query that isn't clear: {}",
            warning.text.trim_end_matches('.')
        ));
    }
    if query.is_empty() {
        return Err("is empty; leave it out to delete by age".to_owned());
    }
    Ok(query)
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
    let mut shown = json!({
        "deleted_events": report.purged.events,
        "deleted_blocks": report.purged.blocks,
        "rewritten_blocks": report.rewritten_blocks,
        "dry_run": dry_run,
        "complete": report.complete,
    });
    if !report.complete {
        shown["detail"] = json!(UNFINISHED);
    }
    if report.unreadable_blocks > 0 {
        shown["unreadable_blocks"] = json!(report.unreadable_blocks);
    }
    shown
}

impl From<NoAnswer> for ApiError {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Busy => Self::Overloaded(RETRY_SECONDS),
            NoAnswer::Store(error) => error.into(),
        }
    }
}
