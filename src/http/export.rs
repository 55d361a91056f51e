//! `GET /logs/export`: everything a search finds, as one stream.
//!
//! Between two pages it holds no snapshot, no connection and no turn, so a slow reader costs one page of memory. One
//! that breaks off is never mistaken for a whole one: its chunked body has no end, and NDJSON says in its last line
//! where to go on. Any event that arrived names the place too: `cursor` takes its id.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use poem::http::StatusCode;
use poem::{Body, Response};
use serde_json::json;
use tokio::time::Instant;

use crate::error::ApiError;
use crate::event::EventId;
use crate::http::export_format::{ExportText, Format};
use crate::http::log_json::log_json;
use crate::http::places::Place;
use crate::http::route::{Call, Reply};
use crate::http::search::{names, readable_projects, scopes, sources, turn};
use crate::http::search_input;
use crate::http::standing::Standing;
use crate::project::Project;
use crate::search::cursor::{Cursor, Position};
use crate::search::export::Export;
use crate::search::find::find_event;
use crate::search::run::Hit;
use crate::server::LongAnswer;
use crate::timestamp::Timestamp;

/// Bytes sent at a time, about.
const PIECE_BYTES: usize = 64 << 10;
/// How long a page is tried for while the database is away or busy, once the first one was answered.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two tries.
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// `GET /logs/export`.
///
/// # Errors
/// As `GET /logs`, but 503 while the database is away; also 503 when there are too many exports.
pub async fn export(call: Call) -> Reply {
    let projects = readable_projects(&call)?;
    let now = call.state.clock.now();
    let Asked { query, format, cursor } = parse(call.request.uri().query().unwrap_or(""))?;
    let input = search_input::parse(&query, now)?;
    let place = call.state.export_places.take(&call)?;
    let scopes = scopes(&projects, now);
    let after = match &cursor {
        None => None,
        Some(cursor) => match EventId::parse(cursor) {
            None => Some(search_input::position(cursor, input.order)?),
            Some(id) => {
                let _turn = turn(&call).await?;
                let found = find_event(&sources(&call), &scopes, id).await?;
                Some(found.and_then(|hit| hit.position()).ok_or_else(gone)?)
            }
        },
    };
    let mut criteria = input.criteria;
    criteria.projects = names(&projects);
    let name = file_name(&projects, now, format);
    let mut open = OpenExport {
        export: Export::new(scopes, criteria, input.order, after, now),
        standing: Standing::new(call, projects),
        text: ExportText::new(format, cursor.is_some()),
        hits: Vec::new().into_iter(),
        last: after,
        step: Step::Begin,
        _place: place,
    };
    // The first page is tried once, while the answer can still be a refusal.
    if let Some(hits) = open.try_page().await? {
        open.hits = hits.into_iter();
    }
    let pieces = stream::try_unfold(open, |mut open| async {
        let piece = open.next().await?;
        Ok::<_, io::Error>(piece.map(|piece| (Bytes::from(piece), open)))
    });
    let mut response = Response::builder()
        .status(StatusCode::OK)
        .content_type(format.content_type())
        .header("cache-control", "no-store")
        .header("x-accel-buffering", "no")
        .header("content-disposition", format!("attachment; filename=\"{name}\""))
        .body(Body::from_bytes_stream(pieces));
    response.set_data(LongAnswer);
    Ok(response)
}

struct Asked {
    /// Without what only an export has.
    query: String,
    format: Format,
    cursor: Option<String>,
}

fn parse(query: &str) -> Result<Asked, ApiError> {
    let mut rest = url::form_urlencoded::Serializer::new(String::new());
    let (mut format, mut cursor) = (Format::default(), None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("format" | "cursor", "") | ("limit", _) => {}
            ("format", name) => {
                let wrong = || ApiError::InvalidParameter("format must be ndjson, csv or json.".to_owned());
                format = Format::parse(name).ok_or_else(wrong)?;
            }
            ("cursor", _) => cursor = Some(value.into_owned()),
            _ => drop(rest.append_pair(&name, &value)),
        }
    }
    Ok(Asked { query: rest.finish(), format, cursor })
}

fn gone() -> ApiError {
    ApiError::InvalidParameter("cursor names an event that is no longer kept.".to_owned())
}

