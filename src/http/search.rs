//! Reading logs: which project a caller reads, then the search of [`crate::search`], which is wired here.

use crate::error::ApiError;
use crate::event::EventId;
use crate::http::guard::{Caller, Reader};
use crate::http::route::{Call, Reply};
use crate::http::state::STORAGE_RETRY_SECONDS;
use crate::project::ProjectRef;

/// `GET /logs`, `GET /api/log`, `GET /admin/logs/search`.
///
/// # Errors
/// 404 for a project the caller doesn't have; 503 until the search is wired.
pub async fn search(call: Call) -> Reply {
    let _project_id = project_scope(&call)?;
    Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS))
}

/// `GET /logs/{id}`.
///
/// # Errors
/// 404 for what is not an event's id or not the caller's; 503 until the search is wired.
pub async fn show_event(call: Call) -> Reply {
    let _id = EventId::parse(call.param("id")).ok_or(ApiError::NotFound)?;
    let _reader = reader(&call)?;
    Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS))
}

/// `GET /stats`.
///
/// # Errors
/// 404 for a project the caller doesn't have; 503 until the counts are wired.
pub async fn stats(call: Call) -> Reply {
    let _project_id = project_scope(&call)?;
    Err(ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS))
}

/// What the caller of a read route may read.
///
/// # Errors
/// `Unauthorized` on a route that isn't a read route, which the guard makes impossible.
pub fn reader(call: &Call) -> Result<Reader, ApiError> {
    match call.caller {
        Caller::Reader(reader) => Ok(reader),
        Caller::Admin => Ok(Reader::All),
        Caller::Anyone | Caller::Scraper => Err(ApiError::Unauthorized),
    }
}

/// The project asked for by `project_id` (an id or a slug), or the read key's own; `None` is all projects.
///
/// # Errors
/// `NotFound` for a project that doesn't exist or isn't the caller's, alike; `InvalidParameter` when given twice.
pub fn project_scope(call: &Call) -> Result<Option<i64>, ApiError> {
    let reader = reader(call)?;
    let query = call.request.uri().query().unwrap_or("");
    let mut asked = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "project_id");
    let (first, second) = (asked.next(), asked.next());
    if second.is_some() {
        return Err(ApiError::InvalidParameter("project_id is given twice.".to_owned()));
    }
    let Some((_, asked)) = first.filter(|(_, value)| !value.is_empty()) else {
        return Ok(match reader {
            Reader::All => None,
            Reader::Project(own) => Some(own),
        });
    };
    let reference = ProjectRef::parse(&asked).ok_or(ApiError::NotFound)?;
    let project = call.state.directory.project(&reference).ok_or(ApiError::NotFound)?;
    if reader.may_read(project.id) { Ok(Some(project.id)) } else { Err(ApiError::NotFound) }
}
