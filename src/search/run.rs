//! Running a search, as one or more `segment`s.
//!
//! It stops as soon as no remaining block can better the page. When its time or bytes run out it gives what is certain
//! so far, says `complete: false`, and its cursor goes on where it stopped: paging neither skips nor repeats.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cursor::{Order, Position};
use super::event_filter::{Criteria, EventFilter};
use super::segment::{Segment, Stretch};
use super::top::MAX_BYTES;
use crate::store::{Store, StoreError};
use crate::timestamp::Timestamp;

pub use super::top::Hit;

/// A project a search may see, and from which time of receipt on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The project.
    pub project_id: i64,
    /// Retention: what was received before this has expired.
    pub received_after: Timestamp,
}

/// What a search may take before it answers with what it has. A page that could not advance at all goes on, but never
/// for longer than [`HARD_TIME`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Time for the page.
    pub time: Duration,
    /// Time one snapshot of the database is held; a page that takes longer goes on with a new one.
    pub snapshot: Duration,
    /// Bytes of compressed bodies read.
    pub bytes: u64,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { time: Duration::from_secs(5), snapshot: Duration::from_secs(2), bytes: 256 << 20 }
    }
}

/// Longest a search works, whatever happens: more than the time budget only where so many blocks overlap the very
/// start of the page that reading them takes longer.
pub const HARD_TIME: Duration = Duration::from_secs(20);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// Where to look.
    pub scopes: Vec<Scope>,
    /// What for; its `received_after` is replaced by each scope's.
    pub criteria: Criteria,
    /// Which first.
    pub order: Order,
    /// The page starts after this.
    pub after: Option<Position>,
    /// Events at most, 1 to 1,000.
    pub limit: usize,
    /// What it may take.
    pub budgets: Budgets,
}

/// What a search read to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Headers read to choose bodies by.
    pub headers: u64,
    /// Bodies read.
    pub blocks: u64,
    /// Events in them.
    pub events: u64,
    /// Compressed bytes of bodies fetched from the database.
    pub bytes: u64,
    /// Compressed bytes of bodies that were in memory already.
    pub cached_bytes: u64,
    /// Time taken.
    pub ms: u64,
    /// Blocks and lines that are damaged; what was in them is missing from the answer.
    pub unreadable: u64,
    /// False when time or bytes ran out before the answer was certain.
    pub complete: bool,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events, in order.
    pub hits: Vec<Hit>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Position>,
    /// What it took.
    pub effort: Effort,
}

/// Runs a search over several stores at once. What is on its way from one to another is met in either, or in both and
/// then shown once, as long as the one it leaves comes first.
///
/// # Errors
/// What the database said; [`StoreError::Corrupt`] when a thread failed at reading blocks.
pub async fn search(stores: &[Store], request: &SearchRequest) -> Result<Page, StoreError> {
    let started = Instant::now();
    let filters = filters(request);
    let mut effort = Effort::default();
    let mut hits: Vec<Hit> = Vec::new();
    let (mut after, mut bytes) = (request.after, 0);
    loop {
        let stretch =
            Stretch { after, limit: request.limit - hits.len(), max_bytes: MAX_BYTES - bytes, started };
        let mut snapshots = Vec::with_capacity(stores.len());
        for store in stores {
            snapshots.push(store.snapshot().await?);
        }
        let mut segment = Segment::new(request, &filters, stretch, snapshots);
        let part = segment.run(&mut effort).await?;
        effort.headers += segment.headers_read();
        segment.end().await;
        bytes += part.hits.iter().map(|hit| hit.line.len()).sum::<usize>();
        hits.extend(part.hits);
        after = part.next;
        effort.complete = part.certain || hits.len() >= request.limit;
        let spent = started.elapsed() > request.budgets.time || effort.bytes > request.budgets.bytes;
        if effort.complete || spent || bytes >= MAX_BYTES {
            break;
        }
    }
    effort.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Page { hits, next: after, effort })
}

fn filters(request: &SearchRequest) -> HashMap<i64, Arc<EventFilter>> {
    let filter_for = |scope: &Scope| {
        let &Scope { project_id, received_after } = scope;
        let criteria = Criteria { project_id: Some(project_id), received_after, ..request.criteria.clone() };
        (scope.project_id, Arc::new(EventFilter::new(criteria)))
    };
    request.scopes.iter().map(filter_for).collect()
}
