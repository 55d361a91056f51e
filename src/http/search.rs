//! Reading logs: what a caller asks for and may see, the search of [`crate::search`], the answer as JSON.

use std::sync::Arc;

use poem::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::error::ApiError;
use crate::event::EventId;
use crate::http::aggregate_input::includes_aggregates;
use crate::http::aggregates;
use crate::http::guard::{Caller, Reader};
use crate::http::json;
use crate::http::log_json::{LogJson, log_json};
use crate::http::route::{Call, Reply};
use crate::http::search_input::{self, SearchInput};
use crate::project::{Project, ProjectRef};
use crate::search::cursor::{Cursor, Order};
use crate::search::find::find_event;
use crate::search::language::ProjectName;
use crate::search::run::{self, Budgets, Effort, Scope, SearchRequest};
use crate::search::turns::{CallerId, TURN_WAIT, Turn};
use crate::spool::Spool;
use crate::store::Store;
use crate::timestamp::Timestamp;

/// The warning of an answer without the database.
pub const DATABASE_AWAY: &str = "database_away";

/// A page of events, and counts of all that match where they were asked for.
#[derive(Serialize)]
pub struct Answer<'a> {
    logs: Vec<LogJson<'a>>,
    next_cursor: Option<String>,
    scanned: ScannedJson,
    warnings: Vec<String>,
    /// How many events match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Per bucket of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Value>,
    /// Per value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<Value>,
    /// Per template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patterns: Option<Value>,
}

impl<'a> Answer<'a> {
    /// A page without counts.
    #[must_use]
    pub fn new(
        page: &'a run::Page,
        order: Order,
        projects: &'a [Arc<Project>],
        warnings: Vec<String>,
    ) -> Self {
        Self {
            logs: page.hits.iter().filter_map(|hit| log_json(hit, projects)).collect(),
            next_cursor: page.next.map(|position| Cursor { order, position }.encode()),
            scanned: page.effort.into(),
            warnings,
            total: None,
            histogram: None,
            facets: None,
            patterns: None,
        }
    }
}

/// What a search read.
#[derive(Serialize)]
pub struct ScannedJson {
    blocks: u64,
    events: u64,
    bytes: u64,
    cached_bytes: u64,
    ms: u64,
    complete: bool,
}

impl From<Effort> for ScannedJson {
    fn from(effort: Effort) -> Self {
        let Effort { blocks, events, bytes, cached_bytes, ms, complete, .. } = effort;
        Self { blocks, events, bytes, cached_bytes, ms, complete }
    }
}

/// Says so when an answer lacks what could not be read.
#[must_use]
pub fn damage_warning(effort: &Effort) -> Option<String> {
    let unreadable = effort.unreadable;
    (unreadable > 0).then(|| format!("{unreadable} damaged blocks or events could not be read."))
}

/// `GET /logs`, `GET /api/log`, `GET /admin/logs/search`.
///
/// # Errors
/// 400 naming the parameter, 404 for a project the caller doesn't have, 503 when too many search at once. While the
/// database is away the answer is 200 with what is in the spool, `complete: false` and the warning `database_away`.
pub async fn search(call: Call) -> Reply {
    if includes_aggregates(call.request.uri().query().unwrap_or("")) {
        return aggregates::list_with_counts(&call).await;
    }
    let now = call.state.clock.now();
    let projects = readable_projects(&call)?;
    let SearchInput { mut criteria, order, after, limit, mut warnings } =
        search_input::parse(call.request.uri().query().unwrap_or(""), now)?;
    criteria.projects = names(&projects);
    let budgets = Budgets { bytes: call.state.config.limits.search_max_bytes, ..Budgets::default() };
    let request = SearchRequest { scopes: scopes(&projects, now), criteria, order, after, limit, budgets };
    let turn = turn(&call).await?;
    let page = match run::search(&sources(&call), &request).await {
        Ok(page) => page,
        Err(error) if error.is_away() => {
            tracing::warn!(%error, "the database did not answer a search");
            warnings.push(DATABASE_AWAY.to_owned());
            search_spool(&call, &request).await
        }
        Err(error) => return Err(error.into()),
    };
    warnings.extend(damage_warning(&page.effort));
    // A page of megabytes takes a while to write out, and memory: that is part of the turn.
    let reply = json::reply_of(StatusCode::OK, &Answer::new(&page, order, &projects, warnings));
    drop(turn);
    reply
}

