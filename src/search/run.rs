//! Running a search: headers in order, bodies of those that may match, lines tested off the async threads.
//!
//! It stops as soon as no remaining block can better the page. When its time or bytes run out it gives what is certain
//! so far, says `complete: false`, and its cursor goes on where it stopped: paging neither skips nor repeats.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::cursor::{Order, Position};
use super::event_filter::{Criteria, EventFilter};
use super::headers::HeaderStream;
use super::scan::{Scanned, scan_block};
use super::top::TopEvents;
use crate::block::decode::{StoredEvent, inflate_body, lines};
use crate::block::filter::{id_token, may_contain};
use crate::block::{Block, BlockHeader};
use crate::event::{BatchId, EventId};
use crate::store::{Store, StoreError};
use crate::timestamp::Timestamp;

/// Longest a search works before it answers with what it has.
pub const TIME_BUDGET: Duration = Duration::from_secs(5);
/// Most bytes of compressed bodies a search reads before it answers with what it has.
pub const BYTE_BUDGET: u64 = 64 << 20;
/// Blocks read and scanned at a time at most; the first few come singly, since the newest often suffice.
const MAX_WIDTH: usize = 16;
/// Bytes of compressed bodies read at a time, about.
const READ_BYTES: usize = 2 << 20;
/// Headers looked at in search of one event at most.
const MAX_ID_HEADERS: usize = 1_000;

/// A project a search may see, and from which time of receipt on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The project.
    pub project_id: i64,
    /// Retention: what was received before this has expired.
    pub received_after: Timestamp,
}

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
}

/// An event found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its project.
    pub project_id: i64,
    /// Its stored line.
    pub line: Vec<u8>,
}

/// What a search read to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Bodies read.
    pub blocks: u64,
    /// Events in them.
    pub events: u64,
    /// Their compressed bytes, as fetched.
    pub bytes: u64,
    /// Time taken.
    pub ms: u64,
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

/// Runs a search.
///
/// # Errors
/// What the database said.
pub async fn search(store: &Store, request: &SearchRequest) -> Result<Page, StoreError> {
    let mut running = Running::new(request);
    let mut width = 1;
    loop {
        let candidates = running.candidates(store, width).await?;
        if candidates.is_empty() {
            break;
        }
        running.scan(store, candidates).await?;
        if running.is_spent() {
            running.effort.complete = running.is_certain(store).await?;
            break;
        }
        width = (width * 2).min(MAX_WIDTH);
    }
    running.finish(store).await
}

struct Running<'a> {
    request: &'a SearchRequest,
    filters: HashMap<i64, Arc<EventFilter>>,
    headers: HeaderStream,
    top: TopEvents,
    owners: HashMap<BatchId, i64>,
    effort: Effort,
    started: Instant,
}

impl<'a> Running<'a> {
    fn new(request: &'a SearchRequest) -> Self {
        let SearchRequest { scopes, criteria, order, after, limit } = request;
        let (mut from, mut to) = (criteria.from, criteria.to);
        match (order, after) {
            (Order::Descending, Some(after)) => to = to.min(after.ts.plus_millis(1)),
            (Order::Ascending, Some(after)) => from = from.max(after.ts),
            (_, None) => {}
        }
        let filter_for = |scope: &Scope| {
            let project_id = Some(scope.project_id);
            let criteria = Criteria { project_id, received_after: scope.received_after, ..criteria.clone() };
            (scope.project_id, Arc::new(EventFilter::new(criteria)))
        };
        let filters: HashMap<_, _> = scopes.iter().map(filter_for).collect();
        let use_tokens = filters.values().any(|filter| filter.uses_tokens());
        Self {
            request,
            headers: HeaderStream::new(scopes, from, to, *order, use_tokens),
            filters,
            top: TopEvents::new(*order, *after, *limit),
            owners: HashMap::new(),
            effort: Effort { complete: true, ..Effort::default() },
            started: Instant::now(),
        }
    }

    /// The next blocks that may hold something better than what is found.
    async fn candidates(&mut self, store: &Store, width: usize) -> Result<Vec<BlockHeader>, StoreError> {
        let (mut candidates, mut bytes) = (Vec::new(), 0);
        while candidates.len() < width && bytes < READ_BYTES && self.may_go_on(store).await? {
            let Some(header) = self.headers.take() else { break };
            let admits = self.filters.get(&header.project_id).is_some_and(|filter| filter.admits(&header));
            if admits {
                bytes += header.stored_bytes as usize;
                candidates.push(header);
            } else if self.started.elapsed() > TIME_BUDGET {
                break;
            }
        }
        Ok(candidates)
    }

    /// Whether a block is left that may hold something better.
    async fn may_go_on(&mut self, store: &Store) -> Result<bool, StoreError> {
        let next = self.headers.peek(store).await?;
        Ok(next.is_some_and(|header| self.top.may_take(header.ts_first, header.ts_last)))
    }

    async fn is_certain(&mut self, store: &Store) -> Result<bool, StoreError> {
        Ok(!self.may_go_on(store).await?)
    }

    fn is_spent(&self) -> bool {
        self.started.elapsed() > TIME_BUDGET || self.effort.bytes > BYTE_BUDGET
    }

