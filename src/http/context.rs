//! `GET /logs/{id}/context`: an event and what happened before and after it.

use std::sync::Arc;

use poem::http::StatusCode;
use serde::Serialize;

use crate::error::ApiError;
use crate::event::EventId;
use crate::http::json;
use crate::http::log_json::{LogJson, log_json};
use crate::http::route::{Call, Reply};
use crate::http::search::{ScannedJson, damage_warning, readable_projects, scopes, sources, turn};
use crate::project::Project;
use crate::search::context::{Around, Context, MAX_AROUND, NoContext, Side, context};
use crate::search::cursor::{Cursor, Order};

/// Events on either side when no number is asked for.
const DEFAULT_AROUND: usize = 20;

/// An event and its context, oldest first.
#[derive(Serialize)]
struct Answer<'a> {
    before: Vec<LogJson<'a>>,
    event: LogJson<'a>,
    after: Vec<LogJson<'a>>,
    /// Goes on with `GET /logs?order=desc` and the filter of the scope; `null` when there is nothing before.
    before_cursor: Option<String>,
    /// Goes on with `order=asc`.
    after_cursor: Option<String>,
    scanned: ScannedJson,
    warnings: Vec<String>,
}

/// `GET /logs/{id}/context`.
///
/// # Errors
/// 400 naming the parameter, 404 as `GET /logs/{id}`, 503.
pub async fn show(call: Call) -> Reply {
    let projects = readable_projects(&call)?;
    let id = EventId::parse(call.param("id")).ok_or(ApiError::NotFound)?;
    let (around, counts, warnings) = parse(call.request.uri().query().unwrap_or(""))?;
    let turn = turn(&call).await?;
    let scopes = scopes(&projects, call.state.clock.now());
    let found = context(&sources(&call), &scopes, id, around, counts).await?;
    drop(turn);
    match found {
        Ok(found) => answer(&found, &projects, warnings),
        Err(NoContext::NotFound) => Err(ApiError::NotFound),
        Err(NoContext::NoRequest) => {
            Err(ApiError::InvalidParameter("scope is request, but the event has no request_id.".to_owned()))
        }
    }
}

type Asked = (Around, (usize, usize), Vec<String>);

fn parse(query: &str) -> Result<Asked, ApiError> {
    let (mut around, mut before, mut after) = (Around::default(), DEFAULT_AROUND, DEFAULT_AROUND);
    let mut warnings = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let number = || {
            let wrong =
                || ApiError::InvalidParameter(format!("{name} must be a whole number from 0 to 100."));
            value.parse().ok().filter(|number| *number <= MAX_AROUND).ok_or_else(wrong)
        };
        match (&*name, &*value) {
            (_, "") | ("project_id", _) => {}
            ("before", _) => before = number()?,
            ("after", _) => after = number()?,
            ("scope", "source") => around = Around::Source,
            ("scope", "request") => around = Around::Request,
            ("scope", "project") => around = Around::Project,
            ("scope", _) => {
                let why = "scope must be source, request or project.";
                return Err(ApiError::InvalidParameter(why.to_owned()));
            }
            _ if warnings.is_empty() => warnings.push("Unknown parameters were ignored.".to_owned()),
            _ => {}
        }
    }
    Ok((around, (before, after), warnings))
}

fn answer(found: &Context, projects: &[Arc<Project>], mut warnings: Vec<String>) -> Reply {
    let Context { event, before, after, effort } = found;
    warnings.extend(damage_warning(effort));
    let cursor = |side: &Side, order| side.next.map(|position| Cursor { order, position }.encode());
    json::reply_of(
        StatusCode::OK,
        &Answer {
            before: before.hits.iter().rev().filter_map(|hit| log_json(hit, projects)).collect(),
            event: log_json(event, projects).ok_or(ApiError::Internal)?,
            after: after.hits.iter().filter_map(|hit| log_json(hit, projects)).collect(),
            before_cursor: cursor(before, Order::Descending),
            after_cursor: cursor(after, Order::Ascending),
            scanned: ScannedJson::from(*effort),
            warnings,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_in_range_or_refused_by_name() {
        assert_eq!(parse("").unwrap(), (Around::Source, (20, 20), Vec::new()));
        let (around, counts, warnings) = parse("scope=request&before=0&after=100&x=1&y=2").unwrap();
        assert_eq!((around, counts, warnings.len()), (Around::Request, (0, 100), 1));
        for (query, name) in [("before=101", "before"), ("after=-1", "after"), ("scope=all", "scope")] {
            let refused = parse(query).unwrap_err();
            assert!(refused.detail().starts_with(name), "{query}: {}", refused.detail());
        }
    }
}
