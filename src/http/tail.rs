//! `GET /logs/tail`: events as they arrive, as server-sent events.
//!
//! Each event has its own id as the stream's id, so a reader that comes back says by `Last-Event-ID` (or `cursor`) what
//! it has. `skipped` says how many found no room or time, `late` how many a spool gave to the database too late to be
//! shown, `end` why the stream ends. It ends at shutdown, when its caller may no longer read, and after an hour.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use poem::http::StatusCode;
use poem::{Body, Response};
use serde_json::{Value, json};

use crate::error::{ApiError, STORAGE_RETRY_SECONDS};
use crate::event::EventId;
use crate::http::log_json::log_json;
use crate::http::places::Place;
use crate::http::route::{Call, Reply};
use crate::http::search::{names, readable_projects, scopes};
use crate::http::search_input;
use crate::http::standing::Standing;
use crate::search::tail::{Letters, Tail};
use crate::server::LongAnswer;
use crate::timestamp::Timestamp;

/// A stream that is silent for so long says that it lives, in milliseconds.
const KEEP_ALIVE_MS: i64 = 15_000;
/// A stream ends after this, in milliseconds, and its reader comes back.
const MAX_AGE_MS: i64 = 3_600_000;
/// How often a stream looks at the clock.
const TICK: Duration = Duration::from_secs(1);
/// Bytes of events sent at a time, about.
const PIECE_BYTES: usize = 64 << 10;
/// When a reader should come back, in milliseconds.
const RETRY_MS: u32 = 2_000;

/// `GET /logs/tail`.
///
/// # Errors
/// As `GET /logs`; 503 when there are too many tails, or the database can't be asked now.
pub async fn tail(call: Call) -> Reply {
    let projects = readable_projects(&call)?;
    let now = call.state.clock.now();
    let (query, after) = without_cursor(&call)?;
    let mut criteria = search_input::parse(&query, now)?.criteria;
    criteria.projects = names(&projects);
    let place = call.state.tail_places.take(&call)?;
    let joined = call.state.tails.join(&scopes(&projects, now), &criteria, after).await;
    let tail = joined.map_err(|_| ApiError::StorageUnavailable(STORAGE_RETRY_SECONDS))?;
    let open = OpenTail {
        standing: Standing::new(call, projects),
        tail,
        opened: now,
        wrote: now,
        begun: false,
        ended: false,
        _place: place,
    };
    let pieces = stream::unfold(open, |mut open| async {
        let piece = open.next().await?;
        Some((Ok::<_, io::Error>(Bytes::from(piece)), open))
    });
    let mut response = Response::builder()
        .status(StatusCode::OK)
        .content_type("text/event-stream")
        .header("cache-control", "no-store")
        .header("x-accel-buffering", "no")
        .body(Body::from_bytes_stream(pieces));
    response.set_data(LongAnswer);
    Ok(response)
}

/// The query string without what only pages of a search have, and the event a reader comes back with.
fn without_cursor(call: &Call) -> Result<(String, Option<EventId>), ApiError> {
    let mut rest = url::form_urlencoded::Serializer::new(String::new());
    let header = call.request.header("last-event-id").map(str::to_owned);
    let mut cursor = None;
    for (name, value) in url::form_urlencoded::parse(call.request.uri().query().unwrap_or("").as_bytes()) {
        match &*name {
            "cursor" => cursor = Some(value.into_owned()),
            "limit" | "order" => {}
            _ => drop(rest.append_pair(&name, &value)),
        }
    }
    let wrong = || ApiError::InvalidParameter("cursor must be the id of an event.".to_owned());
    // A browser that comes back sends both: the address is as old as the page.
    let after = header.or(cursor).filter(|text| !text.is_empty());
    let after = after.map(|text| EventId::parse(&text).ok_or_else(wrong)).transpose()?;
    Ok((rest.finish(), after))
}

/// A stream and all it holds.
struct OpenTail {
    standing: Standing,
    tail: Tail,
    opened: Timestamp,
    wrote: Timestamp,
    begun: bool,
    ended: bool,
    _place: Place,
}

impl OpenTail {
    /// What to send next; `None` at the end. Nothing is sent before it is certain that it still may be.
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        if !std::mem::replace(&mut self.begun, true) {
            return Some(format!("retry: {RETRY_MS}\n: tail\n\n"));
        }
        let stopping = self.standing.call().state.tails.stopping().clone();
        loop {
            let state = &self.standing.call().state;
            // Keys that are revoked elsewhere are heard of while somebody asks.
            state.note_use();
            let now = state.clock.now();
            let since = |then: Timestamp| now.as_millis().saturating_sub(then.as_millis());
            if stopping.is_cancelled() {
                return Some(self.end("stopping"));
            }
            if since(self.opened) >= MAX_AGE_MS {
                return Some(self.end("reconnect"));
            }
            let silent = since(self.wrote) >= KEEP_ALIVE_MS;
            if let Err(reason) = self.check(now).await {
                return Some(self.end(reason));
            }
            let letters = self.tail.take(PIECE_BYTES);
            if !letters.is_empty() {
                self.wrote = now;
                return Some(self.write(&letters));
            }
            if silent {
                self.wrote = now;
                return Some(": keep-alive\n\n".to_owned());
            }
            tokio::select! {
                () = stopping.cancelled() => {}
                () = self.tail.rung() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn check(&mut self, now: Timestamp) -> Result<(), &'static str> {
        match self.standing.check().await {
            Ok(false) => {}
            Ok(true) => {
                let projects = self.standing.projects();
                let mut criteria = self.tail.criteria().clone();
                criteria.projects = names(projects);
                self.tail.set_scopes(&scopes(projects, now), criteria);
            }
            Err(ApiError::NotFound) => return Err("removed"),
            Err(ApiError::Unauthorized | ApiError::Forbidden(_)) => return Err("unauthorized"),
            Err(_) => return Err("unavailable"),
        }
        Ok(())
    }

    fn end(&mut self, reason: &'static str) -> String {
        self.ended = true;
        format!("retry: {RETRY_MS}\n{}", message("end", &json!({ "reason": reason })))
    }

    fn write(&self, letters: &Letters) -> String {
        let projects = self.standing.projects();
        let mut text = String::new();
        if letters.skipped > 0 {
            text += &message("skipped", &json!({ "count": letters.skipped }));
        }
        for (id, count) in &letters.late {
            if let Some(project) = projects.iter().find(|project| project.id == *id) {
                let late = json!({ "project_id": id, "project": project.slug.as_str(), "count": count });
                text += &message("late", &late);
            }
        }
        for event in &letters.events {
            let log = log_json(&event.hit, projects);
            if let Some(data) = log.and_then(|log| serde_json::to_string(&log).ok()) {
                // JSON has no raw newlines, so it is one line of data.
                let _ = write!(text, "id: {}\nevent: log\ndata: {data}\n\n", event.id);
            }
        }
        text
    }
}

fn message(event: &str, data: &Value) -> String {
    format!("event: {event}\ndata: {data}\n\n")
}
