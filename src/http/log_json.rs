//! A stored event as this API shows it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::block::decode::StoredEvent;
use crate::project::Project;
use crate::search::run::Hit;

/// Every field API.md names, `null` where the event has none.
#[derive(Serialize)]
struct Log<'a> {
    id: String,
    project_id: i64,
    project: &'a str,
    ts: String,
    received_at: String,
    level: &'static str,
    source: &'a str,
    env: &'a str,
    message: &'a str,
    ctx: Option<&'a RawValue>,
    user_id: Option<&'a str>,
    request_id: Option<&'a str>,
    tags: &'a [Cow<'a, str>],
    release: Option<&'a str>,
    stack: Option<&'a str>,
    fingerprint: String,
    expires_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// The JSON of a hit in one of `projects`; `None`, and a line in our log, when its line is no event.
#[must_use]
pub fn log_json(hit: &Hit, projects: &[Arc<Project>]) -> Option<Value> {
    let project = projects.iter().find(|project| project.id == hit.project_id)?;
    let event = match StoredEvent::parse(&hit.line) {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(%error, "a stored line is no event");
            return None;
        }
    };
    let received_at = event.id.batch.received_at();
    let log = Log {
        id: event.id.to_string(),
        project_id: project.id,
        project: project.slug.as_str(),
        ts: event.ts.to_string(),
        received_at: received_at.to_string(),
        level: event.level.name(),
        source: &event.source,
        env: &event.env,
        message: &event.message,
        ctx: event.ctx,
        user_id: event.user_id.as_deref(),
        request_id: event.request_id.as_deref(),
        tags: &event.tags,
        release: event.release.as_deref(),
        stack: event.stack.as_deref(),
        fingerprint: event.fingerprint.to_string(),
        expires_at: project.expires_at(received_at).to_string(),
        truncated: event.truncated,
    };
    serde_json::to_value(&log).ok()
}
