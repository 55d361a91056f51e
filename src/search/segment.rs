//! One stretch of a search on one snapshot: headers in order, bodies of those that may match, lines tested off the
//! async threads.
//!
//! It ends when nothing left can better the page, or, when time or bytes run out, at the edge of the first block not
//! read: what comes before that edge is certain, and the next stretch starts there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{Batch, Candidate};
use super::cursor::{Order, Position};
use super::event_filter::EventFilter;
use super::headers::HeaderStream;
use super::run::{Effort, HARD_TIME, Hit, SearchRequest};
use super::top::TopEvents;
use crate::block::BlockHeader;
use crate::event::{BatchId, EventId};
use crate::store::{Snapshot, StoreError};
use crate::timestamp::Timestamp;

/// Blocks read and scanned at a time at most. Where only a scan tells how many events match, the first few come singly,
/// since the newest often suffice; where counts tell, as many as it takes.
const MAX_WIDTH: usize = 64;
/// Up to this many at a time nothing is fetched before what was fetched is scanned; beyond it the next are fetched
/// meanwhile.
const MAX_WIDTH_ALONE: usize = 8;
/// Bytes of compressed bodies read at a time, about.
const READ_BYTES: usize = 2 << 20;
/// How long blocks that are being scanned when the time is over may take to the end.
const SCAN_GRACE: Duration = Duration::from_secs(1);

/// Which part of the page is still to be found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// It starts after this.
    pub after: Option<Position>,
    /// Events at most.
    pub limit: usize,
    /// Bytes of their lines, about.
    pub max_bytes: usize,
    /// When the search began.
    pub started: Instant,
}

/// What a stretch gave.
pub(super) struct Part {
    /// Events, in order.
    pub hits: Vec<Hit>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
    /// False when it ran out of time or bytes.
    pub certain: bool,
}

/// A header with the number of the store it is from.
type Sourced = (usize, BlockHeader);

/// A running stretch.
pub(super) struct Segment<'a> {
    request: &'a SearchRequest,
    filters: &'a HashMap<i64, Arc<EventFilter>>,
    stretch: Stretch,
    snapshots: Vec<Snapshot>,
    headers: HeaderStream,
    top: TopEvents,
    since: Instant,
}

impl<'a> Segment<'a> {
    pub fn new(
        request: &'a SearchRequest,
        filters: &'a HashMap<i64, Arc<EventFilter>>,
        stretch: Stretch,
        snapshots: Vec<Snapshot>,
    ) -> Self {
        let SearchRequest { scopes, criteria, order, .. } = request;
        let (mut from, mut to) = (criteria.from, criteria.to);
        match (order, stretch.after) {
            (Order::Descending, Some(after)) => to = to.min(after.ts.plus_millis(1)),
            (Order::Ascending, Some(after)) => from = from.max(after.ts),
            (_, None) => {}
        }
        // One more than asked for tells whether a further page has anything on it.
        let top = TopEvents::new(*order, stretch.after, stretch.limit + 1).within(stretch.max_bytes);
        let headers = HeaderStream::new(snapshots.len(), scopes, (from, to), *order, filters);
        Self { request, filters, stretch, snapshots, headers, top, since: Instant::now() }
    }

    /// Ends the snapshots.
    pub async fn end(self) {
        for snapshot in self.snapshots {
            snapshot.end().await;
        }
    }

    /// Gives the snapshots back, for another search of the same moment.
    pub fn into_snapshots(self) -> Vec<Snapshot> {
        self.snapshots
    }

    /// Block headers read so far.
    pub const fn headers_read(&self) -> u64 {
        self.headers.read()
    }

    pub async fn run(&mut self, effort: &mut Effort) -> Result<Part, StoreError> {
        let mut width = 1;
        let mut running = None;
        loop {
            if width <= MAX_WIDTH_ALONE
                && let Some(cut) = self.finish(&mut running, effort).await?
            {
                return Ok(cut);
            }
            let Some(edge) = self.next_edge().await? else { break };
            let stop = width > 1 && self.must_stop(edge, effort);
            if width == 1 {
                width = self.headers.few_left().unwrap_or(width).clamp(1, MAX_WIDTH);
            }
            let candidates = if stop { Vec::new() } else { self.candidates(width, effort).await? };
            let blocks = self.fetch(candidates, effort).await?;
            if let Some(cut) = self.finish(&mut running, effort).await? {
                return Ok(cut);
            }
            if stop || !self.top.has_room_at(edge) {
                return Ok(self.cut_at(edge));
            }
            running = (!blocks.is_empty()).then(|| Batch::start(blocks, edge, &self.top));
            width = (width * 2).min(MAX_WIDTH);
        }
        let cut = self.finish(&mut running, effort).await?;
        Ok(cut.unwrap_or_else(|| self.whole()))
    }

    /// The page: nothing left can better it.
    fn whole(&mut self) -> Part {
        let more = self.top.has_more() || self.top.len() > self.stretch.limit;
        let mut hits = self.take_hits();
        hits.truncate(self.stretch.limit);
        let next = hits.last().filter(|_| more).map(|hit| hit.0);
        Part { hits: hits.into_iter().map(|(_, hit)| hit).collect(), next, certain: true }
    }