/// Where to read, the spool first: what is on its way from there to the database is then met at least once.
#[must_use]
pub fn sources(call: &Call) -> Vec<Store> {
    let spool = call.state.spool.as_ref().and_then(Spool::source);
    spool.into_iter().chain([call.state.store.clone()]).collect()
}

/// What is known while the database is away; a page without anything goes on where it was asked to.
pub async fn search_spool(call: &Call, request: &SearchRequest) -> run::Page {
    let nothing = || run::Page { hits: Vec::new(), next: request.after, effort: Effort::default() };
    let Some(spool) = call.state.spool.as_ref().and_then(Spool::source) else { return nothing() };
    match run::search(&[spool], request).await {
        Ok(page) if page.hits.is_empty() => nothing(),
        Ok(mut page) => {
            page.effort.complete = false;
            page
        }
        Err(error) => {
            tracing::warn!(%error, "the spool did not answer a search");
            nothing()
        }
    }
}

/// `GET /logs/{id}`.
///
/// # Errors
/// 404 for what is not an event's id, has expired or isn't the caller's, alike; 503.
pub async fn show_event(call: Call) -> Reply {
    let projects = readable_projects(&call)?;
    let id = EventId::parse(call.param("id")).ok_or(ApiError::NotFound)?;
    let turn = turn(&call).await?;
    let scopes = scopes(&projects, call.state.clock.now());
    let hit = find_event(&sources(&call), &scopes, id).await?.ok_or(ApiError::NotFound)?;
    drop(turn);
    let log = log_json(&hit, &projects).ok_or(ApiError::Internal)?;
    json::reply_of(StatusCode::OK, &log.with_library_lines())
}

/// Waits for a turn to read: as many as there are connections for reads, by caller ([`crate::search::turns`]).
///
/// # Errors
/// `Overloaded` after 7 s, or at once where too many wait.
pub async fn turn(call: &Call) -> Result<Turn, ApiError> {
    let caller = match reader(call)? {
        Reader::Project(own) => CallerId::Project(own),
        Reader::All => CallerId::Address(call.client().into()),
    };
    call.state.searches.acquire(caller, TURN_WAIT).await.map_err(|_| ApiError::Overloaded(1))
}

/// The projects and what of them has not expired.
#[must_use]
pub fn scopes(projects: &[Arc<Project>], now: Timestamp) -> Vec<Scope> {
    let scope =
        |project: &Arc<Project>| Scope { project_id: project.id, received_after: project.kept_since(now) };
    projects.iter().map(scope).collect()
}

/// The projects as a query names them.
#[must_use]
pub fn names(projects: &[Arc<Project>]) -> Arc<[ProjectName]> {
    let name =
        |project: &Arc<Project>| ProjectName { id: project.id, slug: project.slug.as_str().to_owned() };
    projects.iter().map(name).collect()
}

/// The projects a request is about: the one it names, or all its caller may read.
///
/// # Errors
/// `NotFound` for a project that doesn't exist or isn't the caller's, alike; `InvalidParameter` when given twice.
pub fn readable_projects(call: &Call) -> Result<Vec<Arc<Project>>, ApiError> {
    let reader = reader(call)?;
    let directory = &call.state.directory;
    let query = call.request.uri().query().unwrap_or("");
    let mut asked = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "project_id");
    let (first, second) = (asked.next(), asked.next());
    if second.is_some() {
        return Err(ApiError::InvalidParameter("project_id is given twice.".to_owned()));
    }
    let Some((_, asked)) = first.filter(|(_, value)| !value.is_empty()) else {
        return Ok(match reader {
            Reader::All => directory.projects(),
            Reader::Project(own) => directory.project(&ProjectRef::Id(own)).into_iter().collect(),
        });
    };
    let reference = ProjectRef::parse(&asked).ok_or(ApiError::NotFound)?;
    let project = directory.project(&reference).ok_or(ApiError::NotFound)?;
    if reader.may_read(project.id) { Ok(vec![project]) } else { Err(ApiError::NotFound) }
}

/// Who reads.
///
/// # Errors
/// `Unauthorized` for a caller the guard would not have let through.
pub fn reader(call: &Call) -> Result<Reader, ApiError> {
    match call.caller {
        Caller::Reader(reader) => Ok(reader),
        Caller::Admin => Ok(Reader::All),
        // The guard lets nobody else through to a read route.
        Caller::Anyone | Caller::Scraper => Err(ApiError::Unauthorized),
    }
}
