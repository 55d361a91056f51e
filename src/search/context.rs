//! What happened around an event: those before and after it in order of time and id, all from one moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::cursor::{Order, Position};
use super::event_filter::{Criteria, EventFilter};
use super::find::find_in;
use super::run::{Budgets, Effort, Hit, Scope, SearchRequest};
use super::segment::{Segment, Stretch};
use crate::block::decode::StoredEvent;
use crate::event::EventId;
use crate::store::{Snapshot, Store, StoreError};
use crate::timestamp::Timestamp;

/// Events on either side at most.
pub const MAX_AROUND: usize = 100;
/// Bytes of events on either side, about.
const MAX_BYTES: usize = 2 << 20;

/// Which events belong to a context; of the event's project in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Around {
    /// Of the same source.
    #[default]
    Source,
    /// Of the same request.
    Request,
    /// All.
    Project,
}

/// One side of a context.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Events, the nearest first.
    pub hits: Vec<Hit>,
    /// Where a search in this direction goes on; `None` at the end.
    pub next: Option<Position>,
}

/// An event with what is around it.
#[derive(Clone, Debug)]
pub struct Context {
    /// The event.
    pub event: Hit,
    /// What came before.
    pub before: Side,
    /// What came after.
    pub after: Side,
    /// What it took; not complete when time ran out before a side was certain.
    pub effort: Effort,
}

/// Why there is no context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoContext {
    /// There is no such event, or it has expired.
    NotFound,
    /// The event belongs to no request.
    NoRequest,
}

/// The context of an event, with at most `before` and `after` events; of several stores the first has it.
///
/// # Errors
/// What the database said.
pub async fn context(
    stores: &[Store],
    scopes: &[Scope],
    id: EventId,
    around: Around,
    (before, after): (usize, usize),
) -> Result<Result<Context, NoContext>, StoreError> {
    let started = Instant::now();
    let received_at = id.batch.received_at();
    let live = scopes.iter().filter(|scope| received_at >= scope.received_after);
    let projects: Vec<i64> = live.map(|scope| scope.project_id).collect();
    if projects.is_empty() {
        return Ok(Err(NoContext::NotFound));
    }
    let (mut snapshots, mut event) = (Vec::with_capacity(stores.len()), None);
    for store in stores {
        let mut snapshot = store.snapshot().await?;
        if event.is_none() {
            event = find_in(&mut snapshot, &projects, id).await?;
        }
        snapshots.push(snapshot);
    }
    let found = event.and_then(|event| {
        let scope = scopes.iter().find(|scope| scope.project_id == event.project_id)?;
        Some((request_around(&event, *scope, around), event))
    });
    let (request, event) = match found {
        Some((Some(request), event)) => (request, event),
        missing => {
            end(snapshots).await;
            let why = if missing.is_some() { NoContext::NoRequest } else { NoContext::NotFound };
            return Ok(Err(why));
        }
    };
    let mut effort = Effort { complete: true, ..Effort::default() };
    let older = SearchRequest { order: Order::Descending, limit: before, ..request.clone() };
    let newer = SearchRequest { order: Order::Ascending, limit: after, ..request };
    let (before, snapshots) = side(&older, snapshots, started, &mut effort).await?;
    let (after, snapshots) = side(&newer, snapshots, started, &mut effort).await?;
    end(snapshots).await;
    effort.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Ok(Context { event, before, after, effort }))
}

async fn end(snapshots: Vec<Snapshot>) {
    for snapshot in snapshots {
        snapshot.end().await;
    }
}

/// What to ask for around an event; `None` where it lacks what its context is made of.
fn request_around(event: &Hit, scope: Scope, around: Around) -> Option<SearchRequest> {
    let stored = StoredEvent::parse(&event.line).ok()?;
    let everything = Criteria::between(Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
    let criteria = match around {
        Around::Source => Criteria { sources: vec![stored.source.into_owned()], ..everything },
        Around::Request => Criteria { request_id: Some(stored.request_id?.into_owned()), ..everything },
        Around::Project => everything,
    };
    Some(SearchRequest {
        scopes: vec![scope],
        criteria,
        order: Order::Descending,
        after: Some(Position { ts: stored.ts, id: stored.id }),
        limit: 0,
        budgets: Budgets::default(),
    })
}

async fn side(
    request: &SearchRequest,
    snapshots: Vec<Snapshot>,
    started: Instant,
    effort: &mut Effort,
) -> Result<(Side, Vec<Snapshot>), StoreError> {
    if request.limit == 0 {
        return Ok((Side { hits: Vec::new(), next: request.after }, snapshots));
    }
    let filters: HashMap<i64, Arc<EventFilter>> = request
        .scopes
        .iter()
        .map(|&Scope { project_id: id, received_after }| {
            let criteria = Criteria { project_id: Some(id), received_after, ..request.criteria.clone() };
            (id, Arc::new(EventFilter::new(criteria)))
        })
        .collect();
    let stretch = Stretch { after: request.after, limit: request.limit, max_bytes: MAX_BYTES, started };
    let mut segment = Segment::new(request, &filters, stretch, snapshots);
    let part = segment.run(effort).await?;
    effort.headers += segment.headers_read();
    effort.complete &= part.certain;
    Ok((Side { hits: part.hits, next: part.next }, segment.into_snapshots()))
}
