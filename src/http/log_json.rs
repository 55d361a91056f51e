//! Stored events as this API shows them, written straight to text: `ctx` comes out byte for byte as it was stored, with
//! the order of its keys and every digit of its numbers.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::block::decode::StoredEvent;
use crate::fingerprint::library_lines;
use crate::project::Project;
use crate::search::run::Hit;

/// Every field API.md names, `null` where the event has none.
#[derive(Serialize)]
pub struct LogJson<'a> {
    id: String,
    project_id: i64,
    project: &'a str,
    ts: String,
    received_at: String,
    level: &'static str,
    source: Cow<'a, str>,
    env: Cow<'a, str>,
    message: Cow<'a, str>,
    ctx: Option<&'a RawValue>,
    user_id: Option<Cow<'a, str>>,
    request_id: Option<Cow<'a, str>>,
    tags: Vec<Cow<'a, str>>,
    release: Option<Cow<'a, str>>,
    stack: Option<Cow<'a, str>>,
    fingerprint: String,
    expires_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    /// Of one event alone: to read a trace costs more than to print it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    library_lines: Vec<[usize; 2]>,
}

impl LogJson<'_> {
    /// With the lines of the trace that are frames of libraries, as the fingerprint sees them.
    #[must_use]
    pub fn with_library_lines(self) -> Self {
        let library_lines = self.stack.as_deref().map(library_lines).unwrap_or_default();
        Self { library_lines, ..self }
    }

    /// The fields in the order of [`super::export_format::COLUMNS`], as text; empty where the event has none.
    ///
    /// # Panics
    /// Never: tags are text, which can be written as JSON.
    #[must_use]
    pub fn cells(&self) -> [Cow<'_, str>; 18] {
        let tags = || serde_json::to_string(&self.tags).expect("texts are JSON");
        [
            self.id.as_str().into(),
            self.project_id.to_string().into(),
            self.project.into(),
            self.ts.as_str().into(),
            self.received_at.as_str().into(),
            self.level.into(),
            (&*self.source).into(),
            (&*self.env).into(),
            (&*self.message).into(),
            self.ctx.map_or("", RawValue::get).into(),
            self.user_id.as_deref().unwrap_or("").into(),
            self.request_id.as_deref().unwrap_or("").into(),
            if self.tags.is_empty() { "".into() } else { tags().into() },
            self.release.as_deref().unwrap_or("").into(),
            self.stack.as_deref().unwrap_or("").into(),
            self.fingerprint.as_str().into(),
            self.expires_at.as_str().into(),
            if self.truncated { "true" } else { "" }.into(),
        ]
    }
}

/// A hit in one of `projects`; `None`, and a line in our log, when its line is no event.
#[must_use]
pub fn log_json<'a>(hit: &'a Hit, projects: &'a [Arc<Project>]) -> Option<LogJson<'a>> {
    let project = projects.iter().find(|project| project.id == hit.project_id)?;
    let event = match StoredEvent::parse(&hit.line) {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(%error, "a stored line is no event");
            return None;
        }
    };
    let received_at = event.id.batch.received_at();
    Some(LogJson {
        id: event.id.to_string(),
        project_id: project.id,
        project: project.slug.as_str(),
        ts: event.ts.to_string(),
        received_at: received_at.to_string(),
        level: event.level.name(),
        source: event.source,
        env: event.env,
        message: event.message,
        ctx: event.ctx,
        user_id: event.user_id,
        request_id: event.request_id,
        tags: event.tags,
        release: event.release,
        stack: event.stack,
        fingerprint: event.fingerprint.to_string(),
        expires_at: project.expires_at(received_at).to_string(),
        truncated: event.truncated,
        library_lines: Vec::new(),
    })
}
