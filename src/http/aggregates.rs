//! Counting what a search finds: histogram, facets and patterns, each by itself or with the list.

use std::sync::Arc;

use poem::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::http::aggregate_input::{self, AggregateInput, Kind};
use crate::http::aggregate_json::{facets_json, histogram_json, patterns_json};
use crate::http::json;
use crate::http::route::{Call, Reply};
use crate::http::search::{
    self, Answer, DATABASE_AWAY, ScannedJson, names, readable_projects, scopes, sources, turn,
};
use crate::project::Project;
use crate::search::aggregate::{self, BUDGETS, CountRequest, Counted};
use crate::search::run::{self, Budgets, Page, SearchRequest};
use crate::spool::Spool;
use crate::store::StoreError;

/// `GET /logs/histogram`.
///
/// # Errors
/// As [`search::search`].
pub async fn histogram(call: Call) -> Reply {
    answer(&call, Kind::Histogram).await
}

/// `GET /logs/facets`.
///
/// # Errors
/// As [`search::search`].
pub async fn facets(call: Call) -> Reply {
    answer(&call, Kind::Facets).await
}

/// `GET /logs/patterns`.
///
/// # Errors
/// As [`search::search`].
pub async fn patterns(call: Call) -> Reply {
    answer(&call, Kind::Patterns).await
}

/// `GET /logs?include=…`: the list with counts of everything that matches, not of the page alone.
///
/// # Errors
/// As [`search::search`].
pub async fn list_with_counts(call: &Call) -> Reply {
    answer(call, Kind::List).await
}

async fn answer(call: &Call, kind: Kind) -> Reply {
    let now = call.state.clock.now();
    let projects = readable_projects(call)?;
    let query = call.request.uri().query().unwrap_or("");
    let AggregateInput { search: input, wishes } = aggregate_input::parse(kind, query, now)?;
    let mut criteria = input.criteria;
    criteria.projects = names(&projects);
    let zone = wishes.histogram.as_ref().map(|wish| wish.zone.name().to_owned()).unwrap_or_default();
    let scopes = scopes(&projects, now);
    let request = CountRequest { scopes, criteria, wishes, now, budgets: BUDGETS };
    let mut warnings = input.warnings;
    let turn = turn(call).await?;
    let mut counted = count(call, &request, &mut warnings).await?;
    let page =
        if kind == Kind::List { Some(list(call, &request, &mut counted, &warnings).await?) } else { None };
    drop(turn);
    let unreadable = counted.effort.unreadable;
    if unreadable > 0 {
        warnings.push(format!("{unreadable} damaged blocks or events could not be read."));
    }
    match page {
        None => {
            let mut map = single(kind, &counted, &zone, &projects);
            map.insert("total".to_owned(), json!(counted.total));
            map.insert("scanned".to_owned(), scanned(&counted));
            map.insert("warnings".to_owned(), json!(warnings));
            Ok(json::reply(StatusCode::OK, &Value::Object(map)))
        }
        Some(page) => {
            let mut answer = Answer::new(&page, input.order, &projects, warnings);
            answer.total = Some(counted.total);
            answer.histogram =
                counted.histogram.as_ref().map(|histogram| histogram_json(histogram, &zone).into());
            answer.facets = (!counted.facets.is_empty()).then(|| facets_json(&counted.facets));
            let patterns = counted.patterns.as_ref();
            answer.patterns =
                patterns.map(|patterns| patterns_json(patterns, counted.total, &projects).into());
            json::reply_of(StatusCode::OK, &answer)
        }
    }
}

fn single(kind: Kind, counted: &Counted, zone: &str, projects: &[Arc<Project>]) -> Map<String, Value> {
    let facets = || Map::from_iter([("fields".to_owned(), facets_json(&counted.facets))]);
    let histogram = || counted.histogram.as_ref().map(|histogram| histogram_json(histogram, zone));
    let patterns =
        || counted.patterns.as_ref().map(|patterns| patterns_json(patterns, counted.total, projects));
    match kind {
        Kind::Histogram => histogram().unwrap_or_default(),
        Kind::Facets => facets(),
        Kind::Patterns => patterns().unwrap_or_default(),
        Kind::List => Map::new(),
    }
}

fn scanned(counted: &Counted) -> Value {
    let mut scanned = json!(ScannedJson::from(counted.effort));
    scanned["headers"] = json!(counted.headers);
    scanned
}

/// Counts in database and spool, or in the spool alone while the database is away.
async fn count(
    call: &Call,
    request: &CountRequest,
    warnings: &mut Vec<String>,
) -> Result<Counted, StoreError> {
    let error = match aggregate::count(&sources(call), request).await {
        Err(error) if error.is_away() => error,
        done => return done,
    };
    tracing::warn!(%error, "the database did not answer a count");
    warnings.push(DATABASE_AWAY.to_owned());
    let spool = call.state.spool.as_ref().and_then(Spool::source);
    let counted = match aggregate::count(spool.as_slice(), request).await {
        Ok(counted) => Ok(counted),
        Err(error) => {
            tracing::warn!(%error, "the spool did not answer a count");
            aggregate::count(&[], request).await
        }
    };
    counted.map(|mut counted| {
        counted.effort.complete = false;
        counted
    })
}

/// The page that was found while counting, or that of a search where counting had no need to look at events or could
/// not look at all of them.
async fn list(
    call: &Call,
    request: &CountRequest,
    counted: &mut Counted,
    warnings: &[String],
) -> Result<Page, StoreError> {
    if let Some(list) = counted.list.take() {
        return Ok(Page { hits: list.hits, next: list.next, effort: counted.effort });
    }
    let Some(wish) = request.wishes.list else {
        return Ok(Page { hits: Vec::new(), next: None, effort: counted.effort });
    };
    let search = SearchRequest {
        scopes: request.scopes.clone(),
        criteria: request.criteria.clone(),
        order: wish.order,
        after: wish.after,
        limit: wish.limit,
        budgets: Budgets::default(),
    };
    let mut page = if warnings.iter().any(|warning| warning == DATABASE_AWAY) {
        search::search_spool(call, &search).await
    } else {
        run::search(&sources(call), &search).await?
    };
    let (own, more) = (&mut page.effort, counted.effort);
    own.blocks += more.blocks;
    own.events += more.events;
    own.bytes += more.bytes;
    own.ms += more.ms;
    own.complete &= more.complete;
    Ok(page)
}