    /// Where the first block not yet read begins, in the order of the search; `None` when no block left may hold
    /// something better than what is found.
    async fn next_edge(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let order = self.request.order;
        let next = self.headers.peek(&mut self.snapshots).await?;
        let next = next.filter(|header| self.top.may_take(header.ts_first, header.ts_last));
        Ok(next.map(|header| edge(header, order)))
    }

    fn must_stop(&self, edge: Timestamp, effort: &Effort) -> bool {
        let budgets = &self.request.budgets;
        let elapsed = self.stretch.started.elapsed();
        let spent =
            elapsed > budgets.time || self.since.elapsed() > budgets.snapshot || effort.bytes > budgets.bytes;
        (spent && self.advances(edge)) || elapsed > HARD_TIME
    }

    /// Whether a stretch cut at this edge got any further than where it started. Blocks may reach back over the start
    /// of the page: cut there, it would start at the same place for ever, or repeat what was shown.
    fn advances(&self, edge: Timestamp) -> bool {
        let (criteria, after) = (&self.request.criteria, self.stretch.after);
        match self.request.order {
            Order::Descending => edge < criteria.to && after.is_none_or(|after| edge < after.ts),
            Order::Ascending => edge >= criteria.from && after.is_none_or(|after| edge > after.ts),
        }
    }

    /// Gives what comes before the edge of the first block not read; events in it may come before the rest. All of it,
    /// if blocks read before were enough to fill the page up to there.
    fn cut_at(&mut self, edge: Timestamp) -> Part {
        if !self.top.has_room_at(edge) {
            return self.whole();
        }
        let order = self.request.order;
        let at_edge = edge_position(edge, order);
        let next = self.stretch.after.filter(|_| !self.advances(edge)).unwrap_or(at_edge);
        let hits = self.take_hits().into_iter().filter(|(position, _)| position.precedes(&at_edge, order));
        Part { hits: hits.map(|(_, hit)| hit).collect(), next: Some(next), certain: false }
    }

    fn take_hits(&mut self) -> Vec<(Position, Hit)> {
        let empty = self.top.empty_copy();
        std::mem::replace(&mut self.top, empty).into_hits()
    }

    /// The next blocks that may hold something better than what is found; perhaps none when time runs out.
    async fn candidates(&mut self, width: usize, effort: &Effort) -> Result<Vec<Sourced>, StoreError> {
        let (mut candidates, mut bytes, mut expected) = (Vec::new(), 0, 0);
        let missing = (self.stretch.limit + 1 - self.top.len()) as u64;
        while candidates.len() < MAX_WIDTH && bytes < READ_BYTES {
            let Some(edge) = self.next_edge().await? else { break };
            let over_budget = effort.bytes + bytes as u64 > self.request.budgets.bytes;
            if !candidates.is_empty() && (over_budget || self.must_stop(edge, effort)) {
                break;
            }
            let Some((source, header)) = self.headers.take() else { break };
            let filter = self.filters.get(&header.project_id).filter(|filter| filter.admits(&header));
            if let Some(filter) = filter {
                bytes += header.stored_bytes as usize;
                let estimate = filter.estimate(&header);
                expected += estimate.unwrap_or(0);
                candidates.push((source, header));
                let enough = estimate.map_or(candidates.len() >= width, |_| expected >= missing);
                if enough {
                    break;
                }
            } else if self.must_stop(edge, effort) {
                break;
            }
        }
        Ok(candidates)
    }

    /// The bodies of some blocks, in one round trip a store; blocks that have gone are left out.
    async fn fetch(
        &mut self,
        headers: Vec<Sourced>,
        effort: &mut Effort,
    ) -> Result<Vec<Candidate>, StoreError> {
        let mut blocks = Vec::with_capacity(headers.len());
        for (source, snapshot) in self.snapshots.iter_mut().enumerate() {
            let own: Vec<_> = headers.iter().filter(|from| from.0 == source).map(|from| &from.1).collect();
            let bodies = snapshot.bodies(&own).await?;
            effort.bytes += bodies.fetched_bytes;
            effort.cached_bytes += bodies.cached_bytes;
            blocks.extend(own.into_iter().zip(bodies.list).filter_map(|(header, body)| {
                let filter = self.filters.get(&header.project_id)?.clone();
                Some(Candidate { header: header.clone(), body: body?, filter })
            }));
        }
        effort.blocks += blocks.len() as u64;
        Ok(blocks)
    }

    /// Waits for blocks being scanned and takes what they have. Where that takes longer than the search may, the page
    /// ends before them.
    async fn finish(
        &mut self,
        running: &mut Option<Batch>,
        effort: &mut Effort,
    ) -> Result<Option<Part>, StoreError> {
        let Some(batch) = running.take() else { return Ok(None) };
        let edge = batch.edge;
        let time = if self.advances(edge) { self.request.budgets.time + SCAN_GRACE } else { HARD_TIME };
        let deadline = self.stretch.started + time.min(HARD_TIME);
        let done = batch.done(deadline.into()).await?;
        if done.iter().any(|(_, scanned)| scanned.stopped) {
            return Ok(Some(self.cut_at(edge)));
        }
        for (found, scanned) in done {
            effort.events += scanned.events;
            effort.unreadable += scanned.unreadable;
            self.top.merge(found);
        }
        Ok(None)
    }
}

/// The time by which a block stands in this order: nothing in it comes before.
pub(super) fn edge(header: &BlockHeader, order: Order) -> Timestamp {
    match order {
        Order::Descending => header.ts_last,
        Order::Ascending => header.ts_first,
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
