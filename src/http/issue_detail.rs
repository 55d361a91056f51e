//! `GET /issues/{id}`: one issue in full, with an event of it and that event's neighbours, why it is grouped so, and who
//! and what it is about.
//!
//! The counts come from the events that are kept, within a budget of time and bytes; what was cut says so.

use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::block::decode::StoredEvent;
use crate::error::ApiError;
use crate::event::EventId;
use crate::fingerprint::{Explanation, Fingerprinter, Kind, Parts, VERSION, Verdict};
use crate::http::issues::{TREND_HOURS, issue_json};
use crate::http::json;
use crate::http::log_json::{LogJson, log_json};
use crate::http::route::{Call, Reply};
use crate::http::search::{names, readable_projects, scopes, sources, turn};
use crate::issue::{Issue, IssueId};
use crate::project::Project;
use crate::search::aggregate::{self, CountRequest, Counted, Wishes};
use crate::search::cursor::{Order, Position};
use crate::search::event_filter::Criteria;
use crate::search::facets::{Facet, FacetField};
use crate::search::find::find_event;
use crate::search::run::{self, Budgets, Hit, SearchRequest};
use crate::store::StoreError;
use crate::timestamp::Timestamp;

/// What an issue's events are told apart by.
const FIELDS: [&str; 4] = ["source", "env", "release", "user_id"];
/// Values of each that are shown.
const TOP: usize = 5;
/// What counting may take.
const COUNTING: Budgets =
    Budgets { time: Duration::from_secs(2), snapshot: Duration::from_secs(2), bytes: 64 << 20 };
/// What finding one neighbour may take.
const FINDING: Budgets =
    Budgets { time: Duration::from_secs(1), snapshot: Duration::from_secs(1), bytes: 32 << 20 };

/// One issue in full.
#[derive(Serialize)]
struct Detail<'a> {
    issue: Value,
    sparkline: Value,
    grouping: Value,
    why: Value,
    sample: Option<LogJson<'a>>,
    previous: Option<String>,
    next: Option<String>,
    breakdown: Value,
    query: String,
}

/// `GET /issues/{id}`, with `event` naming the event to show in place of the latest one.
///
/// # Errors
/// 404 for what is not an issue's id, has expired or isn't the caller's, alike, and for an event that isn't one of the
/// issue; 503.
pub async fn show(call: Call) -> Reply {
    let now = call.state.clock.now();
    let id = IssueId::parse(call.param("id")).ok_or(ApiError::NotFound)?;
    let projects: Vec<Arc<Project>> =
        readable_projects(&call)?.into_iter().filter(|project| project.id == id.project_id).collect();
    let project = projects.first().ok_or(ApiError::NotFound)?;
    let _turn = turn(&call).await?;
    let mut session = call.state.store.read().await?;
    let issue = session.issue(id).await?.filter(|issue| issue.last_received >= project.kept_since(now));
    let issue = issue.ok_or(ApiError::NotFound)?;
    let mut trends = session.issue_trends(&[id], now, TREND_HOURS).await?;
    let resolutions = session.resolutions(&[id]).await?;
    drop(session);
    let look = Look { call: &call, projects: &projects, id, now };
    let hit = look.event(&issue).await?;
    let event = hit.as_ref().and_then(|hit| StoredEvent::parse(&hit.line).ok());
    let (mut previous, mut next) = (None, None);
    if let Some(event) = &event {
        let position = Position { ts: event.ts, id: event.id };
        previous = look.beside(Some(position), Order::Descending).await?;
        next = look.beside(Some(position), Order::Ascending).await?;
    }
    let counted = look.count().await?;
    let trend = json!(trends.remove(&id));
    let mut shown = issue_json(&issue, resolutions.get(&id), &projects, now).ok_or(ApiError::Internal)?;
    shown["trend"] = trend.clone();
    let explained = event.as_ref().map(explain);
    let id_of = |hit: Option<Hit>| {
        hit.and_then(|hit| StoredEvent::parse(&hit.line).ok().map(|event| event.id.to_string()))
    };
    let detail = Detail {
        issue: shown,
        sparkline: trend,
        grouping: grouping_json(&issue, explained.as_ref()),
        why: why_json(&issue, explained.as_ref()),
        sample: hit.as_ref().and_then(|hit| log_json(hit, &projects)),
        previous: id_of(previous),
        next: id_of(next),
        breakdown: breakdown_json(&counted),
        query: format!("fingerprint:{}", id.fingerprint),
    };
    json::reply_of(StatusCode::OK, &detail)
}

/// Where and for what to look.
struct Look<'a> {
    call: &'a Call,
    projects: &'a [Arc<Project>],
    id: IssueId,
    now: Timestamp,
}

