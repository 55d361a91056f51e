//! `PagerDuty`'s Events API v2: an incident is opened, and closed by the message that says it is over.

use serde_json::{Value, json};

use super::AlertMessage;
use super::answer::ChannelAnswer;
use super::text::{cut, facts, headline, one_line, without_controls};
use crate::event::Level;
use crate::outbound::{Outbound, Request, Target, Trust};

/// Where events go unless a channel says otherwise (there is one address for Europe).
pub(super) const EVENTS_URL: &str = "https://events.pagerduty.com/v2/enqueue";

const MAX_SUMMARY: usize = 1_024;
const MAX_KEY: usize = 255;
const MAX_SOURCE: usize = 255;
const MAX_SAMPLE: usize = 4_000;
const MAX_LINK: usize = 2_000;

/// Posts the message.
pub(super) async fn deliver(
    outbound: &Outbound,
    target: &Target,
    routing_key: &str,
    message: &AlertMessage,
) -> ChannelAnswer {
    let request = Request::post_json(target, body(routing_key, message).to_string().into_bytes());
    ChannelAnswer::of_http(&outbound.send(request, Trust::Guarded).await)
}

/// What is posted. Events of one thread have one `dedup_key`, so that they are one incident.
pub(super) fn body(routing_key: &str, message: &AlertMessage) -> Value {
    let dedup_key = cut(&format!("tekno-logger-{}", message.thread()), MAX_KEY);
    if message.resolved {
        return json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key });
    }
    let mut details: serde_json::Map<String, Value> =
        facts(message).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    if let Some(sample) = &message.sample {
        details.insert("Sample".to_owned(), json!(cut(&without_controls(sample), MAX_SAMPLE)));
    }
    if let Some(mute) = &message.mute {
        details.insert("Mute".to_owned(), json!(cut(&one_line(mute), MAX_SUMMARY)));
    }
    details.insert("Message".to_owned(), json!(message.id));
    let summary = format!("[{}] {}", one_line(&message.project), headline(message));
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": "Tekno Logger",
        "payload": {
            "summary": cut(&summary, MAX_SUMMARY),
            "source": cut(&source(message), MAX_SOURCE),
            "severity": severity(message.level),
            "timestamp": message.at.to_string(),
            "component": cut(&one_line(&message.project), MAX_SOURCE),
            "group": message.thread(),
            "class": message.kind.name(),
            "custom_details": details,
        },
    });
    if let Some(link) = message.link.as_deref().filter(|link| link.len() <= MAX_LINK) {
        event["links"] = json!([{ "href": link, "text": "Open in Tekno Logger" }]);
        event["client_url"] = json!(link);
    }
    event
}

/// Required and never empty.
fn source(message: &AlertMessage) -> String {
    let source = message.sources.first().map(|source| one_line(source)).filter(|source| !source.is_empty());
    source.unwrap_or_else(|| format!("project {}", message.project_id))
}

fn severity(level: Option<Level>) -> &'static str {
    match level {
        Some(Level::Fatal) => "critical",
        Some(Level::Error) => "error",
        Some(Level::Warn) | None => "warning",
        Some(_) => "info",
    }
}