/// Letters, digits and `-` alone, whatever a project is called.
fn file_name(projects: &[Arc<Project>], now: Timestamp, format: Format) -> String {
    let whose = match projects {
        [project] => project.slug.as_str(),
        _ => "all",
    };
    let time: String = now.to_string().chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    format!("logs-{whose}-{time}Z.{}", format.name())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Rows,
    /// The end was written.
    Whole,
    /// Why it breaks off was written.
    Broken,
}

/// An export and all it holds while its reader reads.
struct OpenExport {
    standing: Standing,
    export: Export,
    text: ExportText,
    /// What is left of the page.
    hits: std::vec::IntoIter<Hit>,
    /// The last event written, or where it began.
    last: Option<Position>,
    step: Step,
    _place: Place,
}

impl OpenExport {
    /// What to send next; `None` at the end of a whole export, an error at the end of any other.
    async fn next(&mut self) -> io::Result<Option<String>> {
        match self.step {
            Step::Begin => {
                self.step = Step::Rows;
                let mut piece = self.text.begin();
                self.fill(&mut piece);
                return Ok(Some(piece));
            }
            Step::Rows => {}
            Step::Whole => return Ok(None),
            Step::Broken => {
                // What was written before goes out first.
                tokio::task::yield_now().await;
                return Err(io::Error::other("the export is incomplete"));
            }
        }
        loop {
            if self.standing.call().state.tails.stopping().is_cancelled() {
                return Ok(Some(self.break_off("stopping")));
            }
            let mut piece = String::new();
            self.fill(&mut piece);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
            match self.page().await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => {
                    self.step = Step::Whole;
                    return Ok(Some(self.text.end().to_owned()));
                }
                Err(error) => return Ok(Some(self.break_off(error.code()))),
            }
        }
    }

    /// Writes events of the page into a piece until it is full.
    fn fill(&mut self, piece: &mut String) {
        while piece.len() < PIECE_BYTES {
            let Some(hit) = self.hits.next() else { break };
            if let Some(log) = log_json(&hit, self.standing.projects()) {
                self.text.push(&log, piece);
            }
            self.last = hit.position().or(self.last);
        }
    }

    /// The next page, tried for a while; breaks at the end.
    async fn page(&mut self) -> Result<ControlFlow<()>, ApiError> {
        let began = Instant::now();
        let stopping = self.standing.call().state.tails.stopping().clone();
        loop {
            if self.standing.check().await? {
                let now = self.standing.call().state.clock.now();
                self.export.set_scopes(scopes(self.standing.projects(), now));
            }
            match self.try_page().await {
                Ok(None) => return Ok(ControlFlow::Break(())),
                Ok(Some(hits)) => {
                    self.hits = hits.into_iter();
                    return Ok(ControlFlow::Continue(()));
                }
                Err(ApiError::Overloaded(_) | ApiError::StorageUnavailable(_))
                    if began.elapsed() < PATIENCE && !stopping.is_cancelled() => {}
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(RETRY_EVERY) => {}
            }
        }
    }

    async fn try_page(&mut self) -> Result<Option<Vec<Hit>>, ApiError> {
        let call = self.standing.call();
        let _turn = turn(call).await?;
        Ok(self.export.next_page(&sources(call)).await?)
    }

    /// Says where to go on, in the one format in which a line more does no harm.
    fn break_off(&mut self, code: &str) -> String {
        self.step = Step::Broken;
        tracing::warn!(code, events = self.text.rows(), "an export broke off");
        if self.text.format() != Format::Ndjson {
            return String::new();
        }
        let order = self.export.order();
        let cursor = self.last.or(self.export.position());
        let cursor = cursor.map(|position| Cursor { order, position }.encode());
        format!("{}\n", json!({ "export_incomplete": { "code": code, "next_cursor": cursor } }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_an_export_has_is_taken_out_of_the_query() {
        let asked = parse("format=csv&q=a%26b&cursor=x&limit=5&order=asc").unwrap();
        assert_eq!((asked.query.as_str(), asked.format), ("q=a%26b&order=asc", Format::Csv));
        assert_eq!(asked.cursor.as_deref(), Some("x"));
        assert_eq!(parse("").unwrap().format, Format::Ndjson);
        assert!(matches!(parse("format=xml"), Err(ApiError::InvalidParameter(_))));
    }
}
