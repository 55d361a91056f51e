//! Events the database refused for themselves, for an admin: see why, store them after all, delete them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use poem::http::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::error::ApiError;
use crate::event::EventId;
use crate::http::json::{self, Fields};
use crate::http::log_json::{LogJson, log_json};
use crate::http::route::{Call, Reply};
use crate::project::{Project, ProjectRef};
use crate::quarantine::{MAX_BYTES, MAX_EVENTS, Retried};
use crate::search::run::Hit;
use crate::store::QuarantinedEvent;
use crate::timestamp::Timestamp;

/// Events on a page.
const MAX_LIMIT: usize = 100;
/// Events on a page when none are asked for.
const DEFAULT_LIMIT: usize = 50;
/// Bytes of lines after which a page ends.
const MAX_PAGE_BYTES: u64 = 2 << 20;
/// Events one request stores again at most.
const MAX_RETRIES: usize = 1_000;
/// Longest it works at that.
const RETRY_TIME: Duration = Duration::from_secs(15);
/// Characters of a printed event id, and more.
const MAX_ID_CHARS: usize = 64;

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    detail: &'static str,
    error_number: u16,
    error_message: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: String,
    project_id: i64,
    project: &'a str,
    received_at: String,
    quarantined_at: String,
    expires_at: String,
    reason: Reason,
    bytes: u32,
    /// As `GET /logs` would show it; `null` where what was kept of it is damaged.
    event: Option<LogJson<'a>>,
}

#[derive(Serialize)]
struct Page<'a> {
    quarantine: Vec<Shown<'a>>,
    next_cursor: Option<String>,
    events: u64,
    bytes: u64,
    max_events: u64,
    max_bytes: u64,
}

/// What the query of a page says.
struct PageInput {
    project: Option<Arc<Project>>,
    after: Option<EventId>,
    limit: usize,
}

/// `GET /admin/quarantine?project_id=&limit=&cursor=`: the latest received first.
///
/// # Errors
/// 400 naming the parameter, 404 for a project that doesn't exist, 503.
pub async fn list(call: Call) -> Reply {
    let PageInput { project, after, limit } = page_input(&call)?;
    let projects = call.state.directory.projects();
    let mut session = call.state.store.read().await?;
    let found = session.quarantined_page(project.map(|one| one.id), after, limit).await?;
    drop(session);
    let (live, mut bytes, mut last) = (project_of(&projects, call.state.clock.now()), 0, None);
    let mut rows = Vec::with_capacity(found.len());
    let full = found.len() == limit;
    let mut rest = found.into_iter();
    for event in rest.by_ref() {
        last = Some(event.id);
        bytes += u64::from(event.raw_bytes);
        // What has expired or lost its project is not shown, whether it is deleted yet or not.
        if let Some(project) = live(&event) {
            rows.push((project, hit(&event), event));
        }
        if bytes > MAX_PAGE_BYTES {
            break;
        }
    }
    let more = full || rest.len() > 0;
    let (events, bytes) = call.state.quarantine.size();
    let page = Page {
        quarantine: rows
            .iter()
            .map(|(project, hit, event)| shown(project, hit.as_ref(), event, &projects))
            .collect(),
        next_cursor: last.filter(|_| more).map(|id| id.to_string()),
        events,
        bytes,
        max_events: MAX_EVENTS,
        max_bytes: MAX_BYTES,
    };
    json::reply_of(StatusCode::OK, &page)
}

/// Finds the project of an event that has not expired.
fn project_of<'a>(
    projects: &'a [Arc<Project>],
    now: Timestamp,
) -> impl Fn(&QuarantinedEvent) -> Option<&'a Project> {
    move |event| {
        let project: &'a Project = projects.iter().find(|project| project.id == event.project_id)?;
        (event.id.batch.received_at() >= project.kept_since(now)).then_some(project)
    }
}

fn hit(event: &QuarantinedEvent) -> Option<Hit> {
    match event.line() {
        Ok(line) => Some(Hit { project_id: event.project_id, line }),
        Err(error) => {
            tracing::error!(%error, event = %event.id, "an event in quarantine is damaged");
            None
        }
    }
}

fn shown<'a>(
    project: &'a Project,
    hit: Option<&'a Hit>,
    event: &QuarantinedEvent,
    projects: &'a [Arc<Project>],
) -> Shown<'a> {
    let (received_at, kind) = (event.id.batch.received_at(), event.refusal.kind());
    Shown {
        id: event.id.to_string(),
        project_id: project.id,
        project: project.slug.as_str(),
        received_at: received_at.to_string(),
        quarantined_at: event.quarantined_at.to_string(),
        expires_at: project.expires_at(received_at).to_string(),
        reason: Reason {
            code: kind.code(),
            detail: kind.sentence(),
            error_number: event.refusal.number,
            error_message: event.refusal.message.clone(),
        },
        bytes: event.raw_bytes,
        event: hit.and_then(|hit| log_json(hit, projects)),
    }
}

