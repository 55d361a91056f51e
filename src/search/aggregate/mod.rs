//! Counting everything that matches: histogram, facets, patterns, and the first page of the list, in one pass.
//!
//! What headers can tell is counted from them alone; bodies are read only where more is asked for, or where an edge of
//! the range or of a bucket cuts through a minute. All of it is of one moment: a pass holds one snapshot of each store
//! for as long as its time budget lets it work, since counts, unlike a list, can't be cut in the middle. An event that
//! is on its way from the spool to the database is counted once.

mod pass;
mod runs;
mod tally;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buckets::{Buckets, Zone};
use super::cursor::{Order, Position};
use super::event_filter::{Criteria, EventFilter};
use super::facets::{Facet, FacetCounter, FacetField};
use super::histogram::{Histogram, HistogramCounter, HistogramSpec};
use super::language::ProjectName;
use super::patterns::{PatternCounter, Patterns};
use super::run::{Budgets, Effort, Hit, Scope};
use super::top::TopEvents;
use crate::store::{Snapshot, Store, StoreError};
use crate::timestamp::Timestamp;
use pass::Pass;
use tally::{Tally, Test};

/// What counting may take: it can't go on in a next page, so it may read more than a search. The snapshot lasts as long.
pub const BUDGETS: Budgets =
    Budgets { time: Duration::from_secs(5), snapshot: Duration::from_secs(5), bytes: 256 << 20 };
/// Shown where no range is asked for and nothing is stored.
const EMPTY_RANGE_MS: i64 = 3_600_000;

/// A histogram as asked for.
#[derive(Clone, Debug)]
pub struct HistogramWish {
    /// Buckets at most, 1 to [`super::buckets::MAX_BUCKETS`].
    pub buckets: usize,
    /// Whose clock their edges are on.
    pub zone: Zone,
    /// Events are told apart by this field; `None` is the level.
    pub by: Option<FacetField>,
}

/// The beginning of the list, wanted with the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListWish {
    /// Which first.
    pub order: Order,
    /// The page starts after this.
    pub after: Option<Position>,
    /// Events at most, 1 to 1,000.
    pub limit: usize,
}

/// What is wanted of the events that match.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Per bucket of time.
    pub histogram: Option<HistogramWish>,
    /// Per value of these fields, if there are any.
    pub facets: Vec<FacetField>,
    /// Per template.
    pub patterns: bool,
    /// The first of them.
    pub list: Option<ListWish>,
    /// Values and patterns to show at most.
    pub top: usize,
}

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct CountRequest {
    /// Where to look.
    pub scopes: Vec<Scope>,
    /// What for; its `received_after` is replaced by each scope's.
    pub criteria: Criteria,
    /// What of it.
    pub wishes: Wishes,
    /// The end of a histogram whose `to` isn't said, if nothing is younger.
    pub now: Timestamp,
    /// What it may take; see [`BUDGETS`].
    pub budgets: Budgets,
}

/// The first events and where the next page starts.
#[derive(Clone, Debug)]
pub struct List {
    /// In order.
    pub hits: Vec<Hit>,
    /// `None` at the end.
    pub next: Option<Position>,
}

/// What was counted. With an incomplete effort all of it is too low.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Events that match.
    pub total: u64,
    /// If wanted.
    pub histogram: Option<Histogram>,
    /// If wanted, one a field.
    pub facets: Vec<Facet>,
    /// If wanted.
    pub patterns: Option<Patterns>,
    /// If wanted, unless headers told all the rest or it isn't certain: then a search finds it sooner.
    pub list: Option<List>,
    /// What it took.
    pub effort: Effort,
    /// Blocks whose header told all.
    pub headers: u64,
}

/// Counts over several stores at once, the one that events leave before the one they come to.
///
/// # Errors
/// What the database said; [`StoreError::Corrupt`] when a thread failed at reading blocks.
pub async fn count(stores: &[Store], request: &CountRequest) -> Result<Counted, StoreError> {
    let started = Instant::now();
    let mut snapshots = Vec::with_capacity(stores.len());
    for store in stores {
        snapshots.push(store.snapshot().await?);
    }
    let plan = Plan::new(request, &mut snapshots).await?;
    let mut pass = Pass::new(&plan, started);
    let last = snapshots.len().saturating_sub(1);
    for (number, snapshot) in snapshots.iter_mut().enumerate() {
        pass.read(snapshot, number < last).await?;
    }
    for snapshot in snapshots {
        snapshot.end().await;
    }
    let (tally, mut effort, headers) = pass.finish();
    effort.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(plan.answer(tally, effort, headers))
}

/// A request with all that follows from it.
struct Plan<'a> {
    request: &'a CountRequest,
    filters: HashMap<i64, Test>,
    histogram: Option<HistogramSpec>,
    facets: Arc<[FacetField]>,
    /// Headers can tell all that is wanted, but for a list.
    is_of_counts: bool,
    /// The range of `ts` in which events are.
    range: (Timestamp, Timestamp),
}