    async fn scan(&mut self, store: &Store, headers: Vec<BlockHeader>) -> Result<(), StoreError> {
        let mut by_project: HashMap<i64, Vec<BlockHeader>> = HashMap::new();
        for header in headers {
            by_project.entry(header.project_id).or_default().push(header);
        }
        for (project_id, headers) in by_project {
            let Some(filter) = self.filters.get(&project_id).cloned() else { continue };
            let ids: Vec<Uuid> = headers.iter().map(|header| header.id).collect();
            let mut bodies: HashMap<Uuid, Vec<u8>> =
                store.read().await?.block_bodies(project_id, &ids).await?.into_iter().collect();
            let blocks: Vec<Block> = headers
                .into_iter()
                .filter_map(|header| bodies.remove(&header.id).map(|body| Block { header, body }))
                .collect();
            self.effort.blocks += blocks.len() as u64;
            self.effort.bytes += blocks.iter().map(|block| block.body.len() as u64).sum::<u64>();
            self.scan_blocks(project_id, &filter, blocks).await;
        }
        Ok(())
    }

    /// Scans on two threads for blocking work; one block at a time is inflated on each.
    async fn scan_blocks(&mut self, project_id: i64, filter: &Arc<EventFilter>, mut blocks: Vec<Block>) {
        let SearchRequest { order, after, limit, .. } = *self.request;
        let second = blocks.split_off(blocks.len().div_ceil(2));
        let work = |blocks: Vec<Block>| {
            let filter = filter.clone();
            let top = TopEvents::new(order, after, limit);
            tokio::task::spawn_blocking(move || scan_all(&blocks, &filter, top))
        };
        let (first, second) = tokio::join!(work(blocks), work(second));
        for (found, scanned) in [first, second].into_iter().flatten() {
            self.effort.events += scanned.events;
            for position in found.positions() {
                self.owners.insert(position.id.batch, project_id);
            }
            self.top.merge(found);
        }
    }

    async fn finish(mut self, store: &Store) -> Result<Page, StoreError> {
        let more =
            self.top.has_more() || self.may_go_on(store).await? || self.headers.peek(store).await?.is_some();
        let boundary = match self.headers.peek(store).await?.cloned() {
            Some(header) if !self.effort.complete => Some(self.headers.edge(&header)),
            _ => None,
        };
        let order = self.request.order;
        let full = self.top.len() >= self.request.limit || self.top.has_more();
        let mut hits = self.top.into_hits();
        let mut next = hits.last().filter(|_| more && full).map(|hit| hit.0);
        if let Some(boundary) = boundary {
            // Events beyond the first block not read may still come before some of these.
            hits.retain(|(position, _)| match order {
                Order::Descending => position.ts > boundary,
                Order::Ascending => position.ts < boundary,
            });
            next = Some(edge_position(boundary, order));
        }
        let owner = |position: &Position| self.owners.get(&position.id.batch).copied();
        let hits = hits
            .into_iter()
            .filter_map(|(position, line)| owner(&position).map(|project_id| Hit { project_id, line }))
            .collect();
        self.effort.ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Page { hits, next, effort: self.effort })
    }
}

/// The position that everything at `ts` comes after, in this order.
fn edge_position(ts: Timestamp, order: Order) -> Position {
    let (byte, index) = match order {
        Order::Descending => (0xff, u32::MAX),
        Order::Ascending => (0, 0),
    };
    Position { ts, id: EventId { batch: BatchId::from_bytes([byte; 16]), index } }
}

fn scan_all(blocks: &[Block], filter: &EventFilter, mut top: TopEvents) -> (TopEvents, Scanned) {
    let mut scanned = Scanned::default();
    for block in blocks {
        match inflate_body(block.header.codec, block.header.raw_bytes, &block.body) {
            Ok(raw) => scanned += scan_block(&raw, filter, &mut top),
            Err(error) => tracing::error!(%error, block = %block.header.id, "a block can't be read"),
        }
    }
    if scanned.unreadable > 0 {
        tracing::error!(lines = scanned.unreadable, "lines that are no events");
    }
    (top, scanned)
}

/// One event by its id, in the first of the scopes that has it and where it has not expired.
///
/// # Errors
/// What the database said.
pub async fn find_event(store: &Store, scopes: &[Scope], id: EventId) -> Result<Option<Hit>, StoreError> {
    let received_at = id.batch.received_at();
    let token = id_token("batch", &id.batch.to_string());
    for scope in scopes.iter().filter(|scope| received_at >= scope.received_after) {
        let mut session = store.read().await?;
        let headers = session.headers_received_at(scope.project_id, received_at, MAX_ID_HEADERS).await?;
        for header in headers.iter().filter(|header| may_contain(&header.id_filter, token)) {
            let bodies = session.block_bodies(scope.project_id, &[header.id]).await?;
            for (_, body) in bodies {
                let Ok(raw) = inflate_body(header.codec, header.raw_bytes, &body) else { continue };
                let found =
                    lines(&raw).find(|line| StoredEvent::parse(line).is_ok_and(|event| event.id == id));
                if let Some(line) = found {
                    return Ok(Some(Hit { project_id: scope.project_id, line: line.to_vec() }));
                }
            }
        }
    }
    Ok(None)
}