fn page_input(call: &Call) -> Result<PageInput, ApiError> {
    let mut input = PageInput { project: None, after: None, limit: DEFAULT_LIMIT };
    let wrong = |name: &str, why: &str| ApiError::InvalidParameter(format!("{name} {why}."));
    for (name, value) in url::form_urlencoded::parse(call.request.uri().query().unwrap_or("").as_bytes()) {
        match (name.as_ref(), value.is_empty()) {
            ("project_id", false) => input.project = Some(existing(call, &value)?),
            ("cursor", false) => {
                let after = EventId::parse(&value);
                input.after =
                    Some(after.ok_or_else(|| wrong("cursor", "must be a next_cursor as it was given"))?);
            }
            ("limit", false) => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                input.limit = limit.ok_or_else(|| wrong("limit", "must be a whole number from 1 to 100"))?;
            }
            _ => {}
        }
    }
    Ok(input)
}

fn existing(call: &Call, reference: &str) -> Result<Arc<Project>, ApiError> {
    let reference = ProjectRef::parse(reference).ok_or(ApiError::NotFound)?;
    call.state.directory.project(&reference).ok_or(ApiError::NotFound)
}

fn named_event(call: &Call) -> Result<EventId, ApiError> {
    EventId::parse(call.param("id")).ok_or(ApiError::NotFound)
}

/// `POST /admin/quarantine/{id}/retry`: stores the event under its own id.
///
/// # Errors
/// 404 when it isn't in quarantine (any more), 409 `still_refused`, 503: ask again.
pub async fn retry(call: Call) -> Reply {
    let id = named_event(&call)?;
    let projects = call.state.directory.projects();
    let live = project_of(&projects, call.state.clock.now());
    match call.state.quarantine.retry(id, |event| live(event).is_some()).await? {
        Retried::Stored => Ok(json::reply(StatusCode::OK, &json!({ "id": id.to_string(), "stored": true }))),
        Retried::Gone => Err(ApiError::NotFound),
        Retried::Refused(refusal) => {
            let (sentence, number) = (refusal.kind().sentence(), refusal.number);
            Err(ApiError::StillRefused(format!("{sentence} (error {number})")))
        }
    }
}

/// `POST /admin/quarantine/retry` `{"project_id"?,"cursor"?}`: stores events again, the latest received first, up to
/// 1,000 or for 15 s; `next_cursor` says where to go on.
///
/// # Errors
/// 404 for a project that doesn't exist, 422 naming the field, 503.
pub async fn retry_many(mut call: Call) -> Reply {
    let mut fields = Fields::parse(&json::read(&mut call).await?)?;
    let project_id = match fields.whole("project_id", 1..=u32::MAX)? {
        Some(id) => Some(existing(&call, &id.to_string())?.id),
        None => None,
    };
    let cursor = fields.text("cursor", 1..=MAX_ID_CHARS)?.map(|text| {
        EventId::parse(&text).ok_or_else(|| fields.wrong("cursor", "must be a next_cursor as it was given"))
    });
    let mut after = cursor.transpose()?;
    fields.finish()?;
    let projects = call.state.directory.projects();
    let live = project_of(&projects, call.state.clock.now());
    let (since, mut stored, mut refused, mut more) = (Instant::now(), 0, 0, true);
    while more && stored + refused < MAX_RETRIES && since.elapsed() < RETRY_TIME {
        let page = call.state.store.read().await?.quarantined_page(project_id, after, MAX_LIMIT).await?;
        more = page.len() == MAX_LIMIT;
        for event in page {
            if since.elapsed() >= RETRY_TIME {
                more = true;
                break;
            }
            match call.state.quarantine.retry(event.id, |event| live(event).is_some()).await? {
                Retried::Stored => stored += 1,
                Retried::Refused(_) => refused += 1,
                Retried::Gone => {}
            }
            after = Some(event.id);
        }
    }
    let next_cursor = after.filter(|_| more).map(|id| id.to_string());
    let done = json!({ "stored": stored, "still_refused": refused, "next_cursor": next_cursor });
    Ok(json::reply(StatusCode::OK, &done))
}

/// `DELETE /admin/quarantine/{id}`: the event is gone for good.
///
/// # Errors
/// 404 and 503.
pub async fn delete(call: Call) -> Reply {
    let id = named_event(&call)?;
    if call.state.quarantine.delete(id).await? { Ok(json::no_content()) } else { Err(ApiError::NotFound) }
}