impl<'a> Plan<'a> {
    async fn new(request: &'a CountRequest, snapshots: &mut [Snapshot]) -> Result<Self, StoreError> {
        let wishes = &request.wishes;
        let mut range = (request.criteria.from, request.criteria.to);
        if wishes.histogram.is_some() {
            range = bounded_range(request, snapshots).await?;
        }
        let histogram = wishes.histogram.as_ref().map(|HistogramWish { buckets, zone, by }| {
            let buckets = Arc::new(Buckets::new(zone, range.0, range.1, *buckets));
            HistogramSpec { buckets, by: by.clone() }
        });
        let test = |scope: &Scope| (scope.project_id, test_of(request, scope));
        let filters: HashMap<i64, Test> = request.scopes.iter().map(test).collect();
        let is_of_counts = histogram.as_ref().is_some_and(HistogramSpec::is_by_level)
            && wishes.facets.is_empty()
            && !wishes.patterns
            && filters.values().all(|test| test.filter.is_of_counts());
        let facets = wishes.facets.as_slice().into();
        Ok(Self { request, filters, histogram, facets, is_of_counts, range })
    }

    /// The list to find while lines are visited.
    fn list(&self) -> Option<ListWish> {
        self.request.wishes.list.filter(|_| !self.is_of_counts)
    }

    fn tally(&self) -> Tally {
        let wishes = &self.request.wishes;
        let by = self.histogram.as_ref().and_then(|spec| spec.by.as_ref());
        let top = self.list().map(|ListWish { order, after, limit }| TopEvents::new(order, after, limit + 1));
        Tally {
            histogram: self.histogram.as_ref().map(HistogramCounter::new),
            facets: (!self.facets.is_empty()).then(|| FacetCounter::new(self.facets.clone())),
            patterns: wishes.patterns.then(PatternCounter::default),
            top,
            uses_fields: by.into_iter().chain(&*self.facets).any(|field| !field.is_of_head()),
            ..Tally::default()
        }
    }

    fn answer(&self, tally: Tally, effort: Effort, headers: u64) -> Counted {
        let wishes = &self.request.wishes;
        let list = self.list().zip(tally.top).filter(|_| effort.complete);
        Counted {
            total: tally.total,
            histogram: tally.histogram.map(|counter| counter.finish(wishes.top)),
            facets: tally.facets.map_or_else(Vec::new, |counter| counter.finish(wishes.top)),
            patterns: tally.patterns.map(|counter| counter.finish(wishes.top)),
            list: list.map(|(wish, top)| list_of(top, wish.limit)),
            effort,
            headers,
        }
    }
}

fn list_of(top: TopEvents, limit: usize) -> List {
    let more = top.has_more() || top.len() > limit;
    let mut hits = top.into_hits();
    hits.truncate(limit);
    let next = hits.last().filter(|_| more).map(|hit| hit.0);
    List { hits: hits.into_iter().map(|(_, hit)| hit).collect(), next }
}

fn test_of(request: &CountRequest, scope: &Scope) -> Test {
    let &Scope { project_id, received_after } = scope;
    let criteria = Criteria { project_id: Some(project_id), received_after, ..request.criteria.clone() };
    let own = |name: &&ProjectName| name.id == project_id;
    let project = request.criteria.projects.iter().find(own).map_or("", |name| name.slug.as_str()).into();
    Test { filter: Arc::new(EventFilter::new(criteria)), known: None, project }
}

/// The range asked for; what of it isn't said is that of the blocks there are, up to now at least.
async fn bounded_range(
    request: &CountRequest,
    snapshots: &mut [Snapshot],
) -> Result<(Timestamp, Timestamp), StoreError> {
    let Criteria { from, to, .. } = request.criteria;
    let is_open = (from.as_millis() <= 0, to > Timestamp::LAST);
    if is_open == (false, false) {
        return Ok((from, to));
    }
    let scopes: Vec<_> =
        request.scopes.iter().map(|scope| (scope.project_id, scope.received_after)).collect();
    let mut met: Option<(Timestamp, Timestamp)> = None;
    for snapshot in snapshots {
        if let Some((first, last)) = snapshot.time_range(&scopes, from, to).await? {
            met = Some(met.map_or((first, last), |met| (met.0.min(first), met.1.max(last))));
        }
    }
    let to = match met {
        _ if !is_open.1 => to,
        Some((_, last)) => last.max(request.now).max(from).plus_millis(1),
        None => request.now.max(from).plus_millis(1),
    };
    let from = match met {
        _ if !is_open.0 => from,
        Some((first, _)) => first.min(to),
        None => to.plus_millis(-EMPTY_RANGE_MS),
    };
    Ok((from, to))
}

#[cfg(test)]
mod tests;