impl Look<'_> {
    fn criteria(&self) -> Criteria {
        let everything = Criteria::between(Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
        let projects = names(self.projects);
        Criteria { fingerprint: Some(self.id.fingerprint), projects, ..everything }
    }

    /// The event asked for, or the issue's sample, or what is kept of it.
    async fn event(&self, issue: &Issue) -> Result<Option<Hit>, ApiError> {
        let query = self.call.request.uri().query().unwrap_or("");
        let mut asked = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "event");
        let (stores, scopes) = (sources(self.call), scopes(self.projects, self.now));
        if let Some((_, asked)) = asked.next().filter(|(_, value)| !value.is_empty()) {
            let event = EventId::parse(&asked).ok_or(ApiError::NotFound)?;
            let found = find_event(&stores, &scopes, event).await?.ok_or(ApiError::NotFound)?;
            let is_of_issue =
                StoredEvent::parse(&found.line).is_ok_and(|event| event.fingerprint == self.id.fingerprint);
            return if is_of_issue { Ok(Some(found)) } else { Err(ApiError::NotFound) };
        }
        if let Some(event) = EventId::parse(&issue.sample)
            && let Some(found) = find_event(&stores, &scopes, event).await?
        {
            return Ok(Some(found));
        }
        Ok(self.beside(None, Order::Descending).await?)
    }

    /// The next event of the issue in an order.
    async fn beside(&self, after: Option<Position>, order: Order) -> Result<Option<Hit>, StoreError> {
        let scopes = scopes(self.projects, self.now);
        let criteria = self.criteria();
        let request = SearchRequest { scopes, criteria, order, after, limit: 1, budgets: FINDING };
        let page = run::search(&sources(self.call), &request).await?;
        Ok(page.hits.into_iter().next())
    }

    async fn count(&self) -> Result<Counted, StoreError> {
        let facets = FIELDS.iter().filter_map(|name| FacetField::parse(name)).collect();
        let wishes = Wishes { facets, top: TOP, ..Wishes::default() };
        let scopes = scopes(self.projects, self.now);
        let criteria = self.criteria();
        let request = CountRequest { scopes, criteria, wishes, now: self.now, budgets: COUNTING };
        aggregate::count(&sources(self.call), &request).await
    }
}

fn explain(event: &StoredEvent<'_>) -> Explanation {
    Fingerprinter::new().explain(&Parts {
        message: &event.message,
        source: &event.source,
        stack: event.stack.as_deref(),
        client: event.client_fingerprint.as_deref(),
    })
}

/// Most frequent values of each field with their share of all events counted.
fn breakdown_json(counted: &Counted) -> Value {
    let total = counted.total;
    let mut map = Map::new();
    let mut distinct = Map::new();
    let mut complete = counted.effort.complete;
    for facet in &counted.facets {
        let Facet { field, values, distinct: number, approximate, .. } = facet;
        complete &= !approximate;
        let value = |(value, count): &(Box<str>, u64)| {
            #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^52")]
            let share = *count as f64 / total.max(1) as f64;
            json!({ "value": value, "count": count, "share": share })
        };
        map.insert(field.clone(), values.iter().map(value).collect());
        distinct.insert(field.clone(), json!(number));
    }
    map.insert("distinct".to_owned(), Value::Object(distinct));
    map.insert("total".to_owned(), json!(total));
    map.insert("complete".to_owned(), json!(complete));
    Value::Object(map)
}

/// In short, from before [`why_json`] was there.
fn grouping_json(issue: &Issue, explained: Option<&Explanation>) -> Value {
    let Some(explained) = explained else {
        return json!({ "version": VERSION, "by": null, "template": issue.title, "source": issue.source });
    };
    let by = match explained.kind {
        Kind::Client => "client",
        Kind::Template => "message",
        Kind::Stack => "stack",
    };
    let counted = explained.frames.iter().filter(|frame| frame.verdict.counts());
    let frames = counted.map(|frame| json!({ "function": frame.function, "file": frame.file }));
    json!({
        "version": VERSION,
        "by": by,
        "template": explained.template,
        "source": issue.source,
        "exception": explained.types.first().map_or("", String::as_str),
        "frames": frames.collect::<Vec<_>>(),
    })
}

fn why_json(issue: &Issue, explained: Option<&Explanation>) -> Value {
    let Some(explained) = explained else {
        return json!({
            "version": VERSION, "kind": null, "template": issue.title, "type": null, "types": [], "frames": [], "hashed": [],
        });
    };
    let hashes_frames = explained.hashed.iter().any(|part| part.starts_with("frame "));
    let frames = explained.frames.iter().map(|frame| {
        json!({
            "function": frame.function,
            "file": frame.file,
            "used": hashes_frames && frame.verdict.counts(),
            "reason": reason(frame.verdict),
        })
    });
    json!({
        "version": VERSION,
        "kind": explained.kind.name(),
        "template": explained.template,
        "type": explained.types.first(),
        "types": explained.types,
        "frames": frames.collect::<Vec<_>>(),
        "hashed": explained.hashed,
        // False when rules or settings that scrub have changed since.
        "matches": explained.fingerprint == issue.id.fingerprint,
    })
}

fn reason(verdict: Verdict) -> String {
    match verdict {
        Verdict::Own => "own code".to_owned(),
        Verdict::OnlyLibraries => "library code, but the trace has no other".to_owned(),
        Verdict::Library(mark) => format!("library code ({mark})"),
        Verdict::Repeated => "counted already".to_owned(),
        Verdict::Beyond => "beyond the first 16".to_owned(),
    }
}
